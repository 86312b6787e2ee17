"""S8: two machines share a subnet; each allocates from its own part."""

from tests.lab.machine import Machine
from tests.lab.topologies import on_the_trunk, up


def test_two_hosts_share_a_subnet(host1: Machine, host2: Machine) -> None:
    files = {n: on_the_trunk(f"08-two-hosts-{n}.toml") for n in (1, 2)}
    with up({host1: files[1], host2: files[2]}):
        ours, theirs = (
            {name: host.endpoint(name) for name in ("web", "db")} for host in (host1, host2)
        )
        assert ours["web"][1] == ["10.10.10.2"]
        assert theirs["web"][1] == ["10.10.10.128"]
        assert len({mac for host in (ours, theirs) for mac, _ in host.values()}) == 4
        for name in ours:
            for _, addresses in theirs.values():
                host1.reaches(name, addresses[0])
            host2.reaches(name, "10.10.10.1")
