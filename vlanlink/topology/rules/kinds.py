"""What a link's kind requires: a parent, a peer, a MAC, options."""

from collections.abc import Iterator

from vlanlink.errors import Path, Problem
from vlanlink.kinds import KINDS, Kind
from vlanlink.kinds.kind import Options
from vlanlink.topology.model import LinkConfig
from vlanlink.topology.problems import one_of
from vlanlink.topology.rules.index import Place, RuleIndex


def _links(index: RuleIndex) -> Iterator[tuple[Place, LinkConfig]]:
    for place in index.places:
        if isinstance(place.entry, LinkConfig):
            yield place, place.entry


def _own(index: RuleIndex) -> Iterator[tuple[Place, LinkConfig, Kind]]:
    """The links that are not endpoints of a network."""
    for place, link in _links(index):
        if place.network is None and place.kind is not None:
            yield place, link, place.kind


def kind_missing(index: RuleIndex) -> Iterator[Problem]:
    """A link has a kind; an interface has a kind or a network."""
    for place, link in _links(index):
        if place.network is not None or link.kind is not None:
            continue
        if index.touched(*place.path, "kind") or index.touched(*place.path, "network"):
            continue
        if place.namespace:
            message, hint = (
                f"{place.label} has neither network nor kind",
                _one_of("network", "kind"),
            )
        else:
            message = f"{place.label} has no kind"
            existing = "a NIC that exists needs no table, name it as a parent"
            hint = f"add kind = … ({one_of(list(KINDS))}); {existing}"
        yield Problem(place.path, message, hint, at_key=True)


def _one_of(first: str, second: str) -> str:
    return f"add {first} = … or {second} = …"


def network_and_kind(index: RuleIndex) -> Iterator[Problem]:
    """The network decides an endpoint's kind."""
    for place, link in _links(index):
        if place.network is not None and link.kind is not None:
            message = f"{place.label} has both a network and a kind"
            hint = "remove kind (the network has one), or network for a standalone link"
            yield Problem((*place.path, "kind"), message, hint, at_key=True)


def of_the_network(index: RuleIndex) -> Iterator[Problem]:
    """The network decides an endpoint's parent too."""
    for place, link in _links(index):
        written = (
            ("parent", link.parent),
            ("peer", link.peer),
            ("probe", index.wrote(*place.path, "probe")),
            ("take_parent", link.take_parent),
        )
        for key, value in written:
            if place.network is not None and value:
                message = f"{place.label} is in a network, so it can't have its own {key}"
                hint = f"remove {key}, or write it under [networks.{place.network}]"
                yield Problem((*place.path, key), message, hint, at_key=True)


def parent_required(index: RuleIndex) -> Iterator[Problem]:
    """Some kinds need a parent."""
    for place, link, kind in _own(index):
        missing = kind.has_parent and link.parent is None
        if missing and not index.touched(*place.path, "parent"):
            message = f"{place.label} has no parent, but a {kind.name} needs one"
            hint = "add parent = …, the name of a link on the host"
            yield Problem(place.path, message, hint, at_key=True)


def parent_refused(index: RuleIndex) -> Iterator[Problem]:
    """Others can't have one."""
    for place, link, kind in _own(index):
        if link.parent is not None and not kind.has_parent:
            path = (*place.path, "parent")
            yield Problem(path, f"a {kind.name} has no parent", "remove parent", at_key=True)


def peer_required(index: RuleIndex) -> Iterator[Problem]:
    """A pair has a peer."""
    for place, link, kind in _own(index):
        if kind.has_peer and link.peer is None and not index.touched(*place.path, "peer"):
            message = f"{place.label} has no peer, but a {kind.name} is a pair"
            yield Problem(place.path, message, "add peer = { name = … }", at_key=True)


def peer_refused(index: RuleIndex) -> Iterator[Problem]:
    """Other kinds have none."""
    for place, link, kind in _own(index):
        if link.peer is not None and not kind.has_peer:
            path = (*place.path, "peer")
            yield Problem(path, f"a {kind.name} has no peer", "remove peer", at_key=True)


def kind_options(index: RuleIndex) -> Iterator[Problem]:
    """A kind's options fit together; the kind's own file says how."""
    for path, kind, options in _with_options(index):
        if not index.chosen(path, kind):
            continue
        for key, message, hint in kind.problems(options):
            yield Problem((*path, key), message, hint, at_key=True)


def _with_options(index: RuleIndex) -> Iterator[tuple[Path, Kind, Options]]:
    for name, network in index.topology.networks.items():
        yield ("networks", name), KINDS[network.kind], network.options
    for place, _, kind in _own(index):
        yield place.path, kind, place.options


def take_parent(index: RuleIndex) -> Iterator[Problem]:
    """Only an exclusive link takes the parent from the host."""
    for path, kind, options in _taking(index):
        if index.chosen(path, kind) and not kind.exclusive(options):
            message = "take_parent only applies to links that need their parent alone (passthru)"
            yield Problem((*path, "take_parent"), message, "remove it", at_key=True)


def _taking(index: RuleIndex) -> Iterator[tuple[Path, Kind, Options]]:
    for name, network in index.topology.networks.items():
        if network.take_parent:
            yield ("networks", name), KINDS[network.kind], network.options
    for place, link, kind in _own(index):
        if link.take_parent:
            yield place.path, kind, place.options


def mac_fixed(index: RuleIndex) -> Iterator[Problem]:
    """A link that always has its parent's MAC can't have another."""
    for place in index.places:
        if place.entry.mac is None or place.kind is None:
            continue
        if place.kind.mac(place.options) == "fixed":
            what = place.kind.name + _mode(place.options)
            message = f"{place.label} can't have its own MAC: {what} uses its parent's"
            yield Problem((*place.path, "mac"), message, "remove mac", at_key=True)


def _mode(options: Options) -> str:
    return f" {options['mode']}" if "mode" in options else ""


def mac_twice(index: RuleIndex) -> Iterator[Problem]:
    """MACs are unique, except where one link inherits it from another."""
    seen: dict[str, list[Place]] = {}
    for place in index.places:
        if place.entry.mac is None:
            continue
        others = seen.setdefault(place.entry.mac, [])
        clash = next((one for one in others if not _kin(one, place)), None)
        if clash is not None:
            yield Problem(
                (*place.path, "mac"),
                f"{place.label} has MAC {place.entry.mac}, which {clash.label} already has",
                "give one of them another MAC, or remove mac: one is derived",
                related=(*clash.path, "mac"),
            )
        others.append(place)


def _kin(one: Place, other: Place) -> bool:
    """Whether both may have one MAC: inherited from the other or from a third link."""
    inheriting = [place for place in (one, other) if _inherits(place)]
    if len(inheriting) == 2:
        return True
    return any(place.parent in (one.name, other.name) for place in inheriting)


def _inherits(place: Place) -> bool:
    return place.kind is not None and place.kind.mac(place.options) == "inherited"
