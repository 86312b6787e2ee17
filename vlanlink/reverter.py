"""What puts a change back that nobody confirms: ``python -m vlanlink.reverter``.

A timer starts it as ``reverter FILE TOKEN`` when the time is over. Else it is started before the
change, says that it is ready, and reads the same from a line of JSON. It ends when the change is
settled, by whomever; and without a line at once. At its start it gives up those
of root's capabilities that it has no use for.
"""

import json
import os
import sys
import syslog
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from vlanlink.commit_confirm.commit import put_back
from vlanlink.commit_confirm.timer import READY
from vlanlink.errors import VlanlinkError
from vlanlink.kernel.privilege import keep_needed_capabilities
from vlanlink.reconcile.session import open_session
from vlanlink.store.lock import LONGEST_LOCK_SECONDS
from vlanlink.store.pending import PendingFile

_POLL_SECONDS = 0.2
_TRIES = 5
_SECONDS_BETWEEN_TRIES = 2.0


def main(arguments: Sequence[str]) -> int:
    """Wait, and put it back when its time is over. Exit 1 if that failed."""
    told = list(arguments)
    if not told:
        print(READY, flush=True)
        line = sys.stdin.readline()
        if not line:
            return 0
        told = json.loads(line)
    path, token = told
    with suppress(FileNotFoundError), PendingFile(Path(path)) as file:
        if file.pending.token == token:
            _detach()
            return _wait(file)
    return 0


def _detach() -> None:
    with suppress(OSError):  # who started it may be gone already
        print(READY, flush=True)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)


def _wait(file: PendingFile) -> int:
    while file.outcome is None and file.pending.left > 0:
        time.sleep(_POLL_SECONDS)
    for attempt in range(_TRIES):
        try:
            if _put_back(file):
                _log(syslog.LOG_WARNING, f"{file.pending.topology} was not confirmed: put back")
        except VlanlinkError as error:
            _log(syslog.LOG_ERR, f"{file.pending.topology} could not be put back: {error}")
            time.sleep(_SECONDS_BETWEEN_TRIES * (attempt + 1))
        else:
            return 0
    return 1


def _put_back(file: PendingFile) -> bool:
    with open_session(file.pending.host) as session:
        return put_back(session, file, LONGEST_LOCK_SECONDS)


def _log(level: int, message: str) -> None:
    for line in message.splitlines():
        syslog.syslog(level | syslog.LOG_DAEMON, line)


if __name__ == "__main__":
    keep_needed_capabilities()
    syslog.openlog("vlanlink", syslog.LOG_PID)
    sys.exit(main(sys.argv[1:]))
