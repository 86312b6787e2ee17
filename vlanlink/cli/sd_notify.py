"""Status messages to the service manager, sd_notify(3).

Datagrams of NAME=VALUE lines to the socket in NOTIFY_SOCKET. The manual page describes the protocol
so that programs can implement it; the Python libraries are a C extension or unmaintained.
"""

import os
import socket
import time
from contextlib import suppress

from vlanlink import printable


class Service:
    """The state that is reported to the service manager; nothing is sent without one."""

    def __init__(self, *, ready_at_once: bool = False) -> None:
        """``ready_at_once``: ready after the first event, not when the topology is up."""
        self._address = os.environ.pop("NOTIFY_SOCKET", None)  # children must not inherit it
        self._needs_up = not ready_at_once
        self._ready = False
        for_us = os.environ.get("WATCHDOG_PID") in (None, str(os.getpid()))
        microseconds = os.environ.get("WATCHDOG_USEC", "") if for_us else ""
        self.beat_seconds = int(microseconds) / 2e6 if microseconds.isdigit() else None
        """Interval of signs of life: half the watchdog's timeout."""

    def report(self, event: str, status: str) -> None:
        """Report an event of a watch and the status line."""
        self._send(f"STATUS={printable(status)}")
        if event == "reloaded":
            self._ready, self._needs_up = False, False
            microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            self._send("RELOADING=1", f"MONOTONIC_USEC={microseconds}")
        elif not self._ready and (event == "up" or not self._needs_up):
            self._ready = True
            self._send("READY=1")

    def beat(self) -> None:
        """Send a sign of life."""
        if self.beat_seconds is not None:
            self._send("WATCHDOG=1")

    def close(self) -> None:
        """Announce the end."""
        self._send("STOPPING=1")

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        address = self._address.replace("@", "\0", 1) if self._address[:1] == "@" else self._address
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender,
        ):
            data = "\n".join(lines).encode(errors="replace")
            sender.sendto(data, socket.MSG_DONTWAIT, address)  # a full queue holds up nobody
