"""Waiting for parents that are not there yet: a NIC that udev still names, a tunnel not yet up."""

import time
from collections.abc import Callable

from vlanlink.desired.parent_names import missing_parents
from vlanlink.errors import Diagnostic, Interrupted
from vlanlink.host import Host
from vlanlink.kernel.snapshot import Wanted
from vlanlink.reconcile.session import opened
from vlanlink.topology import Topology

OnWait = Callable[[tuple[str, ...]], None]
"""Called with the parents that are waited for, and again when they are fewer or others."""


def await_parents(
    topology: Topology, host: Host, seconds: float, on_wait: OnWait | None = None
) -> None:
    """Come back when every parent is there, or ``seconds`` are over: what lacks then, a look tells.

    The kernel tells of each link that comes; nothing is asked again and again, and nothing is
    locked meanwhile. Raises Interrupted, PrivilegeError, and ConflictError where the kernel can't
    be asked.
    """
    deadline = time.monotonic() + seconds
    told: tuple[str, ...] = ()
    try:
        with opened(host, Wanted()) as machine, machine.arrivals() as links:
            while missing := missing_parents(topology, links.names()):
                if machine.interrupted():
                    raise KeyboardInterrupt
                news, told = missing != told, missing
                if on_wait and news:
                    on_wait(missing)
                left = deadline - time.monotonic()
                if left <= 0 or not links.wait(left):
                    return
    except KeyboardInterrupt:
        message = f"interrupted while waiting for {', '.join(told)}; nothing was changed"
        raise Interrupted(Diagnostic(message)) from None
