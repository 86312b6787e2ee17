"""Start and stop the process that renews a topology's leases (``vlanlink.lease_keeper``)."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from vlanlink.boot import unit
from vlanlink.boot.systemctl import systemd_runs_here
from vlanlink.dhcp.guests import leave
from vlanlink.errors import VlanlinkError
from vlanlink.model import Link, LinkName, State
from vlanlink.reconcile.apply import Unfinished
from vlanlink.reconcile.dhcp_plan import endpoints, serving
from vlanlink.reconcile.lookup import copy_of
from vlanlink.reconcile.observation import Observation
from vlanlink.reconcile.session import Session
from vlanlink.store import keeper_file
from vlanlink.store.pending import host_row

PROGRAM: Final = "vlanlink.lease_keeper"
READY: Final = "ready"
"""The keeper prints it when it renews."""
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.01


def settle(session: Session, topology: str, desired: State, now: State) -> None:
    """Have the leases renewed that are there now, or nobody where there are none.

    Raises Unfinished if the keeper can't be started.
    """
    running = keeper_file.find(session.store.keeper_file(topology))
    if not endpoints(desired, now):
        stop(session, topology)
    elif running is None or running.serves != serving(desired, now):
        stop(session, topology)
        start(session, topology, serving(desired, now))


def settle_part(session: Session, part: Observation, now: State) -> None:
    """Have the keeper serve an attachment, too; one is started if none runs. Raises Unfinished."""
    links = endpoints(part.resolution.desired, now)
    file = session.store.keeper_file(part.topology.name)
    running = keeper_file.find(file)
    try:
        if running is None:
            raise ConnectionRefusedError
        for key, link in links.items():
            if serving(part.resolution.desired, now) not in running.serves.split():
                _name(file, running.pid, _joined(session, part, now, {key: link}))
    except OSError:  # it is gone, or of another release
        _settle_whole(session, part)


def _joined(session: Session, part: Observation, now: State, links: Mapping[LinkName, Link]) -> str:
    """What the keeper serves once an endpoint has joined. Raises OSError, Unfinished."""
    from vlanlink.dhcp.joining import Joining, join  # detach does without
    from vlanlink.dhcp.namespace_sockets import open_sockets
    from vlanlink.reconcile.dhcp_acquire import new_client, open_ports

    ((key, link),) = links.items()
    record = next(one.record for one in part.context.attached if one.id == key.namespace)
    port = open_ports(session, now, links)[key]
    (sockets,) = session.machine.inside([(key.namespace, open_sockets)])
    lease = part.context.dhcp[key[0], key[1]]
    client, inode = new_client(link), record.inode
    one = Joining(key, link.index, client, port.parent_mac, lease, record.path, inode)
    own, *parent = port.sockets()
    try:
        files = [own.fileno(), sockets.requests.fileno(), sockets.events.fileno()]
        file = session.store.keeper_file(part.topology.name)
        return join(file, one, files + [each.fileno() for each in parent])
    finally:
        port.close()
        sockets.close()


def part_with(session: Session, topology: str, keys: Collection[LinkName]) -> bool:
    """Have the keeper let go of some links, or end; whether it had any of them."""
    file = session.store.keeper_file(topology)
    running = keeper_file.find(file)
    if running is None:
        return False
    try:
        left = leave(file, keys)
    except OSError:
        return stop(session, topology)
    _name(file, running.pid, left)
    return set(left.split()) != set(running.serves.split())


def _name(file: Path, pid: int, serves: str) -> None:
    with suppress(OSError):  # `status` says then that it keeps other leases
        keeper_file.rewrite(file, keeper_file.Keeper(pid, serves))


def _settle_whole(session: Session, part: Observation) -> None:
    """Start a keeper of the whole topology after a change of a part. Raises Unfinished."""
    own, wanted = part.records.own, session.machine.wanted
    assert own is not None
    try:
        whole = session.observe(copy_of(own))
    except VlanlinkError as error:
        raise Unfinished(f"can't start the DHCP keeper: {error}") from None
    finally:
        session.machine.wanted = wanted  # what undo looks at
    settle(session, own.topology, whole.resolution.desired, whole.observed)


def restart(session: Session, seen: Observation) -> None:
    """Start the keeper of what was up before a change that failed."""
    own = seen.records.own
    if own is None or not own.text:
        return
    with suppress(VlanlinkError, Unfinished):  # `status` tells that it is gone
        before = session.observe(copy_of(own))
        settle(session, before.topology.name, before.resolution.desired, before.observed)


def start(session: Session, topology: str, serves: str) -> None:
    """Start the keeper and wait until it renews. Raises Unfinished."""
    request = json.dumps({"topology": topology, "serves": serves, "host": host_row(session.host)})
    command = [sys.executable, "-P", "-m", PROGRAM, request]
    if systemd_runs_here(session.host) and not _in_unit_of(topology):
        _start_unit(topology, command)
    else:
        _start_detached(command)


def _in_unit_of(topology: str) -> bool:
    """Whether this process belongs to the topology's unit; the keeper does too then."""
    try:
        return f"/{unit.name(topology)}\n" in Path("/proc/self/cgroup").read_text()
    except OSError:
        return False


