"""Operations that `reconcile` carries out, not the kernel: leases and the process that renews them.

Pure.
"""

from collections.abc import Iterator

from vlanlink.dataclass import dataclass
from vlanlink.model import LinkName
from vlanlink.planning.change import Causes, Change, Drift
from vlanlink.planning.operation import Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquireLease(Operation):
    """Ask by DHCP for the address of a link."""

    phase = "addresses"
    sent = False

    dev: str
    since: str = ""
    """``no answer since 12:33:05``; empty before it was asked for."""
    kept: bool = False
    """The keeper goes on asking."""

    def changes(self) -> Iterator[Change]:
        """One line."""
        yield Change("create", "address", self.namespace, "dhcp", f"on {self.dev}, by DHCP")

    def describe(self) -> str:
        """What is being tried."""
        return f"get an address by DHCP for {LinkName(self.namespace, self.dev)}"

    def drifts(self, causes: Causes) -> Iterator[Drift]:
        """The address, unless its link is made too."""
        link = LinkName(self.namespace, self.dev)
        if link not in causes.made:
            yield Drift(f"address of {link} by DHCP", f"is missing: {self.since or 'no lease'}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StartKeeper(Operation):
    """Start the process that renews the leases."""

    sent = False

    why: str
    """``is gone``, ``keeps other leases``."""

    def changes(self) -> Iterator[Change]:
        """One line."""
        yield Change("create", "keeper", self.namespace, "dhcp", f"to renew leases: it {self.why}")

    def describe(self) -> str:
        """What is being tried."""
        return "start the DHCP keeper"

    def drifts(self, causes: Causes) -> Iterator[Drift]:
        """The keeper, unless the links whose leases it keeps are made too."""
        if not causes.made:
            yield Drift("the DHCP keeper", self.why)
