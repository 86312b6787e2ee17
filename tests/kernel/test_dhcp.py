"""Endpoints with addresses by DHCP: dnsmasq gives them, `ip` and its lease file judge."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import vlanlink
from tests.json_schema import judge
from tests.kernel.attaching import end, fake_podman, inside, start_container
from tests.kernel.command_line import VLANLINK
from tests.kernel.dhcp_lan import RELAY, SERVER, Dnsmasq, Kea, Liar, end_keepers, need_kea, relayed
from tests.kernel.examples import example
from tests.kernel.lan import Lan
from tests.kernel.watching import Process
from tests.kernel.wire import ready
from tests.kernel.world import World, until
from vlanlink.store import keeper_file

pytestmark = pytest.mark.needs("macvlan")


@pytest.fixture(autouse=True)
def nothing_left(world: World) -> Iterator[None]:  # noqa: ARG001 - before its namespaces go
    """Keepers end with their test, whether it takes its topology down or not."""
    yield
    end_keepers()


NETWORK = """
[networks.pub]
kind = "macvlan"
parent = "eth0"
dhcp = {dhcp}
{more}
"""


def topology(
    *spaces: str, dhcp: str = "true", more: str = "", interface: str = "", name: str = "office"
) -> vlanlink.Topology:
    written = text(*spaces, dhcp=dhcp, more=more, interface=interface, name=name)
    return vlanlink.load(f"/run/{name}.toml", text=written)


def text(
    *spaces: str, dhcp: str = "true", more: str = "", interface: str = "", name: str = "office"
) -> str:
    found = f'[topology]\nname = "{name}"\n' + NETWORK.format(dhcp=dhcp, more=more)
    for space in spaces or ("web",):
        found += f'[namespaces.{space}.interfaces.eth0]\nnetwork = "pub"\n{interface}\n'
    return found


def address(lan: Lan, space: str = "web") -> dict[str, object]:
    """The IPv4 address, as `ip` shows it."""
    found = lan.world.json("-4 addr show dev eth0", space)
    rows = [row for one in found for row in one.get("addr_info", ())]
    assert len(rows) == 1, rows
    row: dict[str, object] = rows[0]
    return row


def test_an_endpoint_gets_its_address_routes_and_lifetime_from_the_server(lan: Lan) -> None:
    ready(lan)
    server = Dnsmasq(lan)
    done = vlanlink.up(topology())
    mac = lan.world.link("eth0", "web")["address"]
    found = address(lan)
    assert found["local"] == server.given()[mac]
    assert found["prefixlen"] == 24
    assert 3500 <= int(str(found["valid_life_time"])) <= 3600
    routes = lan.world.json("-4 route", "web")
    assert [r["gateway"] for r in routes if r["dst"] == "default"] == [SERVER]
    assert f"+ address {found['local']}/24 on eth0, by DHCP" in str(done)
    lan.world.run(f"ping -c1 -W5 {SERVER}", "web")
    assert vlanlink.status("office").state == "up"
    assert not vlanlink.plan(topology())
    (network,) = vlanlink.inspect()
    (end,) = network.endpoints
    assert end.by_dhcp == end.addresses == (f"{found['local']}/24",)


def test_a_plan_names_dhcp_and_sends_nothing(lan: Lan) -> None:
    lan.station("db")
    plan = vlanlink.plan(topology())
    assert "+ address dhcp on eth0, by DHCP" in str(plan)
    assert json.dumps(plan.to_dict())


def test_without_a_server_all_is_undone_and_the_parent_named(lan: Lan) -> None:
    ready(lan)
    with pytest.raises(vlanlink.ConflictError) as caught:
        vlanlink.up(topology("web", "db", dhcp="{ timeout = 1 }"))
    (found,) = caught.value.diagnostics
    assert found.message == "web/eth0, db/eth0: no address by DHCP on eth0 in 1 s: 0 offers"
    assert "web" not in lan.world.namespaces()
    assert vlanlink.status() == ()


def test_down_keeps_the_lease_and_the_next_up_asks_for_it(lan: Lan) -> None:
    ready(lan)
    server = Dnsmasq(lan)
    vlanlink.up(topology())
    before, asked = address(lan)["local"], server.count("DHCPDISCOVER(")
    vlanlink.down("office")
    assert server.count("DHCPRELEASE") == 0
    vlanlink.up(topology())
    assert address(lan)["local"] == before
    assert server.count("DHCPDISCOVER(") == asked
    vlanlink.down("office", forget=True)
    until(lambda: server.count("DHCPRELEASE") == 1, "the server has it back")


def test_a_lease_is_forgotten_though_its_topology_is_down(lan: Lan) -> None:
    ready(lan)
    Dnsmasq(lan)
    vlanlink.up(topology())
    vlanlink.down("office")
    assert vlanlink.leases("office")
    vlanlink.down("office", forget=True)
    with pytest.raises(vlanlink.UsageError, match="unknown topology: office"):
        vlanlink.leases("office")


def test_leases_lists_what_servers_gave(lan: Lan) -> None:
    ready(lan)
    Dnsmasq(lan)
    vlanlink.up(topology())
    (found,) = vlanlink.leases("office")
    assert (found.endpoint, found.network, found.parent) == ("web/eth0", "pub", "eth0")
    assert (found.address, found.in_use) == (address(lan)["local"], True)
    assert found.server == SERVER
    assert found.seconds
    assert 3500 <= found.seconds <= 3600
    told = lan.world.run([VLANLINK, "leases"]).stdout
    assert f"{found.address}  in use, " in told
    assert f" s left, by DHCP from {SERVER}" in told
    judge("leases", json.loads(lan.world.run([VLANLINK, "leases", "--json"]).stdout))
    with pytest.raises(vlanlink.UsageError, match=f"of the DHCP server {SERVER}"):
        vlanlink.leases("office", release=[found.address])
    vlanlink.down("office")
    (kept,) = vlanlink.leases()
    assert (kept.endpoint, kept.address, kept.in_use) == ("web/eth0", found.address, False)
    vlanlink.up(topology())
    vlanlink.down("office", forget=True)
    assert vlanlink.leases() == ()


def test_an_address_that_a_station_has_is_declined(lan: Lan) -> None:
    lan.station("printer", "192.168.77.100/24")
    ready(lan)
    mac = "02:42:ac:10:03:0f"
    reserved = f"--dhcp-host={mac},192.168.77.100"  # so that it offers this one first
    server = Dnsmasq(lan, reserved, given="192.168.77.100,192.168.77.101")
    vlanlink.up(topology(interface=f'mac = "{mac}"'))
    assert address(lan)["local"] == "192.168.77.101"
    assert server.count(f"DHCPDECLINE(eth0) 192.168.77.100 {mac}") == 1


def test_a_server_behind_a_relay_gives_and_renews(lan: Lan) -> None:
    ready(lan)
    # T1 after three seconds: the server is asked without the relay then, through the router.
    server = relayed(lan, f"--dhcp-option=3,{RELAY}", "--dhcp-option-force=58,3")
    vlanlink.up(topology())
    mac = lan.world.link("eth0", "web")["address"]
    assert address(lan)["local"] == server.given()[mac]
    (route,) = [r for r in lan.world.json("-4 route", "web") if r["dst"] == "default"]
    assert route["gateway"] == RELAY
    asked = server.count("DHCPREQUEST(")
    until(lambda: server.count("DHCPREQUEST(") > asked, "the lease is renewed")
    until(lambda: server.count("DHCPACK(") > asked, "and the server agrees")
    assert server.count("DHCPNAK(") == 0
    assert vlanlink.status("office").state == "up"


# -- the keeper ------------------------------------------------------------------------------------


def keeper(name: str = "office") -> keeper_file.Keeper:
    (file,) = Path("/run/vlanlink").glob(f"{name}@*.keeper")
    found = keeper_file.find(file)
    assert found is not None
    return found


def processes(pid: int) -> list[int]:
    """A keeper's processes: the one that waits, and the one that talks to the LAN."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def status_of(pid: int, key: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split(":")[1].strip() for line in lines if line.startswith(f"{key}:"))


