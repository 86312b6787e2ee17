"""What no mark in the kernel can hold: how things that vlanlink did not make were before.

One record for each topology that is up. It is written before the first change of a run and read
when the topology changes or goes. It may be lost: then what is marked still goes, and what was
changed on things that are not ours is listed as not put back.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class OriginalSysctl:
    """A sysctl as it was (``before``; None: nobody knows) and as we left it (``written``).

    While that changes it may also read as it did ``earlier``.
    """

    before: str | None
    written: str
    earlier: tuple[str, ...] = ()

    def is_ours(self, value: str | None) -> bool:
        """Whether it reads as we left it."""
        return value == self.written or value in self.earlier


@dataclass(frozen=True, slots=True)
class OriginalLink:
    """A parent that was down: what it had, and what was on it."""

    addresses: tuple[str, ...] = ()
    nodad: tuple[str, ...] = ()
    """Those of the addresses that have no duplicate detection (IFA_F_NODAD)."""
    children: tuple[str, ...] = ()
    known: bool = True
    """Else the record of then is lost, and nobody knows whether it was up or down."""


@dataclass(frozen=True, slots=True)
class Record:
    """A topology that is up, or about to be."""

    topology: str
    file: str | None = None
    text: str = ""
    """The topology as written, for ``status NAME``."""
    namespaces: tuple[str, ...] = ()
    """Those that the topology may have made."""
    paths: Mapping[str, str] = field(default_factory=dict)
    """Where the namespaces are that have no name in the netns directory."""
    sysctls: Mapping[str, Mapping[str, OriginalSysctl]] = field(default_factory=dict)
    """By namespace and path."""
    brought_up: Mapping[str, OriginalLink] = field(default_factory=dict)
    """Parents on the host that were down, and that we set up."""
    routes: tuple[tuple[str, str], ...] = ()
    """Routes on links that are not ours: (namespace, the route as `ip route` writes it)."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "version": VERSION,
            "topology": self.topology,
            "file": self.file,
            "text": self.text,
            "namespaces": list(self.namespaces),
            "paths": dict(self.paths),
            "sysctls": {
                namespace: {k: [p.before, p.written, *p.earlier] for k, p in priors.items()}
                for namespace, priors in self.sysctls.items()
            },
            "brought_up": {
                name: {
                    "addresses": list(p.addresses),
                    "nodad": list(p.nodad),
                    "children": list(p.children),
                    "known": p.known,
                }
                for name, p in self.brought_up.items()
            },
            "routes": [list(route) for route in self.routes],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Record":
        """The record of a JSON object. Raises KeyError, TypeError or ValueError if it is none."""
        if data["version"] != VERSION:
            raise ValueError(f"record version {data['version']}")
        return cls(
            topology=str(data["topology"]),
            file=data["file"],
            text=str(data["text"]),
            namespaces=tuple(map(str, data["namespaces"])),
            paths={str(k): str(v) for k, v in data["paths"].items()},
            sysctls={
                str(namespace): {str(k): _prior(*v) for k, v in priors.items()}
                for namespace, priors in data["sysctls"].items()
            },
            brought_up={
                str(name): OriginalLink(
                    tuple(p["addresses"]),
                    tuple(p.get("nodad", ())),
                    tuple(p["children"]),
                    bool(p.get("known", True)),
                )
                for name, p in data["brought_up"].items()
            },
            routes=tuple((str(a), str(b)) for a, b in data["routes"]),
        )


def _prior(before: str | None, written: str, *earlier: str) -> OriginalSysctl:
    return OriginalSysctl(before, written, earlier)


def in_transition(before: Record | None, after: Record) -> Record:
    """What must be known from the first change to the last: all of two records.

    Whoever is killed in between has done some of the changes, and nobody knows which.
    """
    if before is None:
        return after
    return replace(
        after,
        namespaces=tuple(dict.fromkeys((*after.namespaces, *before.namespaces))),
        paths={**before.paths, **after.paths},
        sysctls={
            space: _sysctls_on_the_way(before.sysctls.get(space, {}), after.sysctls.get(space, {}))
            for space in dict.fromkeys((*after.sysctls, *before.sysctls))
        },
        brought_up={**before.brought_up, **after.brought_up},
        routes=tuple(dict.fromkeys((*after.routes, *before.routes))),
    )


def _sysctls_on_the_way(
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
    """The records of a host: the one of the topology in hand, and the others'."""

    own: Record | None = None
    others: tuple[Record, ...] = ()
    unreadable: bool = False
    """Something is where the own record would be, and is none."""

    @classmethod
    def of(
        cls, topology: str, records: Iterable[Record], unreadable: Iterable[str] = ()
    ) -> "Records":
        """Sort the records into own and others'. ``unreadable``: topologies with a broken file."""
        every = list(records)
        own = next((record for record in every if record.topology == topology), None)
        others = tuple(record for record in every if record.topology != topology)
        return cls(own, others, own is None and topology in unreadable)

    def every(self) -> tuple[Record, ...]:
        """All of them, the own one first."""
        return (*([self.own] if self.own else ()), *self.others)

    def sysctl(self, namespace: str, key: str) -> OriginalSysctl | None:
        """The oldest known value of a sysctl: our own record's, else another topology's."""
        for record in self.every():
            prior = record.sysctls.get(namespace, {}).get(key)
            if prior is not None:
                return prior
        return None

    def held_by(self, namespace: str, key: str) -> Record | None:
        """Another topology that wrote the sysctl."""
        return next((r for r in self.others if key in r.sysctls.get(namespace, {})), None)
