"""The question of ``up --confirm``: keep the change or roll it back."""

import os
import select
import signal
import sys
import termios
from contextlib import suppress
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from vlanlink.cli import output, terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from vlanlink import Plan

_YES = (b"", b"y", b"yes")


class Prompt:
    """The ``decide`` of ``vlanlink.up``: shows what was done, then polls for an answer.

    It writes nothing before: a blocked terminal would hold up the change. It ignores Ctrl-Z until
    the change is made, because others wait for the lock.
    """

    def __init__(self, topology: str, show: "Callable[[Plan], None]") -> None:
        """``show`` prints the plan that was carried out."""
        self._topology = topology
        self._show = show
        self._listens = sys.stdin.isatty()
        self._asked: int | None = None
        self._refused = False
        self._handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Prompt":
        """Ignore Ctrl-Z from here on."""
        self._handlers[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        """Restore the terminal and the signal handlers."""
        if self._asked is not None and output.is_rich(sys.stderr):
            self._write("\r\x1b[K")
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def __call__(self, done: "Plan", left: float) -> bool | None:
        """Enter: True. Ctrl-C: False. Neither: None."""
        if self._asked is None:
            self._begin(done)
        self._ask(round(left))
        if self._refused:
            return False
        return True if self._listens and self._entered() else None

    def _begin(self, done: "Plan") -> None:
        signal.signal(signal.SIGTSTP, self._handlers[signal.SIGTSTP])
        self._handlers[signal.SIGINT] = signal.signal(signal.SIGINT, self._refuse)
        self._show(done)
        if self._listens:  # input from before the question is not an answer
            with suppress(termios.error):
                termios.tcflush(sys.stdin, termios.TCIFLUSH)

    def _refuse(self, _signal: int, _frame: FrameType | None) -> None:
        self._refused = True

    def _ask(self, left: int) -> None:
        if self._listens:
            question = "Enter keeps it, Ctrl-C rolls it back now"
        else:
            question = f"`vlanlink confirm {self._topology}` keeps it"
        text = f"{question}; rolled back in {left} s"
        if output.is_rich(sys.stderr):
            if left != self._asked:
                self._write(f"\r\x1b[K{self._in_one_row(text, left)} ")
        elif self._asked is None:
            self._write(f"{text}\n")
        self._asked = left

    def _in_one_row(self, text: str, left: int) -> str:
        """What is written again each second can't be erased where it takes two rows."""
        room = terminal.width(sys.stderr) - 2
        short = f"Enter keeps, Ctrl-C undoes: {left} s" if self._listens else f"undone in {left} s"
        return text if len(text) <= room else short[:room]

    def _write(self, text: str) -> None:
        with suppress(OSError):  # the terminal may be gone
            sys.stderr.write(text)
            sys.stderr.flush()

    def _entered(self) -> bool:
        descriptor = sys.stdin.fileno()
        try:
            if os.tcgetpgrp(descriptor) != os.getpgrp():
                return False  # reading in the background would stop the process
            if not select.select([descriptor], [], [], 0)[0]:
                return False
            line = os.read(descriptor, 1024)
        except OSError:
            line = b""
        self._listens = line != b""  # EOF: nobody is at the terminal any more
        return line.endswith(b"\n") and line.strip().lower() in _YES
