"""What the kind of a link asks of it: a parent, a peer, a MAC, its options."""

from collections.abc import Iterator

from vlanlink.errors import Path, Problem
from vlanlink.kinds import KINDS, Kind
from vlanlink.kinds.kind import Options
from vlanlink.topology.model import LinkConfig
from vlanlink.topology.problems import one_of
from vlanlink.topology.rules.index import Place, RuleIndex


def _links(facts: RuleIndex) -> Iterator[tuple[Place, LinkConfig]]:
    for place in facts.places:
        if isinstance(place.entry, LinkConfig):
            yield place, place.entry


def _own(facts: RuleIndex) -> Iterator[tuple[Place, LinkConfig, Kind]]:
    """The links that are no endpoints of a network."""
    for place, link in _links(facts):
        if place.network is None and place.kind is not None:
            yield place, link, place.kind


def kind_missing(facts: RuleIndex) -> Iterator[Problem]:
    """A link has a kind; an interface may have a network instead."""
    for place, link in _links(facts):
        if place.network is not None or link.kind is not None:
            continue
        if facts.touched(*place.path, "kind") or facts.touched(*place.path, "network"):
            continue
        if place.namespace:
            message, hint = (
                f"{place.label} has neither network nor kind",
                _one_of("network", "kind"),
            )
        else:
            message, hint = f"{place.label} has no kind", f"add kind = …: {one_of(list(KINDS))}"
        yield Problem(place.path, message, hint, at_key=True)


def _one_of(first: str, second: str) -> str:
    return f"add {first} = … or {second} = …"


def network_and_kind(facts: RuleIndex) -> Iterator[Problem]:
    """An endpoint's kind is its network's."""
    for place, link in _links(facts):
        if place.network is not None and link.kind is not None:
            message = f"{place.label} has both a network and a kind"
            hint = (
                "leave kind out (the network has one), or network, if it shall be a link by itself"
            )
            yield Problem((*place.path, "kind"), message, hint, at_key=True)


def of_the_network(facts: RuleIndex) -> Iterator[Problem]:
    """So is its parent; and it has no peer."""
    for place, link in _links(facts):
        written = (
            ("parent", link.parent),
            ("peer", link.peer),
            ("probe", facts.wrote(*place.path, "probe")),
            ("take_parent", link.take_parent),
        )
        for key, value in written:
            if place.network is not None and value:
                message = f"{place.label} is in a network, and can have no {key} of its own"
                hint = f"write it under [networks.{place.network}], or leave it out"
                yield Problem((*place.path, key), message, hint, at_key=True)


def parent_required(facts: RuleIndex) -> Iterator[Problem]:
    """Some kinds are nothing without a parent."""
    for place, link, kind in _own(facts):
        missing = kind.has_parent and link.parent is None
        if missing and not facts.touched(*place.path, "parent"):
            message = f"{place.label} has no parent, and a {kind.name} needs one"
            yield Problem(
                place.path, message, "add parent = … with a link of the host", at_key=True
            )


def parent_refused(facts: RuleIndex) -> Iterator[Problem]:
    """Others have none."""
    for place, link, kind in _own(facts):
        if link.parent is not None and not kind.has_parent:
            path = (*place.path, "parent")
            yield Problem(path, f"a {kind.name} has no parent", "leave parent out", at_key=True)


def peer_required(facts: RuleIndex) -> Iterator[Problem]:
    """A pair has two ends."""
    for place, link, kind in _own(facts):
        if kind.has_peer and link.peer is None and not facts.touched(*place.path, "peer"):
            message = f"{place.label} has no peer, and a {kind.name} is a pair"
            yield Problem(place.path, message, "add peer = { name = … }", at_key=True)


def peer_refused(facts: RuleIndex) -> Iterator[Problem]:
    """Others have one."""
    for place, link, kind in _own(facts):
        if link.peer is not None and not kind.has_peer:
            path = (*place.path, "peer")
            yield Problem(path, f"a {kind.name} has no peer", "leave peer out", at_key=True)


def kind_options(facts: RuleIndex) -> Iterator[Problem]:
    """What a kind's options must be to each other: its own file says so."""
    for path, kind, options in _with_options(facts):
        if not facts.chosen(path, kind):
            continue
        for key, message, hint in kind.problems(options):
            yield Problem((*path, key), message, hint, at_key=True)


def _with_options(facts: RuleIndex) -> Iterator[tuple[Path, Kind, Options]]:
    for name, network in facts.topology.networks.items():
        yield ("networks", name), KINDS[network.kind], network.options
    for place, _, kind in _own(facts):
        yield place.path, kind, place.options


def take_parent(facts: RuleIndex) -> Iterator[Problem]:
    """Only a link that suffers no other on its parent takes the parent from the host."""
    for path, kind, options in _taking(facts):
        if facts.chosen(path, kind) and not kind.exclusive(options):
            message = "take_parent is for links that have their parent to themselves (passthru)"
            yield Problem((*path, "take_parent"), message, "leave it out", at_key=True)


def _taking(facts: RuleIndex) -> Iterator[tuple[Path, Kind, Options]]:
    for name, network in facts.topology.networks.items():
        if network.take_parent:
            yield ("networks", name), KINDS[network.kind], network.options
    for place, link, kind in _own(facts):
        if link.take_parent:
            yield place.path, kind, place.options


def mac_fixed(facts: RuleIndex) -> Iterator[Problem]:
    """Where the MAC is the parent's always, none can be asked for."""
    for place in facts.places:
        if place.entry.mac is None or place.kind is None:
            continue
        if place.kind.mac(place.options) == "fixed":
            what = place.kind.name + _mode(place.options)
            message = f"{place.label} can have no MAC of its own: {what} has its parent's"
            yield Problem((*place.path, "mac"), message, "leave mac out", at_key=True)


def _mode(options: Options) -> str:
    return f" {options['mode']}" if "mode" in options else ""


def mac_twice(facts: RuleIndex) -> Iterator[Problem]:
    """No two links have one MAC, but for those that have it from each other."""
    seen: dict[str, list[Place]] = {}
    for place in facts.places:
        if place.entry.mac is None:
            continue
        others = seen.setdefault(place.entry.mac, [])
        clash = next((one for one in others if not _kin(one, place)), None)
        if clash is not None:
            yield Problem(
                (*place.path, "mac"),
                f"{place.label} has the MAC {place.entry.mac}, which {clash.label} has already",
                "give one of them another, or leave mac out: one is derived",
                related=(*clash.path, "mac"),
            )
        others.append(place)


def _kin(one: Place, other: Place) -> bool:
    """Whether both may show one MAC: it is inherited, from the other or from a third."""
    heirs = [place for place in (one, other) if _inherits(place)]
    if len(heirs) == 2:
        return True
    return any(place.parent in (one.name, other.name) for place in heirs)


def _inherits(place: Place) -> bool:
    return place.kind is not None and place.kind.mac(place.options) == "inherited"
