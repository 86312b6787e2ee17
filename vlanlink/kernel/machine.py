"""The kernel interface of one host: snapshots, probes, operations.

Everything runs in one separate thread, which enters namespaces as needed; the caller's thread stays
in its own.
"""

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from threading import Event
from typing import TYPE_CHECKING, TypeVar

from vlanlink.dataclass import replace
from vlanlink.host import Host
from vlanlink.kernel.marks import Marks
from vlanlink.kernel.netns.files import NetnsFiles
from vlanlink.kernel.netns.identity import identify_here
from vlanlink.kernel.netns.mounts import mounts_propagate
from vlanlink.kernel.netns.names import clear_dead_names, dead_names
from vlanlink.kernel.netns.namespaces import Namespaces, processes_by_namespace
from vlanlink.kernel.ownership import Ownership
from vlanlink.kernel.procfs import boot_id
from vlanlink.kernel.reader import Reader
from vlanlink.kernel.snapshot import (
    Wanted,
    read_sysctls,
    unicast_macs,
)
from vlanlink.kernel.timings import Timings
from vlanlink.kernel.worker import Worker
from vlanlink.model import HOST, Namespace, State
from vlanlink.planning.operations import MakeNamespace, Operation

if TYPE_CHECKING:  # `up` may not need these; the methods load them
    from vlanlink.kernel.execution import Execution
    from vlanlink.kernel.facts import MachineFacts
    from vlanlink.kernel.monitor import Arrivals, Events
    from vlanlink.kernel.packet.announce import Announcement
    from vlanlink.kernel.packet.arp_nd import ArpProbe
    from vlanlink.kernel.packet.echo import EchoReply, EchoRequest

REPORT_SECONDS = 0.02
"""Interval of progress reports."""

_T = TypeVar("_T")


