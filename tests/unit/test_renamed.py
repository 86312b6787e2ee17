"""Records and leases of links that have another name now, or a name that another link had."""

import pytest

from vlanlink.dataclass import replace
from vlanlink.desired.context import Context
from vlanlink.desired.renamed import records_of_now, with_names_of_now, with_nics
from vlanlink.model import HOST, Link, LinkName, Namespace, State
from vlanlink.store.leases import Leases
from vlanlink.store.record import OriginalLink, OriginalSysctl, Record, Records

RA = "net/ipv6/conf/{}/accept_ra"
PARENTS = {"eth0": OriginalLink(up=False, index=2), "eth1": OriginalLink(up=True, index=3)}
SYSCTLS = {RA.format("eth0"): OriginalSysctl("0", "2"), RA.format("eth1"): OriginalSysctl("1", "2")}


def observed(**links: int) -> State:
    found = {name: Link(name, "device", index=index) for name, index in links.items()}
    return State({HOST: Namespace(HOST, links=found)})


@pytest.mark.parametrize("names", [("eth0", "eth1"), ("eth1", "eth0")])
def test_whoever_has_the_name_now_counts(names: tuple[str, str]) -> None:
    record = Record(
        "office",
        parents={name: PARENTS[name] for name in names},
        sysctls={HOST: {RA.format(name): SYSCTLS[RA.format(name)] for name in names}},
    )
    own = records_of_now(Records(record), observed(eth1=2)).own
    assert own is not None
    assert own.parents == {"eth1": PARENTS["eth0"]}
    assert own.sysctls[HOST] == {RA.format("eth1"): SYSCTLS[RA.format("eth0")]}
    swapped = records_of_now(Records(record), observed(eth1=2, eth0=3)).own
    assert swapped is not None
    assert swapped.parents == {"eth1": PARENTS["eth0"], "eth0": PARENTS["eth1"]}


OLD, NEW = "52:54:00:00:00:01", "52:54:00:00:00:02"
LEASES = Leases({("pub", "web", "eth0"): ("192.0.2.5",)})


def nics(*vlans: Link, **macs: str) -> State:
    found = {name: Link(name, "device", nic_mac=mac) for name, mac in macs.items()}
    found |= {link.name: link for link in vlans}
    return State({HOST: Namespace(HOST, links=found)})


def vlan_of(below: str, name: str) -> Link:
    parent = LinkName(HOST, below)
    return Link(name, "vlan", settings={"id": 50, "protocol": "802.1q"}, parent=parent)


LAN50 = vlan_of("wan0", "lan50")


@pytest.mark.parametrize(
    ("parent", "now", "leased_on"),
    [
        ("eth0", nics(wan0=OLD), "wan0"),
        ("eth0", nics(eth0=NEW, eth1=OLD), "eth1"),  # the names have changed places
        ("eth0", nics(eth0=NEW), "eth0"),  # the NIC was replaced
        ("eth0", nics(wan0=OLD, wan1=OLD), "eth0"),  # which one is unknown
        ("eth0.50", nics(wan0=OLD), "wan0.50"),
        ("eth0.50", nics(vlan_of("wan0", "eth0.50"), wan0=OLD), "eth0.50"),
        ("eth0.50", nics(LAN50, wan0=OLD), "lan50"),
        ("eth0.50", nics(vlan_of("eth0", "eth0.50"), eth0=NEW, eth1=OLD), "eth1.50"),
        ("eth0.50.7", nics(wan0=OLD), "wan0.50.7"),
        ("eth0.50", nics(**{"an-odd-name-123": OLD}), "vl-6f8d7883"),
        ("br0", nics(wan0=OLD), "br0"),
    ],
)
def test_leases_follow_a_nic_by_its_mac(parent: str, now: State, leased_on: str) -> None:
    """As long as nobody is up on it: then no record knows its ifindex, as after a boot."""
    kept = with_nics(replace(LEASES, parents={"pub": parent}), nics(eth0=OLD, br0=""))
    kept = Leases.from_dict(kept.to_dict())
    context = with_names_of_now(Context(leases=kept, other_leases={"other": kept}), now)
    for leases in (context.leases, context.other_leases["other"]):
        assert leases.parents == {"pub": leased_on}
        assert dict(leases.on(leased_on)) == {"192.0.2.5": ("pub", "web", "eth0")}


def test_leases_on_a_vlan_by_any_name_keep_the_mac_of_its_nic() -> None:
    seen = nics(LAN50, wan0=OLD)
    assert with_nics(replace(LEASES, parents={"pub": "lan50"}), seen).nics == {"wan0": OLD}
