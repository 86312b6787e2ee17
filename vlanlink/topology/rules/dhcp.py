"""Where an address by DHCP is possible."""

from collections.abc import Iterator

from vlanlink.errors import Path, Problem
from vlanlink.host import HOST
from vlanlink.kinds import KINDS
from vlanlink.topology.model import InterfaceConfig
from vlanlink.topology.problems import quote
from vlanlink.topology.rules.index import Place, RuleIndex
from vlanlink.topology.values import DHCP


def _asking(index: RuleIndex) -> Iterator[tuple[Path, Place]]:
    """The links that ask for an address, and where the file says so."""
    for place in (*index.places, *index.shims):
        if not index.touched(*place.path, "addresses") and index.by_dhcp(place):
            yield _where(index, place), place


def _where(index: RuleIndex, place: Place) -> Path:
    for at, word in enumerate(place.entry.addresses or ()):
        if word == DHCP:
            return (*place.path, "addresses", at)
    if index.wrote(*place.path, "dhcp"):
        return (*place.path, "dhcp")
    return ("networks", str(place.network), "dhcp")


def dhcp_place(index: RuleIndex) -> Iterator[Problem]:
    """Interfaces of namespaces ask by DHCP; the host has clients of its own."""
    for path, place in _asking(index):
        if place.namespace == HOST or not isinstance(place.entry, InterfaceConfig):
            message = f"{place.label} can't get an address by DHCP: only interfaces can"
            hint = "list its addresses, or make it an interface: [namespaces.NAME.interfaces.LINK]"
            yield Problem(path, message, hint)


def dhcp_routed(index: RuleIndex) -> Iterator[Problem]:
    """A link without broadcasts hears no server; said once for a network."""
    seen: set[Path] = set()
    for path, place in _asking(index):
        kind, options = place.kind, place.options
        network = index.network_of(place)
        if network is not None and not index.chosen(
            ("networks", str(place.network)), KINDS[network.kind]
        ):
            continue
        if kind is None or not kind.layer3(options) or path in seen:
            continue
        seen.add(path)
        mode = kind.get(options, "mode")
        message = f"{kind.name} {mode} has no broadcasts, so DHCP can't work"
        yield Problem(path, message, 'list addresses, or use mode = "l2"')


def dhcp_down(index: RuleIndex) -> Iterator[Problem]:
    """A link that is down asks nobody."""
    for path, place in _asking(index):
        if not place.entry.up:
            message = f"{place.label} is down (up = false), so it can't ask for an address"
            yield Problem(path, message, "remove one of the two", related=(*place.path, "up"))


def dhcp_twice(index: RuleIndex) -> Iterator[Problem]:
    """A link has one lease."""
    for place in index.places:
        words = [at for at, word in enumerate(place.entry.addresses or ()) if word == DHCP]
        for at in words[1:]:
            first = (*place.path, "addresses", words[0])
            message = f"{place.label} lists {quote(DHCP)} twice"
            hint = "remove one: an interface has one lease"
            yield Problem((*place.path, "addresses", at), message, hint, related=first)


def dhcp_contradiction(index: RuleIndex) -> Iterator[Problem]:
    """``dhcp`` and ``addresses`` of an interface agree."""
    for place in index.places:
        entry = place.entry
        if not isinstance(entry, InterfaceConfig) or entry.addresses is None or entry.dhcp is None:
            continue
        if index.touched(*place.path, "addresses") or (entry.dhcp is False) is (
            DHCP not in entry.addresses
        ):
            continue
        path = (*place.path, "dhcp")
        if entry.dhcp is False:
            message = f"{place.label} lists {quote(DHCP)} and has dhcp = false"
            yield Problem(path, message, "remove one of the two", related=(*path[:-1], "addresses"))
        else:
            message = f"{place.label} has a dhcp key, and addresses without {quote(DHCP)}"
            hint = f"add {quote(DHCP)} to its addresses, or remove dhcp"
            yield Problem(path, message, hint, related=(*path[:-1], "addresses"))