class Machine:
    """The kernel interface of one host. Use it as a context manager."""

    def __init__(self, host: Host, wanted: Wanted | None = None, stop: Event | None = None) -> None:
        """Start a thread, and open a socket in the host's network namespace.

        ``stop`` interrupts once it is set.
        """
        self.host = host
        self.wanted = wanted or Wanted()
        self.timings = Timings()
        self._has_run = False
        self._last: State | None = None
        self._stop = stop or Event()
        self._thread = Worker("vlanlink")
        self._namespaces: Namespaces = self._do(
            lambda: Namespaces(host.network_namespace, self.wanted.paths)
        )
        self.identity = self._do(identify_here)
        """Identity of the host's network namespace (``netns.identity``)."""
        self._marks = Marks(self.identity)
        self.boot = boot_id()
        self._ownership = Ownership(self._marks, self._namespaces)
        self._files = NetnsFiles(host.etc_netns_directory)
        self._reader = Reader(
            self._namespaces, host.netns_directory, self._marks, self._ownership, self._files
        )

    def __enter__(self) -> "Machine":
        """The machine itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close all namespaces and end the thread."""
        self._do(self._namespaces.close)
        self._thread.end()

    def interrupt(self) -> None:
        """Stop a run at its next batch."""
        self._stop.set()

    def interrupted(self) -> bool:
        """True after ``interrupt``."""
        return self._stop.is_set()

    def _do(self, work: Callable[[], _T]) -> _T:
        """Run ``work`` in the machine's thread. Ctrl-C is noted and doesn't cut it short."""
        future = self._thread.submit(work)
        while True:
            try:
                return future.result()
            except KeyboardInterrupt:
                self.interrupt()

    # -- reading -------------------------------------------------------------------------------

    def snapshot(self, touched: frozenset[str] | None = None) -> State:
        """Current state of the host, and of the namespaces in ``wanted``.

        Those that were read before are not read again, except for the ``touched`` ones.

        Removed namespaces are released for deletion only afterwards: while the kernel deletes
        links, the host's links can't be read.
        """
        try:
            with self.timings.taking("verify" if self._has_run else "read"):
                kept = self._kept(touched)
                self._last = self._do(lambda: self._reader.state(self.wanted, kept))
                return self._last
        finally:
            self._do(self._namespaces.release)

    def _kept(self, touched: frozenset[str] | None) -> dict[str, Namespace]:
        if touched is None or self._last is None:
            return {}
        known = self._last.namespaces.items()
        return {name: one for name, one in known if name != HOST and name not in touched}

    def host_snapshot(self) -> State:
        """The host's namespace only; unprivileged if that is the current one."""
        return self._do(lambda: self._reader.state(self.wanted, only_host=True))

    def facts(self, state: State) -> "MachineFacts":
        """The facts for `doctor`; ``state`` is a snapshot with the sysctls that it needs."""
        from vlanlink.kernel import inspection

        host = self.host
        own = host.network_namespace is None
        return self._do(lambda: inspection.facts(self._namespaces, state, host.identity(), own=own))

    def _snapshot_of_all(self) -> State:
        """As ``snapshot``, with the links of every other namespace."""
        return self._reader.state(replace(self.wanted, links=None, strangers=True))

    def with_sysctls(self, state: State, keys: Mapping[str, frozenset[str]]) -> State:
        """``state`` with these sysctls, by namespace; later snapshots read them, too.

        A namespace that doesn't exist yet gets the values of a new one.
        """
        self.wanted = replace(self.wanted, sysctls=keys)
        found = self._do(lambda: dict(self._with_sysctls(state, keys)))
        self._last = replace(state, namespaces={**state.namespaces, **found})
        return self._last

    def _with_sysctls(
        self, state: State, keys: Mapping[str, frozenset[str]]
    ) -> Iterator[tuple[str, Namespace]]:
        made = {name for name, space in state.namespaces.items() if space.made}
        for name in made & keys.keys():
            wanted = keys[name]
            with suppress(OSError):  # removed since the snapshot, or out of reach
                values = read_sysctls(name, self._namespaces, wanted)
                yield name, replace(state.namespaces[name], sysctls=values)
        new = {name: wanted for name, wanted in keys.items() if wanted and name not in made}
        if new:
            fresh = self._namespaces.initial_sysctls(frozenset().union(*new.values()))
        for name, wanted in new.items():
            values = {key: fresh[key] for key in wanted & fresh.keys()}
            yield name, Namespace(name, sysctls=values, made=False)

    def unicast_macs(self, indexes: Collection[int]) -> frozenset[str]:
        """Additional MACs that links of the host (by ifindex) listen to.

        Every macvlan link that is up adds its MAC to its parent's list, from any namespace; ipvlan
        links add none.
        """
        return self._do(lambda: frozenset(unicast_macs(self._namespaces.socket(HOST), indexes)))

    def identify(self, path: str) -> tuple[int, int]:
        """Inode and cookie of the network namespace at ``path``. Raises OSError."""
        return self._do(lambda: self._identify(path))

    def _identify(self, path: str) -> tuple[int, int]:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return self._namespaces.identify(descriptor)
        finally:
            os.close(descriptor)

    def find_namespaces(self, places: Mapping[tuple[int, int], str]) -> dict[tuple[int, int], str]:
        """Where the namespaces are that have these identities: at their place, or a process's."""
        return self._do(lambda: dict(self._find_by_identity(places)))

    def _find_by_identity(
        self, places: Mapping[tuple[int, int], str]
    ) -> Iterator[tuple[tuple[int, int], str]]:
        processes: dict[int, list[int]] | None = None
        for identity, place in places.items():
            if self._is_at(identity, place):
                yield identity, place
                continue
            processes = processes_by_namespace() if processes is None else processes
            paths = (f"/proc/{pid}/ns/net" for pid in processes.get(identity[0], ()))
            path = next((one for one in paths if self._is_at(identity, one)), None)
            if path:
                yield identity, path

    def _is_at(self, identity: tuple[int, int], path: str) -> bool:
        with suppress(OSError):
            return os.stat(path).st_ino == identity[0] and self._identify(path) == identity
        return False

    def dead_names(self, names: Iterable[str]) -> frozenset[str]:
        """Those of ``names`` that are files in the netns directory without a namespace on them."""
        return frozenset(dead_names(self.host.netns_directory, names))

    def names_propagate(self) -> bool:
        """True if namespaces named here have their names everywhere."""
        return self._do(lambda: mounts_propagate(self.host.netns_directory))

    def own_name(self) -> str | None:
        """The name of the host's namespace, if any."""
        names = self._do(lambda: dict(self._reader.find(self.wanted))[HOST])
        return names[0] if names else None

    @contextmanager
    def arrivals(self) -> Iterator["Arrivals"]:
        """The host's links as they come and go. The caller's thread does the waiting."""
        from vlanlink.kernel.monitor import Arrivals

        found = self._do(Arrivals)
        try:
            yield found
        finally:
            found.close()

    def follow(self, events: "Events", names: Collection[str]) -> bool:
        """Have ``events`` monitor the host and ``names``, if they exist; True if some are new."""
        return self._do(lambda: events.follow(self._namespaces, self._inodes(names)))

    def _inodes(self, names: Collection[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for name, _ in self._reader.find(self.wanted):
            if name == HOST or name in names:
                with suppress(FileNotFoundError):  # removed since the listing
                    found[name] = self._namespaces.inode(name)
        return found

    # -- the LAN -------------------------------------------------------------------------------

    def probe_lan(
        self,
        probes: Sequence["ArpProbe"],
        *,
        own: Collection[str] = (),
        count: int = 2,
        seconds: float = 1.0,
    ) -> dict["ArpProbe", str]:
        """The probes whose address is in use, and the MAC that has it (``arp_nd.probe``)."""
        from vlanlink.kernel.packet.arp_nd import probe

        with self.timings.taking("probe"):
            return self._do(
                lambda: probe(
                    self._namespaces,
                    probes,
                    own=own,
                    count=count,
                    seconds=seconds,
                    stop=self._stop,
                )
            )

    def announce(
        self, announcements: Sequence["Announcement"], *, times: int = 1, apart: float = 0.2
    ) -> dict["Announcement", str]:
        """Announce addresses on the LAN; the announcements that failed, and why."""
        from vlanlink.kernel.packet.announce import announce

        with self.timings.taking("announce"):
            return self._do(
                lambda: announce(
                    self._namespaces, announcements, times=times, apart=apart, stop=self._stop
                )
            )

    def ping(
        self,
        requests: Sequence["EchoRequest"],
        *,
        seconds: float = 2.0,
        progress: Callable[[int], None] = lambda _: None,
    ) -> "dict[EchoRequest, EchoReply]":
        """Send echo requests from namespaces; a reply or failure for each (``ping.ping``)."""
        from vlanlink.kernel.packet.ping import ping

        return self._do(
            lambda: ping(
                self._namespaces, requests, seconds=seconds, stop=self._stop, progress=progress
            )
        )

    def inside(self, work: Sequence[tuple[str, Callable[[], _T]]]) -> list[_T]:
        """Call each function in its namespace; the results. Raises OSError."""

        def call(namespace: str, function: Callable[[], _T]) -> _T:
            self._namespaces.enter(namespace)
            return function()

        return self._do(lambda: [call(namespace, function) for namespace, function in work])

    def filtered_packets(self, names: Iterable[str]) -> dict[str, int]:
        """Packets dropped so far by the reverse path filter of each namespace."""
        from vlanlink.kernel.procfs import filtered_packets

        def count(name: str) -> int:
            self._namespaces.enter(name)
            return filtered_packets()

        return self._do(lambda: {name: count(name) for name in names})

    def clear_dead_names(self, names: Collection[str]) -> None:
        """Remove our names that lost their namespace when a run was killed."""
        self._do(lambda: clear_dead_names(self.host.netns_directory, names))

    # -- writing -------------------------------------------------------------------------------

    @cached_property
    def _execution(self) -> "Execution":
        from vlanlink.kernel.execution import Execution

        return Execution(
            self._namespaces,
            self.host.netns_directory,
            self._marks,
            self._files,
            self._snapshot_of_all,
        )

    def run(
        self,
        operations: Sequence[Operation],
        progress: Callable[[int], None],
        *,
        stoppable: bool = True,
    ) -> None:
        """Carry out operations in order, many per send; stop between sends when interrupted.

        Raises Refused for the first operation that the kernel refuses.
        """
        done = 0
        self._has_run = True
        rest = self._do(lambda: self._execution.prepare(operations))
        try:
            while done < len(operations) and not (stoppable and self.interrupted()):
                progress(done)
                done += self._do(lambda: self._run_until_report(rest, stoppable=stoppable))
        finally:
            self._do(lambda: self._namespaces.prefetch(0))
        progress(done)

    def _run_until_report(self, rest: Iterator[list[Operation]], *, stoppable: bool) -> int:
        """Carry out batches until the next progress report; the number of operations done.

        A switch between the caller's thread and this one costs as much as a small batch.
        """
        done = 0
        deadline = time.monotonic() + REPORT_SECONDS
        for batch in rest:
            self._run_batch(batch)
            done += len(batch)
            if time.monotonic() >= deadline or (stoppable and self.interrupted()):
                break
        return done

    def _run_batch(self, batch: Sequence[Operation]) -> None:
        with self.timings.taking(*(operation.phase for operation in batch)):
            made = isinstance(batch[0], MakeNamespace)  # before, there is nothing to note
            self._ownership.note(() if made else batch)
            self._execution.run(batch)
            self._ownership.note(batch if made else ())
