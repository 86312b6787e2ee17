"""``watch``: a topology stays what its file says, as long as the watch goes on.

The kernel tells that something changed, a look tells what, and the plan of ``up`` mends it.
"""

import time
from collections.abc import Callable
from contextlib import closing

from vlanlink.errors import Diagnostic, Interrupted
from vlanlink.host import Host
from vlanlink.kernel.monitor import Events
from vlanlink.reconcile.checks import need_privilege
from vlanlink.topology import Topology
from vlanlink.watcher.backoff import Policy
from vlanlink.watcher.event import Event
from vlanlink.watcher.loop import WatchLoop

__all__ = ["Event", "Policy", "Watch"]

QUIET_SECONDS = 0.02
"""Changes come in flocks: a look waits for so long a silence."""
LONGEST_FLOCK_SECONDS = 0.5
REST = 3.0
"""After a look there is no other for so many times as long as it took."""


class Watch:
    """A topology that is watched, and mended when it drifts.

    ``run`` blocks; ``stop`` and ``reload`` may be called by other threads and by signal handlers.
    ``on_event`` is told all that is noticed and done. Without ``repair`` nothing is changed.
    ``replace_file``: go on if the topology is up from another file. ``on_beat`` is called at least
    every ``beat_seconds`` while there is nothing to do, as a sign of life.
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
    ) -> None:
        """Nothing happens before ``run``."""
        self._upkeep = WatchLoop(
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
        self._stop = self._reload = False

    def stop(self) -> None:
        """Have ``run`` come back when it is done with what it is at; everything stays up."""
        self._stop = True
        self._ring()

    def reload(self) -> None:
        """Have the topology's file read anew, and the machine made what it says."""
        self._reload = True
        self._ring()

    def _ring(self) -> None:
        if self._events:
            self._events.ring()

    def run(self) -> None:
        """Bring the topology up, unless it is only to be looked at, and watch it until stopped.

        Raises PrivilegeError, and ConflictError if it is up from another file; later on only
        Interrupted, with all left as it is. What else stands in the way is told and waited for.
        """
        need_privilege("watching the network")
        self._upkeep.begin()
        try:
            with closing(Events()) as self._events:
                self._go_on(self._events)
        except (KeyboardInterrupt, Interrupted):
            message = f"interrupted; {self._upkeep.topology.name} stays as it is"
            raise Interrupted(Diagnostic(message)) from None
        finally:
            self._events = None

    def _go_on(self, events: Events) -> None:
        due: float | None = 0.0
        while not self._stop:
            if self._reload:
                self._reload = False
                self._upkeep.read_anew()
                due = 0.0
            if self._sleep(events, due):
                due = self._upkeep.turn(events)

    def _sleep(self, events: Events, seconds: float | None) -> bool:
        """Until something changes or the time is up (None: never); False if somebody calls."""
        deadline = None if seconds is None else time.monotonic() + seconds
        told = False
        while not told:
            self._on_beat()
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                break
            bounds = [bound for bound in (left, self._beat_seconds) if bound is not None]
            told = events.wait(min(bounds, default=None))
            if self._stop or self._reload:
                return False
        time.sleep(REST * self._upkeep.cost)
        events.settle(QUIET_SECONDS, LONGEST_FLOCK_SECONDS)
        return True
