"""``watch``: keep a topology as its file says for as long as the watch runs.

Kernel events trigger a fresh snapshot; the plan of ``up`` repairs what differs.
"""

import threading
import time
from collections.abc import Callable
from contextlib import closing

from vlanlink.errors import Diagnostic, Interrupted
from vlanlink.host import Host
from vlanlink.kernel.monitor import Events
from vlanlink.reconcile.checks import need_privilege
from vlanlink.reconcile.session import open_session
from vlanlink.reconcile.wait import OnWait, await_parents
from vlanlink.topology import Topology
from vlanlink.watcher.backoff import Policy
from vlanlink.watcher.event import Event
from vlanlink.watcher.loop import WatchLoop

__all__ = ["Event", "Policy", "Watch"]

QUIET_SECONDS = 0.02
"""Changes come in bursts: a snapshot waits for this much silence."""
LONGEST_BURST_SECONDS = 0.5
REST_FACTOR = 3.0
"""After a snapshot the watch rests for this many times its duration."""


class Watch:
    """Watch a topology, and repair it when it drifts.

    ``run`` blocks; ``stop`` and ``reload`` may be called from other threads and signal handlers.
    ``on_event`` receives everything that is noticed and done. Without ``repair`` nothing is
    changed. ``replace_file``: go on if the topology is up from another file. ``on_beat`` is called
    at least every ``beat_seconds`` while idle, as a sign of life.
    """

    def __init__(
        self,
        topology: Topology,
        host: Host | None = None,
        on_event: Callable[[Event], None] | None = None,
        *,
        repair: bool = True,
        replace_file: bool = False,
        policy: Policy | None = None,
        on_beat: Callable[[], None] | None = None,
        beat_seconds: float | None = None,
        wait: float = 0.0,
        on_wait: OnWait | None = None,
    ) -> None:
        """Nothing happens before ``run``. ``wait`` and ``on_wait`` as in ``up``, at first."""
        self._loop = WatchLoop(
            topology,
            host or Host(),
            on_event or (lambda _: None),
            repair,
            replace_file,
            policy or Policy(),
        )
        self._on_beat = on_beat or (lambda: None)
        self._beat_seconds = beat_seconds
        self._events: Events | None = None
        self._wait, self._on_wait = wait, on_wait
        self._stop = self._reload = False
        self._cancel = threading.Event()

    def stop(self) -> None:
        """Make ``run`` return after its current step; everything stays up."""
        self._stop = True
        self._cancel.set()
        self._wake()

    def reload(self) -> None:
        """Read the topology's file again and apply it."""
        self._reload = True
        self._wake()

    def _wake(self) -> None:
        if self._events:
            self._events.wake()

    def run(self) -> None:
        """Bring the topology up (with ``repair``) and watch it until stopped.

        Raises PrivilegeError, and ConflictError if the topology is up from another file; once
        running, only Interrupted, which leaves everything as it is. Other obstacles are reported
        and waited out.
        """
        need_privilege("watching the network")
        self._loop.begin()
        try:
            self._await_parents()
            with closing(Events()) as self._events:
                self._run(self._events)
        except (KeyboardInterrupt, Interrupted) as error:
            if self._stop and isinstance(error, Interrupted):
                return
            message = f"interrupted; {self._loop.topology.name} stays as it is"
            raise Interrupted(Diagnostic(message)) from None
        finally:
            self._events = None

    def _await_parents(self) -> None:
        if self._wait and not self._stop:
            topology, host = self._loop.topology, self._loop.host
            with open_session(host, cancel=self._cancel) as session:
                await_parents(session, topology, self._wait, self._on_wait)

    def _run(self, events: Events) -> None:
        due: float | None = 0.0
        while not self._stop:
            if self._reload:
                self._reload = False
                self._loop.reload()
                due = 0.0
            if self._sleep(events, due):
                due = self._loop.step(events)

    def _sleep(self, events: Events, seconds: float | None) -> bool:
        """Sleep until a change or timeout (None: no timeout); False on stop or reload."""
        deadline = None if seconds is None else time.monotonic() + seconds
        changed = False
        while not changed:
            self._on_beat()
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                break
            bounds = [bound for bound in (left, self._beat_seconds) if bound is not None]
            changed = events.wait(min(bounds, default=None))
            if self._stop or self._reload:
                return False
        time.sleep(REST_FACTOR * self._loop.observe_seconds)
        events.settle(QUIET_SECONDS, LONGEST_BURST_SECONDS)
        return True
