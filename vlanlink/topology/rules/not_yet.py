"""What the format has and this version can't do yet. A row goes when its feature comes."""

from collections.abc import Iterator, Mapping
from typing import Final

from vlanlink.errors import Path, Problem
from vlanlink.topology import values
from vlanlink.topology.rules.index import Place, Rule, RuleIndex


def _later(path: Path, what: str, until_then: str, *, at_key: bool = True) -> Problem:
    message = f"{what} comes with a later version of vlanlink"
    return Problem(path, message, f"until then, {until_then}", at_key=at_key)


def address_dhcp(facts: RuleIndex) -> Iterator[Problem]:
    """The word that asks a DHCP server."""
    for path, _, word in _entries(facts):
        if word == values.DHCP:
            yield _later(path, '"dhcp"', "write an address", at_key=False)


def _entries(facts: RuleIndex) -> Iterator[tuple[Path, Place, str]]:
    for place in (*facts.places, *facts.shims):
        for at, word in enumerate(place.entry.addresses or ()):
            yield (*place.path, "addresses", at), place, word


NOT_YET: Final[Mapping[str, Rule]] = {
    "not_yet_dhcp": address_dhcp,
}
