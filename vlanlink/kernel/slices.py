"""Sleeps that a signal ends, whenever it comes.

Python runs a signal's handler when the system call comes back that the signal interrupts. One that
comes in the instant before the call is noted, and the call sleeps on; so does the main thread's
when another thread gets the signal. So no call sleeps for long.
"""

import time
from collections.abc import Iterator

_LONGEST = 1.0


def slices(seconds: float | None) -> Iterator[float]:
    """A wait of ``seconds`` in parts to sleep one after the other; None: without an end."""
    deadline = None if seconds is None else time.monotonic() + seconds
    left = _LONGEST if seconds is None else seconds
    while True:
        yield min(max(left, 0.0), _LONGEST)
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                return
