"""SIGINT, SIGTERM and SIGHUP end a run, until its work is complete."""

import signal
import sys
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SOON = 0.001
"""Seconds."""


class Interrupts:
    """The handler of the signals; its phase decides what becomes of one."""

    def __init__(self) -> None:
        """Raise from the start."""
        self.replaced: dict[signal.Signals, Any] = {}
        self._unraisable = sys.unraisablehook
        self._complete = False
        self._late = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt; once the work is complete, note only that a signal came."""
        del number, frame
        self._late = self._complete
        if not self._complete:
            raise KeyboardInterrupt

    def complete(self) -> None:
        """Nothing is undone any more: what was done is reported, and the exit code tells of it."""
        self._complete = True

    def resume(self) -> None:
        """Something else begins, or the output is waited for: raise what came meanwhile."""
        self._complete = False
        if self._late:
            self._late = False
            raise KeyboardInterrupt

    def install(self) -> None:
        """Handle the signals that the caller does not ignore, as nohup(1) and ``&`` of sh do."""
        for number in SIGNALS:
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:
                self.replaced[number] = before
                signal.signal(number, self)
        signal.signal(signal.SIGALRM, self)
        sys.unraisablehook = self._raise_again

    def uninstall(self) -> None:
        """Restore the handlers from before."""
        for number, before in self.replaced.items():
            signal.signal(number, before)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        sys.unraisablehook = self._unraisable

    def _raise_again(self, lost: Any) -> None:
        """Python drops what is raised in a finalizer or the callback of a weak reference."""
        if issubclass(lost.exc_type, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, _SOON)
        else:
            self._unraisable(lost)


def installed() -> Interrupts:
    """The handler in use; one that no signal reaches if there is none."""
    found = (signal.getsignal(number) for number in SIGNALS)
    return next((one for one in found if isinstance(one, Interrupts)), Interrupts())


def progressed(what: str) -> None:
    """A change tells of its progress: ``what`` is empty when it is complete."""
    if what:
        installed().resume()
    else:
        installed().complete()
