"""A thread that does one piece of work after another.

As ``concurrent.futures`` has it, but without ``logging``, whose import takes longer than a run.
"""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")


class Outcome(Generic[_T]):
    """The result of a piece of work, once there is one."""

    def __init__(self) -> None:
        """Not done yet."""
        self._done = Event()
        self._value: _T | None = None
        self._error: BaseException | None = None

    def run(self, work: Callable[[], _T]) -> None:
        """Do the work, and keep what it returns or raises."""
        try:
            self._value = work()
        except BaseException as error:  # noqa: BLE001 - `result` raises it
            self._error = error
        self._done.set()

    def result(self) -> _T:
        """Wait for it. Raises what the work raised."""
        self._done.wait()
        if self._error is not None:
            try:
                raise self._error
            finally:
                del self  # the traceback refers to this frame: no cycle
        return self._value  # type: ignore[return-value]


class Worker:
    """A thread for work that may not run in the caller's. Use it as a context manager."""

    def __init__(self, name: str) -> None:
        """Start it."""
        self._queue: SimpleQueue[tuple[Outcome[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Worker":
        """The worker itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Finish what was submitted, and end the thread."""
        self.end()
        self._thread.join()

    def submit(self, work: Callable[[], _T]) -> Outcome[_T]:
        """Do ``work`` after what was submitted before."""
        outcome = Outcome[_T]()
        self._queue.put((outcome, work))
        return outcome

    def do(self, work: Callable[[], _T]) -> _T:
        """Do ``work`` and wait for it. Raises what it raises."""
        return self.submit(work).result()

    def end(self) -> None:
        """End the thread after what was submitted, without waiting for that."""
        self._queue.put(None)

    def _run(self) -> None:
        while task := self._queue.get():
            outcome, work = task
            outcome.run(work)
            del task, outcome, work  # results belong to who waits for them
