"""One count over all phases of a run: probe, apply, read back, announce."""

from collections.abc import Mapping

from vlanlink.planning.dhcp_operations import AcquireLease
from vlanlink.reconcile.apply import Progress, Unfinished
from vlanlink.reconcile.observation import Observation


class Phases:
    """Progress of a run as units done of all units; each phase has its share."""

    def __init__(self, report: Progress | None, sizes: Mapping[str, int]) -> None:
        """``sizes``: units by phase, in order."""
        self._report = report
        self._sizes = sizes
        self.total = sum(sizes.values())

    def of(self, phase: str) -> Progress | None:
        """The progress of a phase: what it reports of its own is scaled to its share."""
        report = self._report
        if report is None:
            return None
        names = list(self._sizes)
        before = sum(self._sizes[name] for name in names[: names.index(phase)])
        size = self._sizes[phase]

        def scaled(done: int, total: int, what: str) -> object:
            share = size * done // total if total else 0
            try:
                return report(before + share, self.total, what)
            except OSError as error:  # the callback's, not the kernel's
                raise Unfinished(error) from None

        return scaled


def phases_of_up(report: Progress | None, seen: Observation) -> Phases:
    """The phases of ``up``; an operation is a unit, and so is an address probed or announced."""
    operations, probes = len(seen.todo.operations), len(seen.resolution.probes)
    addresses = sum(change.object == "address" for change in seen.todo.changes)
    leases = sum(isinstance(op, AcquireLease) for op in seen.todo.operations)
    sizes = {"parents": 1 if probes else 0, "probe": probes, "apply": operations, "dhcp": leases}
    return Phases(report, {**sizes, "announce": addresses})
