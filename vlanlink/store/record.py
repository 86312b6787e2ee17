"""Records: how things that vlanlink did not make were before, which no mark in the kernel can hold.

There is one record for each active topology. It is written before the first change of a run, and
read when the topology changes or goes down. A record may be lost: then what is marked still goes,
and changes of what is not marked are reported as not restored.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from vlanlink.dataclass import dataclass, field, replace
from vlanlink.store import fields
from vlanlink.store.documents import VERSION, UnreadableError
from vlanlink.sysctl import is_network_key


@dataclass(frozen=True, slots=True)
class OriginalSysctl:
    """A sysctl's value ``before`` vlanlink wrote it (None: unknown), and the value ``written``.

    While it is changing it may also have one of the ``earlier`` written values.
    """

    before: str | None
    written: str
    earlier: tuple[str, ...] = ()

    def is_ours(self, value: str | None) -> bool:
        """Whether vlanlink wrote the value."""
        return value == self.written or value in self.earlier


@dataclass(frozen=True, slots=True)
class OriginalLink:
    """A parent as it was before the first ``up``."""

    up: bool | None
    """None: unknown, the record of that time is lost."""
    vlans: Mapping[int, bool] = field(default_factory=dict)
    """Of a VLAN-aware bridge: the VLANs in use, and whether they were open to the host."""
    index: int = field(default=0, compare=False)
    """Its ifindex, which stays when it is renamed; 0: unknown."""
    formerly: str = field(default="", compare=False)
    """Its name in the record, if it is called otherwise now; not kept."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        vlans = {str(vlan): was_open for vlan, was_open in self.vlans.items()}
        index = {"index": self.index} if self.index else {}
        return {"up": self.up, **({"vlans": vlans} if vlans else {}), **index}


@dataclass(frozen=True, slots=True)
class RecordedLink:
    """A link as it was made. Its name, group and alias are left to whoever is in its namespace."""

    index: int
    kind: str
    mac: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A namespace with something of a topology's in it."""

    identity: int
    """A number that no other namespace has until the next boot."""
    made: bool = False
    """The topology made the namespace itself."""
    links: Mapping[str, RecordedLink] = field(default_factory=dict)

    def row(self) -> list[object]:
        """Plain JSON."""
        links = [[name, one.index, one.kind, one.mac] for name, one in self.links.items()]
        return [self.identity, self.made, links]


