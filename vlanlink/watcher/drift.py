"""What has drifted, in a user's words: of a plan, the causes without what follows from them. Pure.

A namespace that is gone is one thing, though the plan that mends it makes the links, addresses and
routes that were in it as well.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from vlanlink.model import LinkName, show
from vlanlink.planning.operations import (
    AddAddress,
    AddRoute,
    MakeLink,
    MakeNamespace,
    Operation,
    RemoveAddress,
    RemoveLink,
    RemoveNamespace,
    RemoveRoute,
    SetLink,
    WriteSysctl,
)
from vlanlink.sysctl import dotted, link_of

_Op = TypeVar("_Op", bound=Operation)


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing that is not as the file says."""

    thing: str
    """What it is about: ``address 172.16.3.15/24 of web/eth0``."""
    how: str

    def __str__(self) -> str:
        """``address 172.16.3.15/24 of web/eth0 is gone``."""
        return f"{self.thing} {self.how}"


def drifts(operations: Iterable[Operation]) -> tuple[Drift, ...]:
    """The things that operations put right, without what only follows from others."""
    every = tuple(operations)
    found = tuple(_Causes(every).found())
    return found or tuple(Drift(op.describe(), "is to be done") for op in every)


@dataclass(slots=True)
class _Causes:
    operations: Sequence[Operation]

    def found(self) -> Iterator[Drift]:
        """Each cause, in the order of the operations."""
        spaces = {op.namespace for op in self._of(MakeNamespace)}
        made = {key for op in self._of(MakeLink) for key in _ends(op)}
        changed = made | {LinkName(op.namespace, op.name) for op in self._of(SetLink)}
        addressed = [(_link(op), op.address) for op in self._of(AddAddress)]
        addressed += [(_link(op), op.address) for op in self._of(RemoveAddress)]
        unsettled = changed | {link for link, _ in addressed}
        for op in self.operations:
            match op:
                case MakeNamespace():
                    yield Drift(f"namespace {op.namespace}", "is gone")
                case RemoveNamespace():
                    yield Drift(f"namespace {op.namespace}", "is not in the file")
                case MakeLink() if not self._follows(op, spaces, made):
                    yield Drift(
                        f"link {op.link.key}", f"differs: {op.why}" if op.why else "is gone"
                    )
                case RemoveLink() if LinkName(op.namespace, op.name) not in made:
                    yield Drift(f"link {LinkName(op.namespace, op.name)}", "is not in the file")
                case SetLink() if LinkName(op.namespace, op.name) not in made:
                    yield from _settings(op)
                case AddAddress() | RemoveAddress() if _link(op) not in changed:
                    if addressed.count((_link(op), op.address)) > 1:
                        continue  # put on anew, to come after one that is gone
                    yield Drift(f"address {op.address.text} of {_link(op)}", _presence(op))
                case AddRoute() | RemoveRoute() if _dev(op) not in unsettled:
                    yield Drift(f"route {op.route}{_inside(op)}", _presence(op))
                case WriteSysctl() if not op.quiet and op.namespace not in spaces:
                    if LinkName(op.namespace, link_of(op.key) or "") not in made:
                        now = "unknown" if op.old is None else op.old
                        thing = f"sysctl {dotted(op.key)}{_inside(op)}"
                        yield Drift(thing, f"is {now}, not {op.new}")

    def _of(self, kind: type[_Op]) -> Iterator[_Op]:
        return (op for op in self.operations if isinstance(op, kind))

    def _follows(self, op: MakeLink, spaces: set[str], made: set[LinkName]) -> bool:
        ends = _ends(op)
        return any(end.namespace in spaces for end in ends) or op.link.parent in made - set(ends)


def _ends(op: MakeLink) -> tuple[LinkName, ...]:
    return (op.link.key, *([op.peer.key] if op.peer else []))


def _link(op: AddAddress | RemoveAddress) -> LinkName:
    return LinkName(op.namespace, op.dev)


def _dev(op: AddRoute | RemoveRoute) -> LinkName:
    return LinkName(op.namespace, op.route.dev)


def _inside(op: Operation) -> str:
    return f" in {op.namespace}" if op.namespace else ""


def _presence(op: Operation) -> str:
    return "is gone" if isinstance(op, AddAddress | AddRoute) else "is not in the file"


def _settings(op: SetLink) -> Iterator[Drift]:
    link = LinkName(op.namespace, op.name)
    for key, wanted in op.new.items():
        if key == "up":
            yield Drift(f"link {link}", "is down" if wanted else "is up")
        else:
            yield Drift(f"{key} of {link}", f"is {show(op.old.get(key))}, not {show(wanted)}")
    if op.owner:
        yield Drift(f"mark of {link}", "is gone")