def test_the_keeper_holds_two_rights_and_is_nobody(lan: Lan) -> None:
    ready(lan)
    Dnsmasq(lan)
    vlanlink.up(topology())
    waiting, talking = processes(keeper().pid)
    assert int(status_of(talking, "CapEff"), 16) == (1 << 12) | (1 << 13)
    assert int(status_of(talking, "CapPrm"), 16) == (1 << 12) | (1 << 13)
    assert status_of(talking, "Uid").split() == ["65534"] * 4
    assert os.getsid(waiting) == waiting
    open_files = [
        os.readlink(f"/proc/{talking}/fd/{fd}") for fd in os.listdir(f"/proc/{talking}/fd")
    ]
    assert {name.partition(":")[0] for name in open_files} <= {"socket", "/dev/null", "anon_inode"}
    vlanlink.down("office")
    until(lambda: not Path(f"/proc/{talking}").exists(), "the keeper ends with its topology")


def test_a_killed_keeper_is_told_of_and_comes_back_with_the_address(lan: Lan) -> None:
    ready(lan)
    server = Dnsmasq(lan)
    vlanlink.up(topology())
    before, asked = address(lan)["local"], server.count("DHCPDISCOVER(")
    waiting, talking = processes(keeper().pid)
    os.kill(waiting, 9)
    until(lambda: not Path(f"/proc/{talking}/fd/0").exists(), "its child ends with it")
    found = vlanlink.status("office")
    assert found.state == "drifted"
    assert "keeper" in str(found.plan)
    assert address(lan)["local"] == before
    vlanlink.up(topology())
    assert keeper().pid != waiting
    assert vlanlink.status("office").state == "up"
    assert address(lan)["local"] == before
    assert server.count("DHCPDISCOVER(") == asked


