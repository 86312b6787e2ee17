"""Lines for the system's log. Whoever keeps it may have stopped reading: that holds up nobody.

syslog(3) blocks while the log's socket is full, so this sends the same datagrams without waiting.
"""

import os
import socket
import syslog
import time
from contextlib import suppress

SOCKET = "/dev/log"


def log(level: int, message: str, path: str = SOCKET) -> None:
    """Send each line of ``message``, or lose it; ``level`` is one of ``syslog``."""
    head = f"<{level | syslog.LOG_DAEMON}>{time.strftime('%b %e %H:%M:%S')} vlanlink[{os.getpid()}]"
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        for line in message.splitlines():
            sender.sendto(f"{head}: {line}".encode(errors="replace"), socket.MSG_DONTWAIT, path)
