"""Roll back a change that nobody confirms: ``python -m vlanlink.reverter``.

A timer starts it as ``reverter FILE TOKEN`` when the time is over. Without systemd it starts before
the change, prints that it is ready, and reads the same two words as a line of JSON from stdin. It
exits when the change is settled, or at once if stdin closes. It keeps only the capabilities that it
needs.
"""

import json
import os
import sys
import syslog
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from vlanlink.commit_confirm.commit import roll_back
from vlanlink.commit_confirm.timer import READY
from vlanlink.errors import VlanlinkError
from vlanlink.kernel.privilege import keep_needed_capabilities
from vlanlink.reconcile.session import open_session
from vlanlink.store.lock import LONGEST_LOCK_SECONDS
from vlanlink.store.pending import PendingFile
from vlanlink.system_log import log

_POLL_SECONDS = 0.2
_TRIES = 5
_SECONDS_BETWEEN_TRIES = 2.0


def main(arguments: Sequence[str]) -> int:
    """Wait until the time is over, then roll back. Exit 1 if that failed."""
    words = list(arguments)
    if not words:
        print(READY, flush=True)
        line = sys.stdin.readline()
        if not line:
            return 0
        words = json.loads(line)
    path, token = words
    with suppress(FileNotFoundError), PendingFile(Path(path)) as file:
        if file.pending.token == token:
            _detach()
            return _wait(file)
    return 0


def _detach() -> None:
    with suppress(OSError):  # the starter may be gone already
        print(READY, flush=True)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)


def _wait(file: PendingFile) -> int:
    while file.outcome is None and file.pending.left > 0:
        time.sleep(_POLL_SECONDS)
    for attempt in range(_TRIES):
        try:
            if _roll_back(file):
                log(syslog.LOG_WARNING, f"{file.pending.topology} was not confirmed: rolled back")
        except VlanlinkError as error:
            log(syslog.LOG_ERR, f"{file.pending.topology} could not be rolled back: {error}")
            time.sleep(_SECONDS_BETWEEN_TRIES * (attempt + 1))
        else:
            return 0
    return 1


def _roll_back(file: PendingFile) -> bool:
    with open_session(file.pending.host) as session:
        return roll_back(session, file, LONGEST_LOCK_SECONDS)


if __name__ == "__main__":
    keep_needed_capabilities()
    sys.exit(main(sys.argv[1:]))
