"""Which namespaces a verb has to look at.

A topology's own ones are known by its file and its record. Those of strangers are looked at only
where something there could matter: they may be thousands.
"""

from collections.abc import Callable, Collection, Iterator

from vlanlink.dataclass import replace
from vlanlink.desired.context import Context
from vlanlink.desired.lost_record import is_lost
from vlanlink.desired.namespaces import namespace_names, namespace_paths
from vlanlink.kernel.snapshot import Wanted
from vlanlink.kinds import KINDS, per_parent
from vlanlink.model import HOST, Link, LinkName, State
from vlanlink.planning.operations import MakeLink, Operation, RemoveLink, SetLink
from vlanlink.reconcile.observation import Observation
from vlanlink.store.evidence import Evidence
from vlanlink.store.files import Contents
from vlanlink.store.record import Record, Records, former_paths
from vlanlink.topology import Topology, empty

UnicastMacs = Callable[[Collection[int]], frozenset[str]]
"""Additional MACs that links of the host (by ifindex) listen to."""


def namespaces_of(record: Record) -> frozenset[str]:
    """The namespaces that a record names."""
    routed = (space for space, _ in record.routes)
    found = {*record.namespaces, *record.places, *record.paths, *record.sysctls, *routed}
    return frozenset(found - {HOST})


def wanted_namespaces(
    topology: Topology, records: Records, before: Topology | None, evidence: Evidence
) -> Wanted:
    """The topology's namespaces, now and before, whole; of other topologies' the links."""
    recorded, now = records.every(), namespace_paths(topology)
    was = records.own.paths if records.own else namespace_paths(before) if before else {}
    own = namespace_names(topology) | (namespaces_of(records.own) if records.own else set())
    return Wanted(
        paths={**now, **former_paths(was, now, namespace_names(topology))},
        topologies=tuple({topology.name, *(record.topology for record in recorded)}),
        names=frozenset(topology.namespaces) | {n for r in recorded for n in r.namespaces},
        whole=own | (namespace_names(before) if before else frozenset()),
        links=frozenset(name for record in records.others for name in namespaces_of(record)),
        evidence=evidence,
    )


def that_matter(observed: State, wanted: Wanted) -> Wanted:
    """What to read again: ours, and the namespaces with links of ours or on the host's."""
    names = {
        link.namespace
        for link in observed.links()
        if link.owner or (link.parent and link.parent.namespace == HOST)
    }
    strangers = any(observed.namespaces[name].stranger for name in names)
    return replace(wanted, links=frozenset(names - {HOST}), strangers=strangers)


def knows_little(topology: Topology, contents: Contents, context: Context) -> bool:
    """Whether the files can't say which namespaces are whose."""
    if contents.unreadable_records or context.lost:
        return True
    recorded = any(record.topology == topology.name for record in contents.records)
    return not recorded and topology == empty(topology.name)


def may_hide(seen: Observation, unicast_macs: UnicastMacs) -> bool:
    """Whether a namespace that was not looked at may have something that matters."""
    if seen.everywhere:
        return False
    observed, todo = seen.observed, seen.todo.operations
    if is_lost(seen.topology.name, observed, seen.records):
        return True
    if any(_needs_all(operation, observed) for operation in todo) or _misses_links(seen):
        return True
    parents = set(_parents(seen))
    if not parents:
        return False
    known = {link.settings.get("mac") for link in observed.links()}
    return not unicast_macs(parents) <= known


def _misses_links(seen: Observation) -> bool:
    """Whether links of the record are gone from their namespaces: somebody may have moved them."""
    own = seen.records.own
    places = own.places.items() if own else ()
    return any(
        seen.observed.link(LinkName(space, name)) is None
        for space, place in places
        for name in place.links
    )


def _parents(seen: Observation) -> Iterator[int]:
    """The topology's parents that are there and keep a list of their children's MACs."""
    here, own = seen.observed.host.links, seen.records.own
    wanted = {
        link.parent.name
        for link in seen.resolution.desired.links()
        if link.owner == seen.topology.name and _is_port(link.kind) and link.parent
    }
    recorded = own.parents if own else ()
    yield from (here[name].index for name in wanted.union(recorded) if name in here)


def _needs_all(operation: Operation, observed: State) -> bool:
    """Whether an operation may harm links of others that leave no trace on their parent."""
    match operation:
        case RemoveLink(namespace=space, kind=kind):
            return space == HOST and not _is_port(kind)
        case SetLink(namespace=space, kind=kind, new=new):
            return (new.get("up") is False and space == HOST) or not new.keys().isdisjoint(
                per_parent(kind)
            )
        case MakeLink(link=link):
            return _shares_silently(link, observed)
    return False


def _shares_silently(link: Link, observed: State) -> bool:
    """A link with its parent's MAC sets the mode of all on that parent, unless it is so already."""
    kind = KINDS[link.kind]
    if not _is_port(link.kind) or kind.mac(link.settings) != "fixed" or link.parent is None:
        return False
    siblings = list(observed.children(LinkName(*link.parent)))
    there = observed.link(link.parent) is not None
    return there and not any(one.owner and _of_one_mode(one, link) for one in siblings)


def _of_one_mode(one: Link, other: Link) -> bool:
    """Whether two links ask the same of the parent that they share."""
    keys = per_parent(one.kind)
    return one.kind == other.kind and all(
        one.settings.get(key) == other.settings.get(key) for key in keys
    )


def _is_port(kind: str) -> bool:
    return kind in KINDS and KINDS[kind].rx_handler is not None
