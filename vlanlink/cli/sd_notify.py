"""The service manager told how a command stands: the protocol of sd_notify(3).

A datagram of NAME=VALUE lines to the socket that the environment names. The manual page has it
for programs to speak themselves; the libraries for Python are a C extension or not kept up.
"""

import os
import socket
import time
from contextlib import suppress


class Service:
    """What the service manager wants to know; nothing is sent where there is none."""

    def __init__(self, *, ready_at_once: bool = False) -> None:
        """``ready_at_once``: at the first event, whatever it is, and not when all is up."""
        self._address = os.environ.pop("NOTIFY_SOCKET", None)  # not for what we start
        self._awaited = not ready_at_once
        self._ready = False
        for_us = os.environ.get("WATCHDOG_PID") in (None, str(os.getpid()))
        microseconds = os.environ.get("WATCHDOG_USEC", "") if for_us else ""
        self.beat_seconds = int(microseconds) / 2e6 if microseconds.isdigit() else None
        """How often a sign of life is wanted: twice in the time that is given."""

    def tell(self, event: str, status: str) -> None:
        """An event of a watch, and how things stand with it."""
        self._send(f"STATUS={status}")
        if event == "reloaded":
            self._ready, self._awaited = False, False
            microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            self._send("RELOADING=1", f"MONOTONIC_USEC={microseconds}")
        elif not self._ready and (event == "up" or not self._awaited):
            self._ready = True
            self._send("READY=1")

    def beat(self) -> None:
        """A sign of life."""
        if self.beat_seconds is not None:
            self._send("WATCHDOG=1")

    def close(self) -> None:
        """The end is near."""
        self._send("STOPPING=1")

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        address = self._address.replace("@", "\0", 1) if self._address[:1] == "@" else self._address
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender,
        ):
            sender.sendto("\n".join(lines).encode(), address)