def test_watch_starts_a_killed_keeper_at_once(lan: Lan) -> None:
    ready(lan)
    Dnsmasq(lan)
    Path("/run/office.toml").write_text(text("web"))
    watch = Process(lan.world, "/run/office.toml --json")
    watch.told("up")
    before, had = keeper(), address(lan)["local"]
    os.kill(before.pid, signal.SIGKILL)
    watch.told("drift")
    until(lambda: vlanlink.status("office").state == "up", "another one renews")
    assert keeper().pid != before.pid
    assert address(lan)["local"] == had
    watch.ends(signal.SIGTERM)
    assert keeper().pid  # everything stays up, the leases too


def test_in_its_unit_the_keeper_is_part_of_it(
    lan: Lan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ready(lan)
    Dnsmasq(lan)
    program = tmp_path / "systemd-run"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/notify")
    monkeypatch.setattr("vlanlink.reconcile.keeper_process.systemd_runs_here", lambda _: True)
    group = tmp_path / "cgroup"
    group.write_text("0::/system.slice/system-vlanlink.slice/vlanlink@office.service\n")
    own = f"/proc/{os.getpid()}/cgroup"
    lan.world.run(["mount", "--bind", str(group), own])
    try:
        vlanlink.up(topology())
    finally:
        lan.world.unmount(own)
    environment = Path(f"/proc/{keeper().pid}/environ").read_bytes()
    assert b"NOTIFY_SOCKET" not in environment
    assert vlanlink.status("office").state == "up"
    vlanlink.down("office")


def test_the_keeper_renews_after_the_link_was_down(lan: Lan) -> None:
    ready(lan)
    server = Dnsmasq(lan)
    vlanlink.up(topology())
    asked = server.count("DHCPACK(")
    lan.world.ip("link set eth0 down", "web")
    lan.world.ip("link set eth0 up", "web")
    until(lambda: server.count("DHCPACK(") > asked, "the server is asked again")
    until(lambda: "default" in lan.world.ip("route", "web"), "the default route is back")
    again = server.count("DHCPACK(")
    lan.world.ip("link set eth0 down", "web")
    lan.world.ip("link set eth0 up", "web")
    until(lambda: server.count("DHCPACK(") > again, "and it is not deaf")


def test_an_address_that_somebody_removes_is_back_with_its_route(lan: Lan) -> None:
    ready(lan)
    server = Dnsmasq(lan)
    vlanlink.up(topology())
    had, asked = lan.world.addresses("eth0", "web"), server.count("DHCPDISCOVER(")
    for _ in range(2):  # a flush looks again, and removes what was set again at once
        lan.world.ip("addr flush dev eth0", "web")
        until(lambda: lan.world.addresses("eth0", "web") == had, "the keeper set it again")
        until(lambda: "default" in lan.world.ip("route", "web"), "the default route is back")
    until(lambda: vlanlink.status("office").state == "up", "all is well")
    assert server.count("DHCPDISCOVER(") == asked


def test_an_edit_from_dhcp_to_static_ends_the_keeper_first(lan: Lan) -> None:
    ready(lan)
    Dnsmasq(lan)
    vlanlink.up(topology())
    index = lan.world.link("eth0", "web")["ifindex"]
    static = topology(dhcp="false", interface='addresses = ["192.168.77.9/24"]')
    vlanlink.up(static)
    assert lan.world.addresses("eth0", "web") == ["192.168.77.9/24"]
    assert lan.world.link("eth0", "web")["ifindex"] == index
    assert not list(Path("/run/vlanlink").glob("*.keeper"))
    assert vlanlink.status("office").state == "up"


def test_a_namespace_that_is_deleted_is_let_go(lan: Lan) -> None:
    ready(lan)
    Dnsmasq(lan)
    vlanlink.up(topology("web", "db"))
    lan.world.ip("netns del db")
    vlanlink.up(topology("web", "db"))
    assert vlanlink.status("office").state == "up"


def test_up_of_what_is_up_leaves_the_keeper_alone(lan: Lan) -> None:
    ready(lan)
    Dnsmasq(lan)
    vlanlink.up(topology())
    before = keeper()
    assert not vlanlink.up(topology())
    assert keeper() == before


def test_a_link_that_is_missing_needs_another_keeper(lan: Lan) -> None:
    ready(lan)
    Dnsmasq(lan)
    vlanlink.up(topology("web", "db"))
    lan.world.ip("link del eth0", "db")
    assert "keeps other leases" in str(vlanlink.status("office").plan)
    vlanlink.up(topology("web", "db"))
    assert vlanlink.status("office").state == "up"


def test_attachments_write_their_addresses_and_leave_the_keeper_alone(lan: Lan) -> None:
    ready(lan)
    Dnsmasq(lan)
    vlanlink.up(topology())
    before = keeper()
    pid = start_container(lan.world)
    found = vlanlink.attach("office/pub", pid=pid, id="c1", addresses=["192.168.77.9/24"])
    assert found.addresses == ("192.168.77.9/24",)
    assert keeper() == before
    assert vlanlink.status("office").state == "up"


def test_an_attachment_gets_its_address_by_dhcp_and_the_keeper_renews_it(
    lan: Lan, host: vlanlink.Host
) -> None:
    ready(lan)
    # T1 after three seconds
    server = Dnsmasq(lan, "--dhcp-option=6,192.168.77.53", "--dhcp-option-force=58,3")
    vlanlink.up(topology(), host)
    pid = start_container(lan.world)
    found = vlanlink.attach("office/pub", host, pid=pid, id="c1")
    assert found.mac
    assert found.addresses == (f"{server.given()[found.mac]}/24",)
    assert (found.gateways, found.dns) == ((SERVER,), ("192.168.77.53",))
    assert found.addresses[0] in inside(lan.world, pid, "ip -4 -br addr show eth0")
    assert f"default via {SERVER}" in inside(lan.world, pid, "ip route")
    inside(lan.world, pid, f"ping -n -c1 -W5 {SERVER}")
    assert vlanlink.status("office", host).state == "up"
    assert not vlanlink.up(topology(), host).changes
    assert sorted(os.listdir(host.etc_netns_directory)) == ["web"]
    assert vlanlink.attachments(host=host) == (found,)
    assert vlanlink.attach("office/pub", host, pid=pid, id="c1") == found
    ends = {one.namespace: one for one in vlanlink.inspect("pub", host).endpoints}
    assert ends["c1"].by_dhcp == found.addresses
    leases = {one.namespace: one for one in vlanlink.leases(host=host)}
    assert (leases["c1"].network, leases["c1"].attached, leases["c1"].in_use) == ("pub", True, True)
    acknowledged = f"DHCPACK(eth0) {leases['c1'].address}"
    asked = server.count(acknowledged)
    until(lambda: server.count(acknowledged) > asked, "its lease is renewed")
    other = ["nsenter", f"--net=/proc/{pid}/ns/net", "sleep", "1000"]
    place = f"/proc/{lan.world.start(other).pid}/ns/net"
    until(lambda: os.path.samefile(place, f"/proc/{pid}/ns/net"), "another process is inside")
    end(lan.world, pid)
    asked = server.count(acknowledged)
    until(lambda: server.count(acknowledged) > asked, "it is renewed where a process is left")
    vlanlink.restart("office", host=host)
    (again,) = vlanlink.attachments(host=host)
    assert (again.live, again.addresses, again.dns) == (True, found.addresses, found.dns)
    vlanlink.down("office", host, forget=True)
    until(lambda: server.count("DHCPRELEASE") == 2, "the server has both back")


def test_the_end_of_an_attachment_by_dhcp_is_no_drift_and_its_id_keeps_the_address(
    lan: Lan,
) -> None:
    ready(lan)
    server = Dnsmasq(lan)
    vlanlink.up(topology(more="shim = true"))
    pid = start_container(lan.world)
    found = vlanlink.attach("office/pub", pid=pid, id="c1")
    lan.world.reaches("", found.addresses[0].partition("/")[0])
    end(lan.world, pid)
    told = vlanlink.status("office")
    assert told.state == "up", str(told.plan)
    assert not told.problems
    assert [(one.id, one.live) for one in vlanlink.attachments()] == [("c1", False)]
    again = vlanlink.attach("office/pub", pid=start_container(lan.world), id="c1")
    assert (again.addresses, again.mac) == (found.addresses, found.mac)
    assert vlanlink.status("office").state == "up"
    again.detach()
    assert vlanlink.attachments() == ()
    assert [one.namespace for one in vlanlink.leases()] == ["web"]
    told = vlanlink.status("office")
    assert told.state == "up", str(told.plan)
    assert server.count("DHCPNAK(") == 0


def alone(dhcp: str) -> vlanlink.Topology:
    """A network without endpoints in the file."""
    network = NETWORK.format(dhcp=dhcp, more="")
    return vlanlink.load("/run/office.toml", text=f'[topology]\nname = "office"\n{network}')


def test_a_network_of_attachments_alone_has_a_keeper_while_one_is_live(lan: Lan) -> None:
    ready(lan)
    Dnsmasq(lan)
    office = alone("true")
    vlanlink.up(office)
    pids = [start_container(lan.world) for _ in range(2)]
    found = [vlanlink.attach("office/pub", pid=pid, id=f"c{pid}") for pid in pids]
    assert len({one.addresses for one in found}) == 2
    os.kill(keeper().pid, signal.SIGKILL)
    until(lambda: vlanlink.status("office").state == "drifted", "nobody renews")
    vlanlink.up(office)
    assert vlanlink.status("office").state == "up"
    found[0].detach()
    assert keeper().pid
    end(lan.world, pids[1])
    file = Path("/run/vlanlink")
    until(lambda: not any(map(keeper_file.find, file.glob("*.keeper"))), "the keeper ends")
    assert vlanlink.status("office").state == "up"
    vlanlink.down("office")


def test_a_watch_attaches_a_container_by_dhcp_again(
    lan: Lan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(lan)
    Dnsmasq(lan)
    podman = fake_podman(tmp_path, monkeypatch)
    Path("/run/office.toml").write_text(text("web"))
    watch = Process(lan.world, "/run/office.toml --json")
    watch.told("up")
    first, second = start_container(lan.world), start_container(lan.world)
    podman(first)
    before = vlanlink.attach("office/pub", container="db")
    podman(0)
    end(lan.world, first)
    watch.told("ended")
    podman(second)
    watch.told("attached")
    (after,) = vlanlink.attachments()
    assert (after.addresses, after.mac, after.live) == (before.addresses, before.mac, True)
    assert after.addresses[0] in inside(lan.world, second, "ip -4 -br addr show eth0")
    assert vlanlink.status("office").state == "up"
    assert [watch.count(word) for word in ("drift", "failed", "blocked")] == [0, 0, 0]
    watch.ends(signal.SIGTERM)


def test_an_attachment_that_was_killed_while_it_waits_is_mended(lan: Lan) -> None:
    ready(lan)
    vlanlink.up(alone("{ timeout = 60 }"))
    pid = start_container(lan.world)
    attach = lan.world.start([VLANLINK, "attach", "office/pub", f"--pid={pid}", "--id=c1"])
    until(lambda: "eth0" in inside(lan.world, pid, "ip -br link"), "it asks")
    attach.kill()
    attach.wait()
    assert vlanlink.status("office").state == "drifted"
    server = Dnsmasq(lan)
    vlanlink.up(alone("{ timeout = 60 }"))
    (found,) = vlanlink.attachments()
    assert found.mac
    assert found.addresses == (f"{server.given()[found.mac]}/24",)
    assert vlanlink.status("office").state == "up"
    assert keeper().pid


def test_an_attachment_without_a_server_is_undone(lan: Lan) -> None:
    ready(lan)
    server = Dnsmasq(lan)
    vlanlink.up(topology())
    server.stop()
    vlanlink.up(topology(dhcp="{ timeout = 5 }"))  # of what comes from now on
    pid = start_container(lan.world)
    with pytest.raises(vlanlink.ConflictError) as caught:
        vlanlink.attach("office/pub", pid=pid, id="c1")
    (found,) = caught.value.diagnostics
    assert found.message == "c1/eth0: no address by DHCP on eth0 in 5 s: 0 offers"
    assert "eth0" not in inside(lan.world, pid, "ip -br link")
    assert vlanlink.attachments() == ()
    assert [one.namespace for one in vlanlink.leases()] == ["web"]
    assert keeper().pid
    assert vlanlink.status("office").state == "up"


SYSTEMD_RUN = """#!/bin/sh
echo "$@" >/run/systemd-run.words
while [ "$1" != -- ]; do shift; done
shift
setsid "$@" >/run/unit.log 2>&1 &
while ! grep -q ready /run/unit.log; do sleep 0.05; done
"""


def test_with_systemd_the_keeper_is_a_unit(
    lan: Lan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ready(lan)
    Dnsmasq(lan)
    program = tmp_path / "systemd-run"
    program.write_text(SYSTEMD_RUN)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("vlanlink.reconcile.keeper_process.systemd_runs_here", lambda _: True)
    vlanlink.up(topology())
    words = Path("/run/systemd-run.words").read_text()
    assert "--unit=vlanlink-dhcp-office" in words
    assert "--property=Type=notify" in words
    assert vlanlink.status("office").state == "up"
    vlanlink.down("office")


# -- what a server says ----------------------------------------------------------------------------


@pytest.fixture
def host(tmp_path: Path) -> vlanlink.Host:
    """The machine, with a directory of its own for the files of namespaces."""
    return vlanlink.Host(etc_netns_directory=tmp_path / "netns")


def test_routes_names_and_mtu_are_the_servers(lan: Lan, host: vlanlink.Host) -> None:
    ready(lan)
    Dnsmasq(
        lan,
        "--dhcp-option=121,10.0.0.0/8,192.168.77.9,0.0.0.0/0,192.168.77.8",
        "--dhcp-option=3,192.168.77.7",
        "--dhcp-option=6,192.168.77.2,192.168.77.3",
        "--dhcp-option=119,office.example,lab.example",
        "--dhcp-option-force=26,1400",
    )
    vlanlink.up(topology(dhcp="{ metric = 50 }"), host)
    routes = {r["dst"]: r for r in lan.world.json("-4 route", "web")}
    assert routes["10.0.0.0/8"]["gateway"] == "192.168.77.9"
    assert (routes["default"]["gateway"], routes["default"]["metric"]) == ("192.168.77.8", 50)
    assert lan.world.link("eth0", "web")["mtu"] == 1400
    resolver = (host.etc_netns_directory / "web/resolv.conf").read_text().splitlines()
    assert "search office.example lab.example" in resolver
    assert [line for line in resolver if line.startswith("nameserver")] == [
        "nameserver 192.168.77.2",
        "nameserver 192.168.77.3",
    ]
    assert vlanlink.status("office", host).state == "up"
    vlanlink.down("office", host)
    assert not (host.etc_netns_directory / "web").exists()


def test_what_the_file_says_or_refuses_counts_more(lan: Lan, host: vlanlink.Host) -> None:
    ready(lan)
    Dnsmasq(lan, "--dhcp-option=6,192.168.77.2", "--dhcp-option-force=26,1400")
    how = "{ use_routes = false, use_dns = false }"
    vlanlink.up(topology(dhcp=how, more="mtu = 1450"), host)
    assert "default" not in lan.world.ip("-4 route", "web")
    assert lan.world.link("eth0", "web")["mtu"] == 1450
    assert not (host.etc_netns_directory / "web/resolv.conf").exists()


@pytest.mark.parametrize(
    ("lie", "told"),
    [
        ("mask", "unusable): its netmask is 00000000"),
        ("server", "unusable): it names no server"),
        ("time", "unusable): it has no lease time"),
        ("nak", "NAK"),
        ("foreign", "offer"),
        ("garbage", "0 offers"),
    ],
)
def test_a_server_that_lies_gives_no_address(lan: Lan, lie: str, told: str) -> None:
    ready(lan)
    Liar(lan, 60, lie)
    timeout = 1 if lie == "garbage" else 3  # the others are heard in that time
    with pytest.raises(vlanlink.ConflictError) as caught:
        vlanlink.up(topology(dhcp=f"{{ timeout = {timeout} }}"))
    assert told in caught.value.diagnostics[0].message
    assert "web" not in lan.world.namespaces()


def test_nothing_but_names_gets_into_resolv_conf(lan: Lan, host: vlanlink.Host) -> None:
    ready(lan)
    Liar(lan, 60, "names")
    vlanlink.up(topology(), host)
    resolver = (host.etc_netns_directory / "web/resolv.conf").read_text()
    assert "nameserver 192.0.2.53" in resolver
    assert "6.6.6.6" not in resolver.replace("search x nameserver 6.6.6.6", "")


# -- a lease that ends -----------------------------------------------------------------------------


def test_a_lease_that_nobody_renews_is_lost_and_comes_back(lan: Lan) -> None:
    ready(lan)
    server = Liar(lan, 3)
    vlanlink.up(topology())
    server.says("silent")
    until(lambda: not lan.world.addresses("eth0", "web"), "the address goes with the lease")
    until(lambda: "no answer since" in drift(), "status says since when")
    assert vlanlink.plan(topology()).changes[0].name == "dhcp"
    server.says("answer")
    until(lambda: lan.world.addresses("eth0", "web"), "the keeper got it back")
    until(lambda: vlanlink.status("office").state == "up", "and its route")


def drift() -> str:
    """The reasons that the plan has."""
    operations = vlanlink.status("office").plan.operations
    return " ".join(str(getattr(op, "since", "")) for op in operations)


def test_a_refused_renewal_takes_the_address_at_once(lan: Lan) -> None:
    ready(lan)
    server = Liar(lan, 4)
    vlanlink.up(topology())
    server.says("nak")
    until(lambda: not lan.world.addresses("eth0", "web"), "the address is gone")
    server.says("answer")
    until(lambda: lan.world.addresses("eth0", "web"), "and comes back")


def test_short_leases_are_renewed_by_kea(lan: Lan, long_run: bool) -> None:
    need_kea()
    ready(lan)
    Kea(lan, 8)
    spaces = [f"n{number}" for number in range(20)]
    vlanlink.up(topology(*spaces))
    for space in spaces:
        lan.world.start(["sh", "-c", f"exec ip -4 monitor address >/run/{space}.events"], space)
    first = {space: address(lan, space)["local"] for space in spaces}
    # Half a lease from one renewal to the next: 30 minutes.
    times, seconds = (450, 2400.0) if long_run else (3, 60.0)
    until(lambda: min(map(renewals, spaces)) >= times, "all are renewed", seconds, 1.0)
    assert {space: address(lan, space)["local"] for space in spaces} == first
    assert vlanlink.status("office").state == "up"


def renewals(space: str) -> int:
    """How often an address was set again; none has gone."""
    events = Path(f"/run/{space}.events").read_text()
    assert "Deleted" not in events, events
    return events.count(" inet ")


def test_watch_tells_of_a_lost_lease_and_leaves_it_to_the_keeper(lan: Lan) -> None:
    ready(lan)
    server = Liar(lan, 3)
    Path("/run/office.toml").write_text(text("web"))
    watch = Process(lan.world, "/run/office.toml --json")
    watch.told("up")
    server.says("silent")
    watch.told("drift")
    until(lambda: "no answer since" in drift(), "status says since when")
    before = keeper()
    lan.world.ip("link set eth0 mtu 1400", "web")  # other drift is mended meanwhile
    until(lambda: lan.world.link("eth0", "web")["mtu"] == 1500, "the MTU is back")
    assert keeper() == before
    assert not lan.world.addresses("eth0", "web")
    server.says("answer")
    until(lambda: lan.world.addresses("eth0", "web"), "the keeper got it back")
    until(lambda: vlanlink.status("office").state == "up", "all is well")
    assert watch.count("failed") == 0
    watch.ends(signal.SIGTERM)  # it would start another keeper when the test's is ended


@pytest.mark.parametrize(
    ("says", "state"),
    [
        ("answer", "renewing"),  # and bound from then on
        ("silent", "renewing"),
        ("silent", "rebinding"),
        ("silent", "selecting"),
        ("offers", "requesting"),
        ("nak", "refused"),  # INIT: it waits before it begins again
        ("silent", "rebooting"),
    ],
)
def test_a_keeper_killed_in_any_state_leaves_its_address_to_the_next(
    lan: Lan, says: str, state: str
) -> None:
    ready(lan)
    server = Liar(lan, 4)
    vlanlink.up(topology())
    # A lease of 4 s may have ended while the keeper started: it gets another one.
    had = until(lambda: lan.world.addresses("eth0", "web"), "it has an address")
    before = keeper()
    server.says(says)
    if state == "rebooting":  # it asks about its lease when the carrier is back
        lan.world.ip("link set eth0 down", "web")
        lan.world.ip("link set eth0 up", "web")
    server.hears(state)
    _, talking = processes(before.pid)
    os.kill(before.pid, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{talking}/fd/0").exists(), "its child ends with it")
    server.says("answer")
    assert "keeper" in str(vlanlink.status("office").plan)
    vlanlink.up(topology())
    assert keeper().pid != before.pid
    # Its lease may have ended meanwhile: then the next keeper asks for the same address.
    until(lambda: lan.world.addresses("eth0", "web") == had, "the same address is back")
    until(lambda: vlanlink.status("office").state == "up", "all is well")


# -- the example -----------------------------------------------------------------------------------


def test_s22_endpoints_of_the_lan_and_the_host_reach_each_other(lan: Lan) -> None:
    lan.world.ip("addr add 192.168.77.5/24 dev eth0")
    ready(lan)
    Dnsmasq(lan)
    vlanlink.up(example("22-dhcp"))
    for space in ("web", "db"):
        (found,) = lan.world.addresses("eth0", space)
        lan.world.run(f"ping -c1 -W5 {found.partition('/')[0]}")
        lan.world.run("ping -c1 -W5 192.168.77.5", space)
    assert vlanlink.verify("leased").ok
    assert vlanlink.status("leased").state == "up"
