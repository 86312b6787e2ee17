"""The topology and network that an attachment is about."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from vlanlink.dataclass import dataclass
from vlanlink.desired.dhcp import MOST_SERVERS
from vlanlink.errors import ConflictError, Diagnostic, UsageError, nearest
from vlanlink.host import boot_id, is_topology_name, since_boot
from vlanlink.kernel.snapshot import Wanted
from vlanlink.model import LinkName
from vlanlink.reconcile.attached import is_lease_of
from vlanlink.reconcile.checks import refuse_untrusted
from vlanlink.reconcile.lookup import copy_of, is_enabled, unknown
from vlanlink.reconcile.session import Session, kernel_errors
from vlanlink.store.attached import AttachmentKey, AttachmentLease, AttachmentRecord
from vlanlink.store.dhcp_leases import DhcpLeases, Endpoint
from vlanlink.store.evidence import Evidence
from vlanlink.store.files import Contents
from vlanlink.store.leases import Leases
from vlanlink.store.record import Record
from vlanlink.topology import DhcpConfig, Topology


@dataclass(frozen=True, slots=True)
class Place:
    """A topology, and what is on disk of it and of the others."""

    name: str
    network: str
    contents: Contents
    leases: Leases
    other_leases: dict[str, Leases]

    @property
    def own(self) -> Record | None:
        """The topology's record; None if it is down."""
        return self.contents.of(self.name).own


def find_place(session: Session, word: str) -> Place:
    """What TOPOLOGY/NETWORK names. Raises UsageError."""
    name, slash, network = word.partition("/")
    if not slash or not is_topology_name(name) or not network:
        hint = "vlanlink ls lists the networks that are up"
        raise UsageError(Diagnostic(f"{word} is not TOPOLOGY/NETWORK", hint=hint))
    contents = session.store.contents(attachments=False)
    refuse_untrusted(contents, name)
    every = session.store.every_lease()
    if name not in {*every, *contents.topologies} and not is_enabled(session, name):
        raise UsageError(unknown(name, sorted({*every, *contents.topologies})))
    own = every.pop(name, Leases())
    return Place(name, network, contents, own, every)


def need_up(place: Place) -> tuple[Record, Topology]:
    """The topology's record and text. Raises ConflictError if it is down, UsageError."""
    own = place.own
    if own is None or not own.text:
        message = f"topology {place.name} is not up"
        raise ConflictError(Diagnostic(message, hint="vlanlink up FILE first"))
    topology = copy_of(own)
    need_network(topology, place.network)
    return own, topology


def need_network(topology: Topology, network: str) -> None:
    """Raise UsageError if the topology has no such network."""
    if network in topology.networks:
        return
    meant = nearest(network, list(topology.networks))
    known = f"its networks: {', '.join(topology.networks) or 'none'}"
    hint = f"did you mean {topology.name}/{meant}?" if meant else known
    message = f"topology {topology.name} has no network {network}"
    raise UsageError(Diagnostic(message, hint=hint))


def learnt_dns(
    session: Session, topology: Topology, network: str, key: Endpoint
) -> tuple[str, ...]:
    """The name servers of an attachment's DHCP lease."""
    lease = session.store.dhcp_leases(topology.name).valid(boot_id(), since_boot()).get(key)
    config = topology.networks[network].dhcp if network in topology.networks else False
    if lease is None or (isinstance(config, DhcpConfig) and config.use_dns is False):
        return ()
    return lease.dns[:MOST_SERVERS]


def leased_before(
    known: DhcpLeases, key: AttachmentKey, *kept: AttachmentLease | AttachmentRecord | None
) -> frozenset[str]:
    """The bare addresses that DHCP servers gave an id, by the interfaces that it has had."""
    held = (known.held.get((key[1], one.interface)) for one in kept if one)
    return frozenset(lease.bare for lease in held if lease)


def was_live(place: Place, key: AttachmentKey) -> bool:
    """Whether an id was attached, as far as its lease tells: nobody saw its namespace end."""
    lease = place.leases.attachments.get(key)
    return lease is not None and lease.ended is None


def lost_place(session: Session, place: Place, key: AttachmentKey) -> str | None:
    """Where the namespace is of an attachment whose record is lost: its link is in there."""
    lease = place.leases.attachments.get(key)
    if lease is None or not was_live(place, key):
        return None
    evidence = session.evidence(place.contents, place.name)
    session.machine.wanted = Wanted(
        topologies=(place.name,), whole=frozenset(), links=None, strangers=True, evidence=evidence
    )
    with kernel_errors():
        state = session.machine.snapshot()
    for one in state.strays:
        if one.owner == place.name and is_lease_of(lease, one):
            return one.path
    return None


def _keys(place: Place, names: Iterable[str]) -> Iterator[AttachmentKey]:
    """The network and id of every lease of these ids."""
    wanted = set(names)
    return (key for key in place.leases.attachments if key[1] in wanted)


def links_by_dhcp(known: DhcpLeases, name: str, interfaces: Iterable[str]) -> frozenset[LinkName]:
    """The links of an id that a keeper may ask for."""
    found = (LinkName(name, interface) for interface in interfaces)
    return frozenset(link for link in found if tuple(link) in known.endpoints)


def partial(
    session: Session,
    place: Place,
    paths: Mapping[str, str],
    attached: Collection[AttachmentRecord],
) -> Wanted:
    """The host's namespace and those at ``paths``, by id; ``attached`` are the records of these.

    Of an id whose record is lost, marks tell the link.
    """
    known = {one.key for one in attached}
    lost = any(was_live(place, key) and key not in known for key in _keys(place, paths))
    doubtful = {place.name} if lost else ()
    evidence = Evidence.of(place.contents.records, session.machine.boot, doubtful, attached)
    return Wanted(
        paths, topologies=(place.name,), whole=frozenset(paths), evidence=evidence, only=True
    )
