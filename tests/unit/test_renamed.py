"""Records of links that are called otherwise now, where one has the name that another had."""

import pytest

from vlanlink.desired.renamed import records_of_now
from vlanlink.model import HOST, Link, Namespace, State
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
