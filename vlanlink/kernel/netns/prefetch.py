"""Create unnamed network namespaces in advance, in a separate thread.

The kernel takes 0.25 ms for one and lets other threads run in the meantime: to load modules, and to
mark and name finished ones. An unnamed namespace disappears when nobody holds it open.
"""

import os
from contextlib import suppress
from queue import SimpleQueue
from threading import Semaphore, Thread

from vlanlink.kernel import syscalls


class NamespacePrefetch:
    """``count`` namespaces, created at most ``room`` ahead of their use."""

    def __init__(self, count: int, room: int) -> None:
        """Start creating them."""
        self._made: SimpleQueue[int | Exception] = SimpleQueue()
        self._room = Semaphore(room)
        self._left = count
        self._ended = False
        self._thread = Thread(
            target=self._make, args=(count,), name="vlanlink-prefetch", daemon=True
        )
        self._thread.start()

    def _make(self, count: int) -> None:
        for _ in range(count):
            self._room.acquire()
            if self._ended:
                return
            try:
                syscalls.unshare(syscalls.CLONE_NEWNET)
                made = os.open(syscalls.OWN_NETWORK, os.O_RDONLY | os.O_CLOEXEC)
            except Exception as error:  # noqa: BLE001 - `take` raises it
                self._made.put(error)
                return
            self._made.put(made)

    @property
    def left(self) -> int:
        """How many can still be taken."""
        return self._left

    def take(self) -> int:
        """An open file of the next one, owned by the caller. Raises what stopped the thread."""
        made = self._made.get()
        self._left -= 1
        self._room.release()
        if isinstance(made, Exception):
            self._left = 0
            raise made
        return made

    def close(self) -> None:
        """Stop creating namespaces, and close the ones that were not taken."""
        self._ended = True
        self._room.release()
        self._thread.join()
        while not self._made.empty():
            made = self._made.get()
            if isinstance(made, int):
                with suppress(OSError):
                    os.close(made)
        self._left = 0
