"""``doctor``'s remedies, run as printed: the finding is gone, and ``verify`` is green."""

from dataclasses import dataclass

import pytest

import vlanlink
from tests.kernel.lan import Lan
from tests.kernel.verified import verified
from tests.kernel.wire import ready

pytestmark = pytest.mark.needs("macvlan")

HOST = ("172.16.87.5/24", "2001:db8:87::5/64")
TOPOLOGY = """
[topology]
name = "mended"
[networks.pub]
kind = "macvlan"
parent = "eth0"
shim = true
subnets = [
    { subnet = "172.16.87.0/24", gateway = "172.16.87.1", ip_range = "172.16.87.64/28" },
    { subnet = "2001:db8:87::/64" },
]
[namespaces.one.interfaces.eth0]
network = "pub"
addresses = ["172.16.87.65", "2001:db8:87::65"]
"""
SECOND = """
[networks.other]
kind = "macvlan"
parent = "nic.x"
shim = true
subnets = [{ subnet = "172.16.87.0/24", gateway = "172.16.87.1", ip_range = "172.16.87.80/28" }]
[namespaces.two.interfaces.eth0]
network = "other"
addresses = ["172.16.87.81"]
"""
L2 = TOPOLOGY.replace('"macvlan"', '"ipvlan"')
VEPA = TOPOLOGY.replace('"macvlan"', '"macvlan"\nmode = "vepa"\nhairpin = true')


@dataclass(frozen=True)
class Fault:
    """Something on the machine, and the finding that it leads to."""

    code: str
    commands: tuple[str, ...] = ()
    text: str = TOPOLOGY
    second_nic: bool = False
    general: bool = False
    """It is a warning without a file only."""


def sysctl(*settings: str) -> str:
    return "sysctl -qw " + " ".join(f"net.ipv4.conf.{setting}" for setting in settings)


FAULTS = {
    "arp-flux": Fault("arp-flux", text=TOPOLOGY + SECOND, second_nic=True),
    "rp-filter": Fault(
        "rp-filter", (sysctl("all.rp_filter=1"),), TOPOLOGY + SECOND, second_nic=True
    ),
    "arp-ignore": Fault("arp-ignore", (sysctl("eth0.arp_ignore=8"),)),
    "arp-ignore-of-all": Fault("arp-ignore", (sysctl("all.arp_ignore=8"),)),
    "shim-arp-ignore": Fault("warned", (sysctl("all.arp_ignore=2"),)),
    "shim-rp-filter-l2": Fault("warned", (sysctl("all.rp_filter=1"),), L2),
    "shim-rp-filter-vepa": Fault("warned", (sysctl("eth0.rp_filter=1"),), VEPA),
    "promiscuous": Fault("promiscuous", ("ip link set eth0 promisc on",)),
    "mtu-small": Fault("mtu-small", ("ip link set eth0 mtu 1200",)),
    "parent-down": Fault("parent-down", ("ip link set eth0 down",), general=True),
}
L2_FAULT = pytest.param(
    "shim-rp-filter-l2", marks=pytest.mark.needs("ipvlan"), id="shim-rp-filter-l2"
)


def prepared(lan: Lan, fault: Fault) -> vlanlink.Topology:
    """The LAN, with what the topology needs and without the fault."""
    if fault.second_nic:
        lan.trunk("nic.x", mac="02:00:00:00:00:bb")
        lan.world.ip("addr add 172.16.87.6/24 dev nic.x")
    for key in ("arp_ignore", "rp_filter"):
        lan.world.run(sysctl(f"all.{key}=0", f"eth0.{key}=0"))
    give_addresses(lan)
    lan.hairpin(on="hairpin" in fault.text)
    lan.router("172.16.87.1/24")
    ready(lan)
    return vlanlink.load("/run/mended.toml", text=fault.text)


def give_addresses(lan: Lan) -> None:
    for address in HOST:
        lan.world.run(f"ip addr replace {address} dev eth0 {'nodad' if ':' in address else ''}")


def mended(lan: Lan, fault: Fault, topology: vlanlink.Topology) -> None:
    """The fault is made, found, and mended as printed."""
    for command in fault.commands:
        lan.world.run(command)
    wanted = None if fault.general else topology
    found = [one for one in vlanlink.doctor(wanted).findings if one.code == fault.code]
    assert found
    for one in found:
        lan.world.run(str(one.command))
    assert fault.code not in {one.code for one in vlanlink.doctor(wanted).findings}
    if "mtu" in fault.code or fault.general:  # the kernel took what the parent had
        give_addresses(lan)
        lan.world.ip("route replace 172.16.87.0/24 dev eth0")


@pytest.mark.parametrize("name", [*(f for f in FAULTS if "l2" not in f), L2_FAULT])
def test_before_up(lan: Lan, name: str) -> None:
    topology = prepared(lan, FAULTS[name])
    if FAULTS[name].general:
        vlanlink.up(topology)
    mended(lan, FAULTS[name], topology)
    vlanlink.up(topology)
    assert verified(topology)


@pytest.mark.parametrize("name", [*(f for f in FAULTS if "l2" not in f), L2_FAULT])
def test_while_it_is_up(lan: Lan, name: str) -> None:
    topology = prepared(lan, FAULTS[name])
    vlanlink.up(topology)
    mended(lan, FAULTS[name], topology)
    if vlanlink.status(topology).state == "drifted":  # an MTU took addresses away
        vlanlink.up(topology)
    assert verified(topology)


def test_verify_names_arp_ignore_as_the_cause(lan: Lan) -> None:
    topology = prepared(lan, FAULTS["shim-arp-ignore"])
    vlanlink.up(topology)
    assert verified(topology)
    lan.world.run(sysctl("all.arp_ignore=1"))
    lan.world.ip("neigh flush all", "one")
    found = vlanlink.verify(topology)
    assert {check.cause for check in found.differences} == {"arp_ignore"}
    name = next(link for link in lan.world.names() if link.startswith("sh-"))
    fact = f"arp_ignore is 1 on {name}, so it does not answer for 172.16.87.5"
    assert all(fact in check.facts for check in found.differences)
