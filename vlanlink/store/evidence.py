"""Whose a thing inside a namespace is, by the records.

On the host the kernel's marks are the truth: who can change them there can do anything. Inside a
namespace its processes may write any mark. There a topology has what its record names, found by
numbers that they can't give: the namespace's identity, and the ifindex and kind of a link. The
marks inside count for topologies only whose record is lost, or was left in the middle of a run.
"""

from collections.abc import Collection, Iterable, Mapping

from vlanlink.dataclass import dataclass, field
from vlanlink.store.attached import AttachmentRecord
from vlanlink.store.record import Place, Record, RecordedLink


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the records of a host say about namespaces, in the present boot."""

    links: Mapping[tuple[int, int], tuple[str, RecordedLink]] = field(default_factory=dict)
    """By identity of the namespace and ifindex: the topology and its link."""
    makers: Mapping[int, str] = field(default_factory=dict)
    """By identity: the topology that made the namespace."""
    recorded: frozenset[int] = frozenset()
    """Namespaces that a record names."""
    whole: frozenset[str] = frozenset()
    """Topologies whose records name all that they have."""
    lost: frozenset[str] = frozenset()
    """Topologies that are known to lack such a record."""
    places: Mapping[str, int] = field(default_factory=dict)
    """By name: the identity of a namespace that a record names."""
    moved: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    """By topology, kind and MAC: the namespace that the record has such a link in."""

    @classmethod
    def of(
        cls,
        records: Iterable[Record],
        boot: str,
        lost: Collection[str] = (),
        attached: Iterable[AttachmentRecord] = (),
    ) -> "Evidence":
        """Read the records; those of another boot name nothing that is still there."""
        links: dict[tuple[int, int], tuple[str, RecordedLink]] = {}
        makers: dict[int, str] = {}
        moved: dict[tuple[str, str, str], int] = {}
        places: dict[str, int] = {}
        whole: set[str] = set()
        doubtful = set(lost)
        recorded: set[int] = set()
        for record in records:
            known = record.boot == boot and not record.changing and record.topology not in lost
            (whole if known else doubtful).add(record.topology)
            for name, place in record.places.items() if record.boot == boot else ():
                places[name] = place.identity
                recorded.add(place.identity)
                _add(record.topology, place, links, makers, moved)
        for one in attached:
            if one.boot != boot:
                continue
            recorded.add(one.cookie)
            if one.link is None:  # a run that was killed, or is not over
                doubtful.add(one.topology)
                whole.discard(one.topology)
            else:
                _add(one.topology, one.place, links, makers, moved)
        return cls(
            links,
            makers,
            frozenset(recorded),
            frozenset(whole),
            frozenset(doubtful),
            places,
            moved,
        )

    def owner(
        self, identity: int, index: int, kind: str, mac: object, marked: str | None
    ) -> str | None:
        """The owner of a link in a namespace; ``marked`` is what its mark says."""
        claim = self.links.get((identity, index))
        if claim and claim[1].kind == kind:
            return claim[0]
        if marked in self.whole and (marked, kind, mac) in self.moved:
            return marked  # it was made elsewhere, and moved here
        return marked if self.trusts(identity, marked) else None

    def maker(self, identity: int, marked: str | None) -> str | None:
        """The topology that made a namespace; ``marked`` is what the mark on its ``lo`` says."""
        maker = self.makers.get(identity)
        return maker or (marked if self.trusts(identity, marked) else None)

    def trusts(self, identity: int, marked: str | None) -> bool:
        """Whether a mark inside a namespace counts: no record says otherwise."""
        if marked in self.whole:
            return False
        return identity not in self.recorded or marked in self.lost


def _add(
    topology: str,
    place: Place,
    links: dict[tuple[int, int], tuple[str, RecordedLink]],
    makers: dict[int, str],
    moved: dict[tuple[str, str, str], int],
) -> None:
    if place.made:
        makers[place.identity] = topology
    for link in place.links.values():
        links[place.identity, link.index] = (topology, link)
        if link.mac is not None:
            moved[topology, link.kind, link.mac] = place.identity