@dataclass(frozen=True, slots=True)
class Record:
    """An active topology, or one about to become active."""

    topology: str
    file: str | None = None
    text: str = ""
    """The topology as written, for ``status NAME``."""
    namespaces: tuple[str, ...] = ()
    """Namespaces that the topology may have made."""
    uses: tuple[str, ...] = ()
    """Every namespace that the file names, but for those it gives by pid or path."""
    stands_on: tuple[str, ...] = ()
    """Links of the host that some topology made and that links of this one are on.

    Those of attachments are in namespaces that other topologies don't look at.
    """
    paths: Mapping[str, str] = field(default_factory=dict)
    """Paths of the namespaces without a name in the netns directory."""
    sysctls: Mapping[str, Mapping[str, OriginalSysctl]] = field(default_factory=dict)
    """By namespace and path."""
    parents: Mapping[str, OriginalLink] = field(default_factory=dict)
    """The host's links that the topology stands on and that vlanlink did not make."""
    routes: tuple[tuple[str, str], ...] = ()
    """Routes on foreign links: (namespace, the route as `ip route` writes it)."""
    reserved: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By parent, the gateways and aux addresses of its networks: bare address and network."""
    files: tuple[tuple[str, str], ...] = ()
    """Files in /etc/netns that the topology may have written: (namespace, name)."""
    boot: str = ""
    """The boot (random(4), boot_id) that ``places`` are true for."""
    places: Mapping[str, Place] = field(default_factory=dict)
    """By namespace, what the topology has in namespaces other than the host's."""
    changing: bool = False
    """A run that is not over, or was killed: ``places`` may lack what it made."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "version": VERSION,
            "topology": self.topology,
            "file": self.file,
            "text": self.text,
            "namespaces": list(self.namespaces),
            "uses": list(self.uses),
            "stands_on": list(self.stands_on),
            "paths": dict(self.paths),
            "sysctls": {
                namespace: {k: [o.before, o.written, *o.earlier] for k, o in originals.items()}
                for namespace, originals in self.sysctls.items()
            },
            "parents": {name: parent.to_dict() for name, parent in self.parents.items()},
            "routes": [list(route) for route in self.routes],
            "reserved": {parent: dict(found) for parent, found in self.reserved.items()},
            "files": [list(key) for key in self.files],
            "boot": self.boot,
            "places": {name: place.row() for name, place in self.places.items()},
            "changing": self.changing,
        }

    @classmethod
    def from_dict(cls, data: object) -> "Record":
        """The record of a JSON value. Raises UnreadableError."""
        table = fields.document(data, VERSION)
        record = cls(
            topology=table.take("topology", fields.topology_name),
            file=table.take("file", fields.text_or_none),
            text=table.take("text", fields.text),
            namespaces=table.take("namespaces", fields.many(fields.file_name)),
            uses=_names(table, "uses"),
            stands_on=_names(table, "stands_on"),
            paths=table.take("paths", fields.mapping(fields.namespace, fields.full_path)),
            sysctls=table.take("sysctls", _SYSCTLS),
            parents=table.take("parents", fields.mapping(fields.text, _parent)),
            routes=table.take("routes", fields.many(_route)),
            reserved=table.take("reserved", _RESERVED),
            files=table.take("files", fields.many(_file)),
            boot=table.take("boot", fields.text),
            places=table.take("places", fields.mapping(fields.text, _place)),
            changing=table.take("changing", fields.flag),
        )
        table.close()
        return record


def _names(table: fields.Table, key: str) -> tuple[str, ...]:
    """Names under a key that the first records lack."""
    return table.take(key, fields.many(fields.file_name)) if table.has(key) else ()


def _sysctl_key(value: object, where: str) -> str:
    """Vlanlink writes the keys of a record as root: they pass the rule for those of a file."""
    key = fields.text(value, where)
    if not is_network_key(key):
        raise UnreadableError(f"{where} has {key[:80]!r}, which is not a network sysctl")
    return key


def _sysctl(value: object, where: str) -> OriginalSysctl:
    values = fields.array(value, where)
    if len(values) < 2:
        raise UnreadableError(f"{where} lacks a value")
    before = fields.text_or_none(values[0], where)
    written = [fields.text(one, where) for one in values[1:]]
    if not all(one.isprintable() for one in (before or "", *written)):
        raise UnreadableError(f"{where} has a value that no sysctl can have")
    return OriginalSysctl(before, written[0], tuple(written[1:]))


def _parent(value: object, where: str) -> OriginalLink:
    table = fields.Table(value, where)
    up = table.take("up", fields.flag_or_none)
    vlans = table.take("vlans", _VLANS) if table.has("vlans") else {}
    link = OriginalLink(up, vlans, table.take("index", fields.whole) if table.has("index") else 0)
    table.close()
    return link


def _place(value: object, where: str) -> Place:
    identity, made, links = fields.array(value, where, 3)
    found = dict(_recorded_link(one, where) for one in fields.array(links, where))
    return Place(fields.whole(identity, where), fields.flag(made, where), found)


def _recorded_link(value: object, where: str) -> tuple[str, RecordedLink]:
    name, index, kind, mac = fields.array(value, where, 4)
    link = RecordedLink(
        fields.whole(index, where), fields.text(kind, where), fields.text_or_none(mac, where)
    )
    return fields.text(name, where), link


def _route(value: object, where: str) -> tuple[str, str]:
    space, route = fields.array(value, where, 2)
    return fields.namespace(space, where), fields.text(route, where)


def _file(value: object, where: str) -> tuple[str, str]:
    space, name = fields.array(value, where, 2)
    return fields.file_name(space, where), fields.file_name(name, where)


_VLANS: Final = fields.mapping(fields.vlan_id, fields.flag)
_RESERVED: Final = fields.mapping(fields.file_name, fields.mapping(fields.address, fields.text))
_SYSCTLS: Final = fields.mapping(fields.namespace, fields.mapping(_sysctl_key, _sysctl))


def former_name(name: str, path: str) -> str:
    """What a namespace is called that the topology has elsewhere now: ``web (/proc/12/ns/net)``."""
    return f"{name} ({path})"


def former_paths(
    before: Mapping[str, str], now: Mapping[str, str], names: Collection[str]
) -> dict[str, str]:
    """The namespaces of ``before`` by their names of today.

    ``names`` are those that the topology has now, ``now`` where those are that it gives by path.
    """
    moved = {name for name, path in before.items() if name in names and now.get(name) != path}
    return {
        former_name(name, path) if name in moved else name: path for name, path in before.items()
    }


def in_transition(before: Record | None, after: Record) -> Record:
    """The record between the first change and the last: everything from both records.

    A run that is killed in between has made some of the changes, and nobody knows which.
    """
    if before is None:
        return after
    return replace(
        after,
        namespaces=tuple(dict.fromkeys((*after.namespaces, *before.namespaces))),
        uses=tuple(dict.fromkeys((*after.uses, *before.uses))),
        stands_on=tuple(dict.fromkeys((*after.stands_on, *before.stands_on))),
        paths={**former_paths(before.paths, after.paths, after.paths.keys()), **after.paths},
        sysctls={
            space: _sysctls_in_transition(
                before.sysctls.get(space, {}), after.sysctls.get(space, {})
            )
            for space in dict.fromkeys((*after.sysctls, *before.sysctls))
        },
        parents={
            **before.parents,
            **after.parents,
            **_parents_in_transition(before, after),
        },
        routes=tuple(dict.fromkeys((*after.routes, *before.routes))),
        files=tuple(dict.fromkeys((*after.files, *before.files))),
        places={**before.places, **after.places},
    )


def _parents_in_transition(before: Record, after: Record) -> dict[str, OriginalLink]:
    """Parents of both, with the VLANs of both."""
    return {
        name: replace(after.parents[name], vlans={**old.vlans, **after.parents[name].vlans})
        for name, old in before.parents.items()
        if name in after.parents
    }


def _sysctls_in_transition(
    before: Mapping[str, OriginalSysctl], after: Mapping[str, OriginalSysctl]
) -> dict[str, OriginalSysctl]:
    found = {**before, **after}
    for key in before.keys() & after.keys():
        old, new = before[key], after[key]
        values = dict.fromkeys((old.written, *old.earlier))
        values.pop(new.written, None)
        found[key] = replace(new, earlier=tuple(values))
    return found


@dataclass(frozen=True, slots=True)
class Records:
    """The records of a host: the topology's own one, and the others'."""

    own: Record | None = None
    others: tuple[Record, ...] = ()
    unreadable: str | None = None
    """Why the own record can't be read."""

    @classmethod
    def of(
        cls, topology: str, records: Iterable[Record], unreadable: Mapping[str, str] | None = None
    ) -> "Records":
        """Split the records into own and others. ``unreadable``: by topology, why not."""
        every = list(records)
        own = next((record for record in every if record.topology == topology), None)
        others = tuple(record for record in every if record.topology != topology)
        return cls(own, others, None if own else (unreadable or {}).get(topology))

    def every(self) -> tuple[Record, ...]:
        """All records, the own one first."""
        return (*([self.own] if self.own else ()), *self.others)

    def sysctl(self, namespace: str, key: str) -> OriginalSysctl | None:
        """A sysctl's original value: the own record's, else another topology's."""
        for record in self.every():
            original = record.sysctls.get(namespace, {}).get(key)
            if original is not None:
                return original
        return None

    def parent(self, name: str) -> OriginalLink | None:
        """A parent as the oldest record that names it has it."""
        return next((r.parents[name] for r in self.every() if name in r.parents), None)

    def held_by(self, namespace: str, key: str) -> Record | None:
        """Another topology that wrote the sysctl."""
        return next((r for r in self.others if key in r.sysctls.get(namespace, {})), None)
