"""What a plan is made of: one frozen value for each thing that the kernel is asked to do.

An operation is plain data. It carries the kernel's numbers that it needs (a link to be made has
its ifindex chosen beforehand), it can say what it does to a user, and it knows nothing of undo.
"""

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from vlanlink.errors import Diagnostic, Path
from vlanlink.kinds import KINDS
from vlanlink.model import HOST, Address, Link, LinkName, Route, Setting, show
from vlanlink.sysctl import dotted

Action = Literal["create", "change", "delete"]
Thing = Literal["namespace", "link", "address", "route", "sysctl"]

LINK_SYSCTLS: Final[Mapping[str, str]] = {
    "arp_filter": "ipv4",
    "arp_announce": "ipv4",
    "arp_ignore": "ipv4",
    "accept_ra": "ipv6",
    "accept_dad": "ipv6",
    "disable_ipv6": "ipv6",
}
"""Settings of a link that are sysctls under net/FAMILY/conf/IFACE, read back by netlink.

They are written in this order: once IPv6 is on, advertisements come in."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs for the user: what ``plan`` prints a line for."""

    action: Action
    object: Thing
    namespace: str
    name: str
    summary: str

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; the host's own namespace is null."""
        return {
            "action": self.action,
            "object": self.object,
            "namespace": self.namespace or None,
            "name": self.name,
            "summary": self.summary,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What all operations have: the namespace they work in, and the entry that asked for them."""

    namespace: str
    origin: Path = field(default=(), compare=False)
    quiet: bool = field(default=False, compare=False)
    """Part of another operation's change; not a line of its own."""

    def changes(self) -> Iterator[Change]:
        """The lines of the plan that stand for this operation."""
        yield from ()

    def describe(self) -> str:
        """What is being tried, for an error message."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeNamespace(Operation):
    """Make a network namespace, mark it for ``owner`` and set its ``lo`` up."""

    owner: str

    def changes(self) -> Iterator[Change]:
        """One line."""
        yield Change("create", "namespace", self.namespace, self.namespace, "")

    def describe(self) -> str:
        """What is being tried."""
        return f"make namespace {self.namespace}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveNamespace(Operation):
    """Unmount a namespace of ours; what is in it goes with it."""

    why: str = ""

    def changes(self) -> Iterator[Change]:
        """One line."""
        yield Change("delete", "namespace", self.namespace, self.namespace, self.why)

    def describe(self) -> str:
        """What is being tried."""
        return f"remove namespace {self.namespace}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeLink(Operation):
    """Make a link, and its peer if its kind has one: down, marked, with its kernel number."""

    link: Link
    peer: Link | None = None
    why: str = ""

    def changes(self) -> Iterator[Change]:
        """A line for the link and one for its peer."""
        summary = summarise(self.link) + (f" ({self.why})" if self.why else "")
        yield Change("create", "link", self.namespace, self.link.name, summary)
        if self.peer:
            yield Change(
                "create", "link", self.peer.namespace, self.peer.name, summarise(self.peer)
            )

    def describe(self) -> str:
        """What is being tried."""
        on = f" on {self.link.parent}" if self.link.parent else ""
        return f"make {self.link.kind} {self.link.key}{on}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLink(Operation):
    """Change a living link: ``old`` and ``new`` hold the settings that differ."""

    name: str
    kind: str
    index: int
    old: Mapping[str, Setting]
    new: Mapping[str, Setting]
    owner: str | None = None
    """The mark to be set, or None to leave it."""
    options: Mapping[str, Setting] = field(default_factory=dict)
    """All options of the link as they shall be: the kernel wants some sent together."""

    def changes(self) -> Iterator[Change]:
        """One line with what changes from what to what."""
        parts = [f"{key} {show(self.old.get(key))} → {show(self.new[key])}" for key in self.new]
        parts += [f"owner → {self.owner}"] if self.owner else []
        if not self.quiet:
            yield Change("change", "link", self.namespace, self.name, ", ".join(parts))

    def describe(self) -> str:
        """What is being tried."""
        where = f"{self.namespace}/{self.name}" if self.namespace else self.name
        others = [f"{key} {show(value)}" for key, value in self.new.items() if key != "up"]
        if "up" not in self.new:
            return f"set {', '.join(others) or 'mark'} of {where}"
        state = "up" if self.new["up"] else "down"
        return f"set {where} {state}" + (f", {', '.join(others)}" if others else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveLink(Operation):
    """Delete a link of ours; its peer goes with it."""

    name: str
    kind: str
    index: int
    peer: LinkName | None = None
    """The other end, where it has a line of its own."""
    peer_index: int = 0
    """Its number, if it is on the host."""
    why: str = ""

    def changes(self) -> Iterator[Change]:
        """A line for the link and one for its peer."""
        yield Change("delete", "link", self.namespace, self.name, self.why or self.kind)
        if self.peer:
            yield Change("delete", "link", *self.peer, self.why or self.kind)

    def describe(self) -> str:
        """What is being tried."""
        where = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"delete {self.kind} {where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _OnAddress(Operation):
    dev: str
    index: int
    address: Address

    def _where(self) -> str:
        return f"{self.namespace}/{self.dev}" if self.namespace else self.dev


@dataclass(frozen=True, slots=True, kw_only=True)
class AddAddress(_OnAddress):
    """Put an address on a link, without the kernel's own duplicate detection."""

    restored: bool = False
    """It is not ours but was there before: it gets no mark, and is put back as it was."""

    def changes(self) -> Iterator[Change]:
        """One line."""
        if_free = ", if free on the LAN" if self.address.unproven and self.address.chosen else ""
        yield Change(
            "create", "address", self.namespace, self.address.text, f"on {self.dev}{if_free}"
        )

    def describe(self) -> str:
        """What is being tried."""
        return f"add address {self.address.text} to {self._where()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveAddress(_OnAddress):
    """Take an address off a link."""

    def changes(self) -> Iterator[Change]:
        """One line."""
        if not self.quiet:
            yield Change("delete", "address", self.namespace, self.address.text, f"on {self.dev}")

    def describe(self) -> str:
        """What is being tried."""
        return f"remove address {self.address.text} from {self._where()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _OnRoute(Operation):
    route: Route
    index: int

    def _change(self, action: Action) -> Change:
        to, _, rest = str(self.route).partition(" ")
        return Change(action, "route", self.namespace, to, rest)

    def _where(self) -> str:
        return f" in {self.namespace}" if self.namespace != HOST else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddRoute(_OnRoute):
    """Add a route."""

    def changes(self) -> Iterator[Change]:
        """One line."""
        yield self._change("create")

    def describe(self) -> str:
        """What is being tried."""
        return f"add route {self.route}{self._where()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveRoute(_OnRoute):
    """Delete a route."""

    def changes(self) -> Iterator[Change]:
        """One line."""
        yield self._change("delete")

    def describe(self) -> str:
        """What is being tried."""
        return f"delete route {self.route}{self._where()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteSysctl(Operation):
    """Write one sysctl; ``key`` is its path: net/ipv4/ip_forward."""

    key: str
    old: str | None
    new: str

    def changes(self) -> Iterator[Change]:
        """One line."""
        if not self.quiet:
            summary = f"{self.old if self.old is not None else '?'} → {self.new}"
            yield Change("change", "sysctl", self.namespace, dotted(self.key), summary)

    def describe(self) -> str:
        """What is being tried."""
        where = f" in {self.namespace}" if self.namespace != HOST else ""
        return f"write {dotted(self.key)} = {self.new}{where}"


def summarise(link: Link) -> str:
    """``macvlan bridge on eth0.50, mac 02:…, mtu 1400``: a link in a line."""
    kind = KINDS.get(link.kind)
    settings = link.settings
    options = kind.options if kind else ()
    words = [link.kind]
    words += [str(settings[o.key]) for o in options if o.always and o.key == "mode"]
    words += [f"on {link.parent}"] if link.parent else []
    words += [f"to {link.peer}"] if link.peer else []
    head = " ".join(words)
    parts = [
        f"{o.key} {show(settings[o.key])}"
        for o in options
        if o.key in settings and o.key != "mode" and settings[o.key] != o.default
    ]
    parts += [f"mac {settings['mac']}"] if settings.get("mac") else []
    parts += [f"mtu {settings['mtu']}"] if settings.get("mtu") else []
    parts += [f"altnames {show(settings['altnames'])}"] if settings.get("altnames") else []
    parts += ["down"] if settings.get("up") is False else []
    return ", ".join([head, *parts])


@dataclass(eq=False)  # not frozen: Python writes the traceback into it
class Refused(Exception):  # noqa: N818 - it is the kernel's answer, translated by who asked
    """The kernel refused an operation."""

    operation: Operation
    errno: int
    text: str
    hint: str | None = None

    def diagnose(self, locate: "Locate") -> Diagnostic:
        """The refusal as a diagnostic at the line of the file that asked for it."""
        said = f"{self.text} ({errno_name(self.errno)})" if self.text else errno_name(self.errno)
        return locate(
            self.operation.origin, f"can't {self.operation.describe()}: {said}", self.hint
        )


Locate = Callable[[Path, str, str | None], Diagnostic]


def errno_name(number: int) -> str:
    """``EBUSY, Device or resource busy``."""
    return f"{errno.errorcode.get(number, number)}, {os.strerror(number)}"
