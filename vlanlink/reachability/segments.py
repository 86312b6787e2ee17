"""Which links are on one wire, and whether they hear each other there. Pure.

A wire is where a link's frames go: behind a device that has no parent, or a VLAN of it. Links that
receive in their parent's place (macvlan, ipvlan) are on the wire behind the parent, all at the
parent's one port; the two ends of a pair are the two ports of a wire of their own.
"""

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from enum import StrEnum

from vlanlink.kinds import KINDS
from vlanlink.kinds.kind import Kind
from vlanlink.model import LOOPBACK, Link, LinkName, State

Wire = tuple[Hashable, ...]


class Block(StrEnum):
    """What stands between two stations."""

    NONE = ""
    APART = "the mode keeps its links apart"
    SWITCH = "only a switch that sends frames back joins them"
    HIDDEN = "a parent does not hear the links on it"
    FILTERED = "the MAC is not on the list"


@dataclass(frozen=True, slots=True)
class Adjacency:
    """Whether two links on one wire hear each other, and why (not)."""

    heard: bool
    barrier: Block
    reason: str


class Segments:
    """The wires of a State; ``hairpin`` are the links whose switch sends frames back."""

    def __init__(self, state: State, hairpin: Collection[LinkName] = ()) -> None:
        self._state = state
        self._hairpin = hairpin
        self._wires: dict[LinkName, Wire] = {}
        self._stations: dict[Wire, list[Link]] = {}
        for link in state.links():
            if link.name != LOOPBACK and link.master is None:
                self._stations.setdefault(self.of(link), []).append(link)

    def of(self, link: Link) -> Wire:
        """The wire that the link's frames go to."""
        if link.key not in self._wires:
            on = self._state.link(link.parent) if _kind(link).rx_handler else None
            self._wires[link.key] = self._behind(on or link)
        return self._wires[link.key]

    def _behind(self, device: Link) -> Wire:
        kind = _kind(device)
        if kind.has_peer and device.peer is not None:
            return ("pair", frozenset((device.key, device.peer)))
        if kind.has_parent and not kind.rx_handler:
            below = self._state.link(device.parent)
            if below is not None:
                tag = tuple(str(kind.get(device.settings, key)) for key in ("protocol", "id"))
                return ("vlan", *tag, self._behind(below))
        return ("own", device.key)

    def is_open(self, wire: Wire) -> bool:
        """Whether somebody outside the State may be on it."""
        match wire:
            case ("pair", frozenset() as ends):
                return any(self._is_port(end) for end in ends)
            case ("vlan", _, _, tuple() as below):
                return self.is_open(below)
            case ("own", LinkName() as key):
                return self._is_port(key) or self._leads_on(key)
        return True

    def _is_port(self, key: LinkName) -> bool:
        """Whether what comes by it goes on where the State does not show it."""
        device = self._state.link(key)
        return device is None or device.master is not None

    def _leads_on(self, key: LinkName) -> bool:
        device = self._state.link(key)
        if device is None:
            return True
        kind = _kind(device)
        if kind.rx_handler and device.parent is not None:
            return self.is_open(self.of(device))
        return not kind.isolated

    def stations(self, wire: Wire) -> list[Link]:
        """The links on a wire."""
        return self._stations.get(wire, [])

    def meet(self, one: Link, other: Link) -> Adjacency:
        """Whether two links of one wire hear each other."""
        if _port(one) != _port(other):
            return _across(one, other)
        on_it = [link for link in (one, other) if _port(link) != link.key]
        ways = {_kind(link).sibling_traffic(link.settings) for link in on_it}
        words = " and ".join(sorted({_words(link) for link in on_it}))
        if "hairpin" in ways and "none" not in ways:
            return self._by_the_switch(one, other, words)
        if len(on_it) < 2:
            return Adjacency(False, Block.HIDDEN, f"{words} hides {_port(one).name}")
        if "none" in ways:
            return Adjacency(False, Block.APART, f"{words} keeps its links apart")
        return Adjacency(True, Block.NONE, f"{words} joins its links")

    def _by_the_switch(self, one: Link, other: Link, words: str) -> Adjacency:
        hairpin = one.key in self._hairpin or other.key in self._hairpin
        if hairpin and self.is_open(self.of(one)):
            return Adjacency(True, Block.SWITCH, f"{words}, and the switch sends back (hairpin)")
        return Adjacency(False, Block.SWITCH, f"{words}, and no switch sends back (hairpin)")


def _across(one: Link, other: Link) -> Adjacency:
    for hearer, speaker in ((one, other), (other, one)):
        mac = speaker.settings.get("mac")
        if isinstance(mac, str) and not _kind(hearer).accepts_source(hearer.settings, mac):
            return Adjacency(False, Block.FILTERED, f"{hearer.key} does not list {mac}")
    return Adjacency(True, Block.NONE, "on one wire")


_PLAIN = Kind(name="", module="")


def _kind(link: Link) -> Kind:
    return KINDS.get(link.kind, _PLAIN)


def _port(link: Link) -> LinkName:
    """The device by which a link is on its wire."""
    below = link.parent if _kind(link).rx_handler else None
    return below or link.key


def _words(link: Link) -> str:
    """``macvlan private``, ``ipvlan l2``, ``ipvlan l2 vepa``."""
    own = [option for option in _kind(link).options if option.always]
    chosen = [str(_kind(link).get(link.settings, option.key)) for option in own]
    if len(chosen) > 1 and chosen[1] == "bridge":
        chosen = chosen[:1]
    return " ".join((link.kind, *chosen))