def _start_unit(topology: str, command: list[str]) -> None:
    """In a unit of its own it outlives the session of who started it (systemd-run(1))."""
    words = [
        "systemd-run",
        "--quiet",
        "--collect",
        f"--unit=vlanlink-dhcp-{topology}",
        f"--description=vlanlink: DHCP leases of {topology}",
        "--property=Type=notify",
        "--",
        *(word.replace("$", "$$") for word in command),
    ]
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=_START_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unfinished(f"can't start the DHCP keeper: {error}") from None
    if done.returncode != 0:
        raise Unfinished(f"can't start the DHCP keeper: {_last_line(done.stderr)}")


def _start_detached(command: list[str]) -> None:
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            cwd="/",
            env={key: value for key, value in os.environ.items() if key != "NOTIFY_SOCKET"},
            start_new_session=True,
            text=True,
        )
    except OSError as error:
        raise Unfinished(f"can't start the DHCP keeper: {error.strerror}") from None
    assert process.stdout is not None
    assert process.stderr is not None
    poll = select.poll()
    poll.register(process.stdout, select.POLLIN)
    ready = poll.poll(_START_SECONDS * 1000) and process.stdout.readline().strip() == READY
    if not ready:
        process.kill()
        _, told = process.communicate()
        raise Unfinished(f"can't start the DHCP keeper: {_last_line(told)}")
    process.stdout.close()
    process.stderr.close()
    process.returncode = 0  # nobody waits for it: no ResourceWarning


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it ended without a word"


def stop(session: Session, topology: str) -> bool:
    """End the keeper and wait until its sockets are closed; whether there was one."""
    path = session.store.keeper_file(topology)
    running = keeper_file.find(path)
    if running is None:
        keeper_file.remove(path)
        return False
    for number in (signal.SIGTERM, signal.SIGKILL):
        if _ended(path, number):
            break
    keeper_file.remove(path)
    return True


def _ended(path: Path, number: int) -> bool:
    """Send a signal; whether the keeper ends of it."""
    deadline = time.monotonic() + _STOP_SECONDS
    sent = False
    while (running := keeper_file.find(path)) is not None:
        if time.monotonic() > deadline:
            return False
        if not sent and running.pid and _is_keeper(running.pid):
            sent = True
            with suppress(ProcessLookupError):
                _signal(running.pid, number, deadline)
        time.sleep(_POLL_SECONDS)
    return True


def _signal(pid: int, number: int, deadline: float) -> None:
    """Signal a process and wait for its end."""
    descriptor = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(descriptor, number)
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
    finally:
        os.close(descriptor)


def _is_keeper(pid: int) -> bool:
    """Whether the pid is that of a keeper in this pid namespace."""
    try:
        return PROGRAM.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
