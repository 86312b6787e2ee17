"""L2 segments: which links share one, and whether they receive each other's frames there. Pure.

A segment is what a device without a parent, or a VLAN of it, connects to. macvlan and ipvlan links
are members of their parent's segment and share the parent's port there. The two ends of a veth pair
are the two ports of a segment of their own.
"""

from collections.abc import Collection, Hashable
from enum import StrEnum

from vlanlink.dataclass import dataclass
from vlanlink.kinds import KINDS
from vlanlink.kinds.kind import Kind
from vlanlink.model import Link, LinkName, State

Segment = tuple[Hashable, ...]


class Block(StrEnum):
    """What keeps two members apart."""

    NONE = ""
    APART = "the mode keeps its links apart"
    SWITCH = "only a switch that reflects frames joins them"
    HIDDEN = "a parent does not receive its links' frames"
    FILTERED = "the MAC is not on the list"


@dataclass(frozen=True, slots=True)
class Adjacency:
    """Whether two members of a segment receive each other's frames, and why (not)."""

    joined: bool
    block: Block
    reason: str


class Segments:
    """The segments of a State. ``hairpin``: the links whose switch reflects frames."""

    def __init__(self, state: State, hairpin: Collection[LinkName] = ()) -> None:
        self._state = state
        self._hairpin = hairpin
        self._segments: dict[LinkName, Segment] = {}

    def of(self, link: Link) -> Segment:
        """The segment of a link."""
        if link.key not in self._segments:
            on = self._state.link(link.parent) if _kind(link).rx_handler else None
            self._segments[link.key] = self._behind(on or link)
        return self._segments[link.key]

    def _behind(self, device: Link) -> Segment:
        kind = _kind(device)
        if kind.has_peer and device.peer is not None:
            return ("pair", frozenset((device.key, device.peer)))
        if kind.has_parent and not kind.rx_handler:
            below = self._state.link(device.parent)
            if below is not None:
                tag = tuple(str(kind.get(device.settings, key)) for key in ("protocol", "id"))
                return ("vlan", *tag, self._behind(below))
        return ("own", device.key)

    def is_open(self, segment: Segment) -> bool:
        """Whether a host outside the State may be on the segment."""
        match segment:
            case ("pair", frozenset() as ends):
                return any(self._is_port(end) for end in ends)
            case ("vlan", _, _, tuple() as below):
                return self.is_open(below)
            case ("own", LinkName() as key):
                return self._is_port(key) or self._continues(key)
        return True

    def _is_port(self, key: LinkName) -> bool:
        """Whether the device leads to something that the State does not show."""
        device = self._state.link(key)
        return device is None or device.master is not None

    def _continues(self, key: LinkName) -> bool:
        device = self._state.link(key)
        if device is None:
            return True
        kind = _kind(device)
        if kind.rx_handler and device.parent is not None:
            return self.is_open(self.of(device))
        return not kind.isolated

    def adjacency(self, one: Link, other: Link) -> Adjacency:
        """Whether two members of one segment receive each other's frames."""
        if _port(one) != _port(other):
            return _across(one, other)
        children = [link for link in (one, other) if _port(link) != link.key]
        traffic = {_kind(link).sibling_traffic(link.settings) for link in children}
        words = " and ".join(sorted({_words(link) for link in children}))
        if "hairpin" in traffic and "none" not in traffic:
            return self._through_switch(one, other, words)
        if len(children) < 2:
            return Adjacency(False, Block.HIDDEN, f"{words} keeps its links from {_port(one).name}")
        if "none" in traffic:
            return Adjacency(False, Block.APART, f"{words} keeps its links apart")
        return Adjacency(True, Block.NONE, f"{words} joins its links")

    def _through_switch(self, one: Link, other: Link, words: str) -> Adjacency:
        hairpin = one.key in self._hairpin or other.key in self._hairpin
        if hairpin and self.is_open(self.of(one)):
            return Adjacency(True, Block.SWITCH, f"{words}, and the switch reflects (hairpin)")
        return Adjacency(False, Block.SWITCH, f"{words}, and no switch reflects (hairpin)")


def _across(one: Link, other: Link) -> Adjacency:
    for receiver, sender in ((one, other), (other, one)):
        mac = sender.settings.get("mac")
        if isinstance(mac, str) and not _kind(receiver).accepts_source(receiver.settings, mac):
            return Adjacency(False, Block.FILTERED, f"{receiver.key} does not list {mac}")
    return Adjacency(True, Block.NONE, "on one segment")


_PLAIN = Kind(name="", module="")


def _kind(link: Link) -> Kind:
    return KINDS.get(link.kind, _PLAIN)


def _port(link: Link) -> LinkName:
    """The link's underlying physical device."""
    below = link.parent if _kind(link).rx_handler else None
    return below or link.key


def _words(link: Link) -> str:
    """``macvlan private``, ``ipvlan l2``, ``ipvlan l2 vepa``."""
    own = [option for option in _kind(link).options if option.always]
    chosen = [str(_kind(link).get(link.settings, option.key)) for option in own]
    if len(chosen) > 1 and chosen[1] == "bridge":
        chosen = chosen[:1]
    return " ".join((link.kind, *chosen))
