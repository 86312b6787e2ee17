"""The automatic rollback, scheduled outside the user's session.

With systemd it is a transient timer, which outlives the login; without, a process in its own
session (setsid(2)), out of reach of a hangup and of signals to a process group. Both run
``vlanlink.reverter``. Nothing is changed before one of them is known to work.
"""

import json
import os
import secrets
import select
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NoReturn

from vlanlink.boot.systemctl import systemd_runs_here
from vlanlink.dataclass import replace
from vlanlink.errors import Diagnostic, PrivilegeError, TopologyError
from vlanlink.host import Host
from vlanlink.store.files import Store
from vlanlink.store.leases import Leases
from vlanlink.store.pending import PendingCommit, PendingFile, now
from vlanlink.store.record import Record
from vlanlink.topology import parse

READY: Final = "ready"
"""The reverter prints it when it has everything it needs."""
_PROGRAM: Final = (sys.executable, "-P", "-m", "vlanlink.reverter")
_START_SECONDS = 60.0

Start = Callable[[PendingFile], None]
"""Hands the pending change to the reverter. Raises PrivilegeError."""


def new_pending(
    host: Host, before: Record, leases: Leases, *, marked: bool, seconds: float
) -> PendingCommit:
    """A change to be confirmed within ``seconds``, and the state to roll back to.

    ``marked``: parts of the topology are up. Raises PrivilegeError if that state is unknown.
    """
    topology, text, file = before.topology, before.text, before.file
    if marked and not text:
        _refuse(f"{topology} is up, but the copy of its file is lost or empty")
    if text:
        try:
            parse(text, file=file or topology)
        except TopologyError as error:
            _refuse(f"the copy of {topology} has errors: {error.diagnostics[0].message}")
    return PendingCommit(
        topology=topology,
        token=secrets.token_hex(4),
        seconds=seconds,
        deadline=now() + seconds,
        process=os.getpid(),
        host=host,
        leases=leases,
        text=text,
        file=file,
    )


@contextmanager
def scheduled(store: Store, pending: PendingCommit) -> Iterator[PendingFile]:
    """Schedule the rollback; cancel it if the change fails and is undone.

    The caller holds the lock. The file stays open. Raises PrivilegeError if scheduling fails.
    """
    prepare = _try_unit if systemd_runs_here(pending.host) else _start_detached
    try:
        start = prepare()
        file = store.write_pending(replace(pending, deadline=now() + pending.seconds))
    except OSError as error:
        _refuse(f"{error.filename or _PROGRAM[0]}: {error.strerror}")
    try:
        start(file)
        yield file
    except BaseException as error:
        if not getattr(error, "not_undone", ()):
            file.settle("failed")
            cancel(pending)
        file.close()
        raise


def cancel(pending: PendingCommit) -> None:
    """Remove the timer of a settled change; left alone, it would fire and do nothing."""
    if systemd_runs_here(pending.host):
        with suppress(OSError, PrivilegeError):
            _run(["systemctl", "stop", f"{_unit(pending)}.timer"])


def _unit(pending: PendingCommit) -> str:
    return f"vlanlink-revert-{pending.topology}-{pending.token}"


def timer_command(pending: PendingCommit, path: Path) -> list[str]:
    """The command that starts a transient timer, systemd-run(1)."""
    return [
        "systemd-run",
        "--quiet",
        "--collect",
        f"--unit={_unit(pending)}",
        f"--description=vlanlink: roll back {pending.topology} unless confirmed",
        f"--on-active={pending.seconds:g}s",
        "--timer-property=AccuracySec=100ms",
        "--",
        *_PROGRAM,
        str(path),
        pending.token,
    ]


def _try_unit() -> Start:
    """Check that a unit can run the reverter: it has neither PYTHONPATH nor our directory."""
    tried = _run(_PROGRAM, env={}, cwd="/", stdin=subprocess.DEVNULL)
    if tried.stdout.strip() != READY:
        _refuse(f"a unit can't run {' '.join(_PROGRAM)}: {_last_line(tried.stderr)}")
    return _start_timer


def _start_timer(file: PendingFile) -> None:
    done = _run(timer_command(file.pending, file.path))
    if done.returncode != 0:
        _refuse(f"systemd-run failed: {_last_line(done.stderr)}")


def _run(command: Sequence[str], **options: Any) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=_START_SECONDS, check=False, **options
        )
    except subprocess.TimeoutExpired:
        _refuse(f"{' '.join(command)} did not end within {_START_SECONDS:g} s")


def _start_detached() -> Start:
    """Start the reverter in its own session; it waits for the pending change on stdin."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        _PROGRAM, stdin=pipe, stdout=pipe, stderr=pipe, cwd="/", start_new_session=True, text=True
    )
    _await_ready(process)

    def start(file: PendingFile) -> None:
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps([str(file.path), file.pending.token]) + "\n")
            process.stdin.flush()
        _await_ready(process)
        for stream in (process.stdin, process.stdout, process.stderr):
            assert stream is not None
            stream.close()
        process.returncode = 0  # nobody waits for it: no ResourceWarning

    return start


def _await_ready(process: "subprocess.Popen[str]") -> None:
    assert process.stdout is not None
    poll = select.poll()  # select(2) ends at descriptor 1023
    poll.register(process.stdout, select.POLLIN)
    if poll.poll(_START_SECONDS * 1000) and process.stdout.readline().strip() == READY:
        return
    process.kill()
    _, told = process.communicate()
    _refuse(f"{' '.join(_PROGRAM)} did not start: {_last_line(told)}")


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no output"


def _refuse(why: str) -> NoReturn:
    message = f"can't schedule the rollback: {why}"
    raise PrivilegeError(Diagnostic(message, hint="nothing was changed"))
