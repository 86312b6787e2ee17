"""Random attachments to two topologies: see attach_sequences.py. ``--long`` tries many."""

import random

import pytest

from tests.kernel.attach_sequences import Script, Step, script, stays_as_written
from tests.kernel.edit_topologies import Hand, Table
from tests.kernel.features import missing

pytestmark = pytest.mark.needs("macvlan", "veth")

LONG = 200
FOUR, SIX, OTHER_SIX = ("10.70.0.30",), ("2001:db8:0::130",), ("2001:db8:0::131",)


def file(*addresses: str, ranges: bool = False) -> Table:
    """One network with a shim, and an endpoint with ``addresses``, if any."""
    found: Table = {
        "topology": {"name": "t0"},
        "networks": {
            "a": {
                "kind": "macvlan",
                "parent": "eth0",
                "probe": False,
                "shim": True,
                "subnets": [{"subnet": "10.70.0.0/24"}, {"subnet": "2001:db8:0::/64"}],
            }
        },
        "namespaces": {},
    }
    if ranges:
        four, six = found["networks"]["a"]["subnets"]
        four["ip_range"], six["ip_range"] = "10.70.0.0/26", "2001:db8:0::100/120"
    if addresses:
        interface = {"network": "a", "addresses": [*addresses]}
        found["namespaces"]["web"] = {"interfaces": {"eth0": interface}}
    return found


def step(verb: str, box: int, *addresses: str) -> Step:
    return Step(verb, 0, "a", box, addresses)


CASES = {
    "the last of IPv6 is detached": (
        file("10.70.0.15"),
        (step("attach", 0, *SIX), step("detach", 0)),
    ),
    "the last of IPv4 is detached": (
        file("2001:db8:0::15"),
        (step("attach", 0, *FOUR), step("detach", 0)),
    ),
    "an id loses its IPv6": (
        file("10.70.0.99", ranges=True),
        (step("attach", 0), step("attach", 0, *FOUR), step("detach", 0)),
    ),
    "an address that its range begins with": (
        file("10.70.0.99", "2001:db8:0::2:1", ranges=True),
        (step("attach", 0), step("attach", 1), step("detach", 0)),
    ),
    "the last of IPv6 ends": (
        file(),
        (step("attach", 0, *FOUR), step("attach", 1, *OTHER_SIX), step("end", 1)),
    ),
    "all end": (file(ranges=True), (step("attach", 0), step("end", 0))),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_shim_no_longer_needs(case: str) -> None:
    written, steps = CASES[case]
    stays_as_written(Script((written,), steps))


def test_any_order(long_run: bool) -> None:
    kinds = ("macvlan", *(kind for kind in ("ipvlan",) if not missing([kind])))
    for seed in range(LONG if long_run else 3):
        diced = script(Hand(random.Random(seed).randint, kinds), 14 if long_run else 7)
        try:
            stays_as_written(diced)
        except Exception as error:
            error.add_note(f"seed {seed}:\n{diced}")
            raise
