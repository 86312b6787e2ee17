"""Signals that come at the worst moment."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.kernel.world import BOUND_SECONDS, scaled, until


@contextmanager
def noted(ready: threading.Event) -> Iterator[None]:
    """Ctrl-C once ``ready``, which ends no system call of the main thread: another gets it.

    So it goes with one that comes in the instant before the call, too. The test fails if nothing
    comes of it within the bound.
    """
    over, late = threading.Event(), threading.Event()

    def send() -> None:
        looks = iter(range(1000))  # it may sleep for short at first
        with suppress(AssertionError):  # then it is late, too
            until(ready.is_set, "ready")
            until(lambda: _main_sleeps() and next(looks) > 30, "the main thread sleeps")
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        if not over.wait(scaled(BOUND_SECONDS)):
            late.set()
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert not late.is_set(), "the interrupt was slept through"


def _main_sleeps() -> bool:
    """Whether it waits in the kernel, and not for this thread, which has just slept itself."""
    stat = Path(f"/proc/self/task/{threading.main_thread().native_id}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "S"
