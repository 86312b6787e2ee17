"""Operations on namespaces and on the files of their own in /etc/netns. Pure."""

from collections.abc import Iterator

from vlanlink.dataclass import dataclass
from vlanlink.planning.change import Action, Causes, Change, Drift
from vlanlink.planning.operation import Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeNamespace(Operation):
    """Make a network namespace, mark it for ``owner`` and set its ``lo`` up."""

    phase = "namespaces"
    sent = False

    owner: str

    @property
    def touches(self) -> frozenset[str]:
        """The new one."""
        return frozenset({self.namespace})

    def changes(self) -> Iterator[Change]:
        """One line."""
        yield Change("create", "namespace", self.namespace, self.namespace, "")

    def describe(self) -> str:
        """What is being tried."""
        return f"make namespace {self.namespace}"

    def note(self, causes: Causes) -> None:
        """Note the namespace."""
        causes.namespaces.add(self.namespace)

    def drifts(self, causes: Causes) -> Iterator[Drift]:
        """The namespace."""
        del causes
        yield Drift(f"namespace {self.namespace}", "is gone")


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveNamespace(Operation):
    """Unmount a namespace of ours; what is in it goes with it."""

    phase = "namespaces"
    sent = False

    why: str = ""

    def changes(self) -> Iterator[Change]:
        """One line."""
        yield Change("delete", "namespace", self.namespace, self.namespace, self.why)

    def describe(self) -> str:
        """What is being tried."""
        return f"remove namespace {self.namespace}"

    def drifts(self, causes: Causes) -> Iterator[Drift]:
        """The namespace."""
        del causes
        yield Drift(f"namespace {self.namespace}", "is not in the file")


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteFile(Operation):
    """Write a file of a namespace, in place if it exists: processes have it bind-mounted."""

    phase = "namespaces"
    sent = False

    name: str
    text: str
    old: str | None = None
    """Its text before; None if there is none."""
    summary: str = ""

    @property
    def touches(self) -> frozenset[str]:
        """None: it is a file of the host."""
        return frozenset()

    def changes(self) -> Iterator[Change]:
        """One line."""
        action: Action = "create" if self.old is None else "change"
        yield Change(action, "file", self.namespace, self.name, self.summary)

    def describe(self) -> str:
        """What is being tried."""
        return f"write {self.name} of namespace {self.namespace}"

    def drifts(self, causes: Causes) -> Iterator[Drift]:
        """The file, unless its namespace is made too."""
        if self.namespace not in causes.namespaces:
            how = "is gone" if self.old is None else "was edited"
            yield Drift(f"{self.name} of namespace {self.namespace}", how)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveFile(Operation):
    """Remove a file of a namespace that vlanlink wrote."""

    phase = "namespaces"
    sent = False

    name: str
    owner: str

    @property
    def touches(self) -> frozenset[str]:
        """None: it is a file of the host."""
        return frozenset()

    def changes(self) -> Iterator[Change]:
        """One line."""
        yield Change("delete", "file", self.namespace, self.name, "")

    def describe(self) -> str:
        """What is being tried."""
        return f"remove {self.name} of namespace {self.namespace}"

    def drifts(self, causes: Causes) -> Iterator[Drift]:
        """The file."""
        del causes
        yield Drift(f"{self.name} of namespace {self.namespace}", "is not in the topology's file")
