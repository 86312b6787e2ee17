"""Wait for missing parents: a NIC that udev has still to rename, a tunnel that is not up yet."""

import time
from collections.abc import Callable

from vlanlink.desired.parent_names import missing_parents
from vlanlink.errors import Diagnostic, Interrupted
from vlanlink.reconcile.session import Session, kernel_errors
from vlanlink.topology import Topology

OnWait = Callable[[tuple[str, ...]], None]
"""Called with the missing parents, again whenever that set changes."""
_SLICE_SECONDS = 0.25
"""Interval at which a wait checks whether it should stop."""


def await_parents(
    session: Session, topology: Topology, seconds: float, on_wait: OnWait | None = None
) -> None:
    """Return when every parent exists, or after ``seconds``: ``observe`` tells what is missing.

    The kernel announces new links; nothing is locked meanwhile. Raises Interrupted.
    """
    deadline = time.monotonic() + seconds
    told: tuple[str, ...] = ()
    machine = session.machine
    try:
        with kernel_errors(), machine.arrivals() as links:
            while missing := missing_parents(topology, links.names()):
                if machine.interrupted():
                    raise KeyboardInterrupt
                news, told = missing != told, missing
                if on_wait and news:
                    on_wait(missing)
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                links.wait(min(left, _SLICE_SECONDS))
    except KeyboardInterrupt:
        message = f"interrupted while waiting for {', '.join(told)}; nothing was changed"
        raise Interrupted(Diagnostic(message)) from None
