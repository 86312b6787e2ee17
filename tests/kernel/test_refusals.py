"""What the kernel refuses: what was tried, where in the file, what it said, and what to do."""

import pytest

import vlanlink
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.topologies import small

pytestmark = pytest.mark.needs("macvlan")


def load(name: str, host: int, more: str = "") -> vlanlink.Topology:
    text = small(name, **{name: f"172.16.86.{host}"}) + 'mac = "02:42:ac:10:56:0a"\n' + more
    return vlanlink.load(f"/run/{name}.toml", text=text)


def test_a_mac_in_use_names_who_has_it(lan: Lan) -> None:
    vlanlink.up(load("one", 10))
    before = dump(lan.world, "one")
    with pytest.raises(vlanlink.ConflictError) as caught:
        vlanlink.up(load("two", 11))
    said = str(caught.value)
    who = "namespace one has it on eth0 (topology one)"
    assert said.startswith(f"/run/two.toml:12:7: two/eth0 can't have MAC 02:42:ac:10:56:0a: {who}")
    same(lan.world, before, "one")


def test_a_route_that_the_kernel_refuses_has_its_line_and_the_kernels_words(lan: Lan) -> None:
    before = dump(lan.world)
    route = '[host]\nroutes = [{ to = "10.9.0.0/16", dev = "eth0", via = "198.51.100.1" }]\n'
    with pytest.raises(vlanlink.ApplyError) as caught:
        vlanlink.up(load("one", 10, route))
    said = str(caught.value)
    assert "/run/one.toml:14:11: can't add route 10.9.0.0/16 via 198.51.100.1" in said
    assert "Nexthop has invalid gateway (ENETUNREACH" in said
    same(lan.world, before)


def test_a_sysctl_that_the_kernel_writes_otherwise_is_told(lan: Lan) -> None:
    before = dump(lan.world)
    text = '[host]\nsysctls = { "net.ipv4.ip_local_reserved_ports" = "1,2,3" }\n'
    with pytest.raises(vlanlink.ApplyError, match="reads '1-3' after '1,2,3' was written"):
        vlanlink.up(load("one", 10, text))
    same(lan.world, before)


def test_ipv6_on_a_parent_whose_mtu_is_too_small(lan: Lan) -> None:
    """The kernel says EINVAL of the address; the hint is a command that mends it."""
    lan.world.ip("link set eth0 mtu 1200")
    text = small("one", subnet="2001:db8::/64", one="2001:db8::7")
    topology = vlanlink.load("/run/one.toml", text=text)
    with pytest.raises(vlanlink.ApplyError) as caught:
        vlanlink.up(topology)
    hint = str(caught.value.diagnostics[0].hint)
    assert hint.startswith("IPv6 needs an MTU of 1280, and eth0 has 1200: ")
    lan.world.run(hint.rpartition(": ")[2])
    assert vlanlink.up(topology).changes
