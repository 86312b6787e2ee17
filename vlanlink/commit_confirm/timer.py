"""Commit or revert: the way back is in the hands of a process outside the session.

Where systemd runs that is a transient timer, which outlives the login; elsewhere a process in a
session of its own (setsid(2)), which no terminal's end and no signal to a group reaches. Both run
``vlanlink.reverter``, and nothing is changed before it is known to be there.
"""

import json
import os
import secrets
import select
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NoReturn

from vlanlink.errors import Diagnostic, PrivilegeError, TopologyError
from vlanlink.host import Host
from vlanlink.store.files import Store
from vlanlink.store.leases import Leases
from vlanlink.store.pending import PendingCommit, PendingFile, now
from vlanlink.store.record import Record
from vlanlink.topology import parse

READY: Final = "ready"
"""What the reverter says when it has all that it needs."""
_PROGRAM: Final = (sys.executable, "-P", "-m", "vlanlink.reverter")
_START_SECONDS = 60.0
_BOOTED = Path("/run/systemd/system")
"""There if systemd is the init, sd_booted(3)."""

Arm = Callable[[PendingFile], None]
"""Tells the reverter, which is there already, what it is for. Raises PrivilegeError."""


def pending_change(
    host: Host, before: Record, leases: Leases, *, marked: bool, seconds: float
) -> PendingCommit:
    """A change that is to be confirmed within ``seconds``, and what was before it.

    ``marked``: something of the topology is up. Raises PrivilegeError if it can't be known what.
    """
    topology, text, file = before.topology, before.text, before.file
    if marked and not text:
        _refuse(f"what {topology} is now is not known, for its copy is lost or has no text")
    if text:
        try:
            parse(text, file=file or topology)
        except TopologyError as error:
            _refuse(f"what {topology} is now can't be read: {error.diagnostics[0].message}")
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
def armed(store: Store, pending: PendingCommit) -> Iterator[PendingFile]:
    """The way back is armed; it is disarmed where the change fails meanwhile, and is undone.

    The lock must be held. The file stays open. Raises PrivilegeError if it can't be armed.
    """
    start = _try_unit if systemd_runs_here(pending.host) else _start_detached
    try:
        arm = start()
        file = store.write_pending(replace(pending, deadline=now() + pending.seconds))
    except OSError as error:
        _refuse(f"{error.filename or _PROGRAM[0]}: {error.strerror}")
    try:
        arm(file)
        yield file
    except BaseException as error:
        if not getattr(error, "not_undone", ()):
            file.settle("failed")
            disarm(pending)
        file.close()
        raise


def systemd_runs_here(host: Host) -> bool:
    """Whether a unit of systemd sees what this process sees: its init, network and mounts."""
    same = ["mnt"] if host.network_namespace else ["mnt", "net"]
    try:
        return (
            _BOOTED.is_dir()
            and shutil.which("systemd-run") is not None
            and all(
                os.path.samefile(f"/proc/thread-self/ns/{kind}", f"/proc/1/ns/{kind}")
                for kind in same
            )
        )
    except OSError:
        return False


def disarm(pending: PendingCommit) -> None:
    """Take the timer away that has nothing left to do; it would find that out by itself."""
    if systemd_runs_here(pending.host):
        with suppress(OSError, PrivilegeError):
            _run(["systemctl", "stop", f"{_unit(pending)}.timer"])


def _unit(pending: PendingCommit) -> str:
    return f"vlanlink-revert-{pending.topology}-{pending.token}"


def timer_command(pending: PendingCommit, path: Path) -> list[str]:
    """What arms a transient timer, systemd-run(1)."""
    return [
        "systemd-run",
        "--quiet",
        "--collect",
        f"--unit={_unit(pending)}",
        f"--description=vlanlink: put {pending.topology} back unless it is confirmed",
        f"--on-active={pending.seconds:g}s",
        "--timer-property=AccuracySec=100ms",
        "--",
        *_PROGRAM,
        str(path),
        pending.token,
    ]


def _try_unit() -> Arm:
    """See that a unit can run the reverter: it has no PYTHONPATH, and no directory of ours."""
    tried = _run(_PROGRAM, env={}, cwd="/", stdin=subprocess.DEVNULL)
    if tried.stdout.strip() != READY:
        _refuse(f"a unit can't run {' '.join(_PROGRAM)}: {_last_line(tried.stderr)}")
    return _arm_timer


def _arm_timer(file: PendingFile) -> None:
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


def _start_detached() -> Arm:
    """Start the reverter in a session of its own; it waits to be told what for."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        _PROGRAM, stdin=pipe, stdout=pipe, stderr=pipe, cwd="/", start_new_session=True, text=True
    )
    _await_ready(process)

    def arm(file: PendingFile) -> None:
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps([str(file.path), file.pending.token]) + "\n")
            process.stdin.flush()
        _await_ready(process)
        for stream in (process.stdin, process.stdout, process.stderr):
            assert stream is not None
            stream.close()
        process.returncode = 0  # nobody waits for it: no warning when it is forgotten

    return arm


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
    return lines[-1] if lines else "it said nothing"


def _refuse(why: str) -> NoReturn:
    message = f"the way back can't be armed: {why}"
    raise PrivilegeError(Diagnostic(message, hint="nothing was changed"))
