"""Renew the DHCP leases of a topology: ``python -m vlanlink.lease_keeper REQUEST``.

Two processes. The one that talks to the LAN gets its sockets opened, and keeps CAP_NET_ADMIN and
CAP_NET_RAW alone, as the user nobody. The other one waits; when a lease changes it writes that
down, and makes the machine what follows from it, under the lock, as ``up`` does.
"""

import json
import os
import re
import select
import signal
import socket
import sys
import syslog
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from vlanlink.commit_confirm.commit import pending_change
from vlanlink.dataclass import dataclass
from vlanlink.dhcp.guests import listen
from vlanlink.dhcp.namespace_sockets import NamespaceSockets, open_sockets
from vlanlink.dhcp.service import Endpoint, Guests, Service, fork
from vlanlink.errors import VlanlinkError
from vlanlink.host import Host, boot_id, since_boot
from vlanlink.kernel.privilege import become_nobody, die_with_parent, keep_needed_capabilities
from vlanlink.model import Link, LinkName, State
from vlanlink.reconcile.apply import Unfinished
from vlanlink.reconcile.dhcp_acquire import many_files, new_client, open_ports
from vlanlink.reconcile.dhcp_plan import endpoints, for_kernel
from vlanlink.reconcile.keeper_process import READY
from vlanlink.reconcile.lookup import stored
from vlanlink.reconcile.session import Session, open_session
from vlanlink.reconcile.up import reconcile
from vlanlink.store import keeper_file
from vlanlink.store.advertised import Advertised, advertised_from
from vlanlink.store.dhcp_leases import DhcpLeases, lease_from
from vlanlink.store.pending import read_host
from vlanlink.system_log import log

_QUIET_SECONDS = 0.2
"""Changes of many leases come together."""
_RETRY_SECONDS = 10.0
_LOOK_SECONDS = 5.0
"""How often a namespace without a name is looked for."""
_LARGEST = 1 << 16
_PROCESS = re.compile(r"/proc/(\d+)/")


@dataclass(frozen=True, slots=True)
class Request:
    """What the starter wants."""

    topology: str
    serves: str
    host: Host


def main(arguments: list[str]) -> int:
    """Renew until SIGTERM, or until nothing is left to renew."""
    with many_files():
        return _keep(_parse(arguments[0]))


def _parse(text: str) -> Request:
    data = json.loads(text)
    return Request(data["topology"], data["serves"], read_host(data["host"], "host"))


def _keep(request: Request) -> int:
    with open_session(request.host) as session:
        lock = keeper_file.claim(session.store.keeper_file(request.topology))
        if lock is None:
            print("another keeper renews the leases", file=sys.stderr)
            return 1
        try:
            opened = _open(session, request.topology)
        except (Unfinished, VlanlinkError) as error:
            print(getattr(error, "reason", error), file=sys.stderr)
            return 1
        guests = _guests(session.store.keeper_file(request.topology))
    pid, channel = fork(partial(_serve, opened, lock, guests))
    if guests:
        guests.at.close()
    _close(opened)
    keeper_file.write(lock, keeper_file.Keeper(os.getpid(), request.serves))
    supervisor = Supervisor(request, channel, opened.paths)
    signal.signal(signal.SIGTERM, supervisor.stop)
    keep_needed_capabilities()
    if not channel.recv(1):
        print("the process that renews ended at once", file=sys.stderr)
        return 1
    _detach()
    try:
        supervisor.run()
    except _Stopped:
        pass
    finally:
        channel.close()
        os.waitpid(pid, 0)
    return 0


def _guests(file: Path) -> Guests | None:
    """Where others ask; None if that can't be had: they start another keeper then."""
    try:
        return Guests(listen(file), os.geteuid())
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class _Opened:
    """What the child works with, and the namespaces' identities by path."""

    endpoints: Mapping[LinkName, Endpoint]
    sockets: Mapping[str, NamespaceSockets]
    paths: Mapping[str, tuple[str, int]]
    """By namespace, its path and inode."""


def _open(session: Session, topology: str) -> _Opened:
    """Open the sockets of every endpoint. Raises Unfinished, VlanlinkError."""
    seen = session.observe(stored(session, topology))
    links = endpoints(seen.resolution.desired, seen.observed)
    ports = open_ports(session, seen.observed, links)
    names = sorted({key.namespace for key in links})
    try:
        sockets = dict(zip(names, session.machine.inside(_sockets_of(links)), strict=True))
    except OSError as error:
        raise Unfinished(f"can't open the keeper's sockets: {error.strerror}") from None
    known = session.store.dhcp_leases(topology).held
    found = {}
    for key, link in links.items():
        before = known.get((key[0], key[1]))
        lease = seen.context.dhcp.get((key[0], key[1]))
        wanted = before.bare if before else None
        heard = seen.context.advertised.get((key[0], key[1]), Advertised())
        heard_of = heard if _hears(link) else None
        found[key] = Endpoint(link.index, new_client(link), ports[key], lease, wanted, heard_of)
    return _Opened(found, sockets, dict(_paths(seen.observed, names)))


def _sockets_of(links: Mapping[LinkName, Link]) -> list[tuple[str, Callable[[], NamespaceSockets]]]:
    """The namespaces, and how their sockets are opened."""
    hearing = {key.namespace for key, link in links.items() if _hears(link)}
    names = sorted({key.namespace for key in links})
    return [(name, partial(open_sockets, asking=name in hearing)) for name in names]


def _hears(link: Link) -> bool:
    return link.dhcp is not None and link.dhcp.hears_routers


def _paths(observed: State, names: list[str]) -> Iterator[tuple[str, tuple[str, int]]]:
    for name in names:
        path = observed.namespaces[name].path
        with suppress(OSError):
            if path:
                yield name, (path, os.stat(path).st_ino)


def _close(opened: _Opened) -> None:
    """Close the child's sockets here: they share its sockets, so that takes no grace period."""
    for endpoint in opened.endpoints.values():
        endpoint.port.close()
    for each in opened.sockets.values():
        each.close()


def _serve(opened: _Opened, lock: int, guests: Guests | None, channel: socket.socket) -> None:
    """The child: drop all rights but two, then renew until the parent hangs up."""
    os.close(lock)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the parent tells
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _silence()
    become_nobody("CAP_NET_ADMIN", "CAP_NET_RAW")
    die_with_parent()
    channel.send(b"+")
    Service(opened.endpoints, opened.sockets, channel, guests).run()


class _Stopped(Exception):  # noqa: N818 - raised by the signal handler
    """SIGTERM."""


class Supervisor:
    """The parent: hears of leases and routers, writes that down, and makes what follows."""

    def __init__(
        self, request: Request, channel: socket.socket, paths: Mapping[str, tuple[str, int]]
    ) -> None:
        """Start with the leases in the store."""
        self._request = request
        self._channel = channel
        self._paths = dict(paths)
        self._held: dict[tuple[str, str], Any] = {}
        self._lost: dict[tuple[str, str], float] = {}
        self._heard: dict[tuple[str, str], Advertised] = {}
        self._unwritten = False
        self._retry_at: float | None = None

    def stop(self, *_: object) -> NoReturn:
        """The handler of SIGTERM."""
        raise _Stopped

    def run(self) -> None:
        """Go on until the child ends or every namespace is gone."""
        with open("/proc/self/mountinfo") as mounts:
            poll = select.poll()
            poll.register(self._channel, select.POLLIN)
            poll.register(mounts, select.POLLPRI | select.POLLERR)
            while self._paths:
                ends = list(self._follow_processes(poll))
                events = dict(poll.poll(self._wait() * 1000))
                for descriptor in ends:
                    poll.unregister(descriptor)
                    os.close(descriptor)
                if self._channel.fileno() in events and not self._hear():
                    return
                self._drop_gone()
                self._follow()

    def _follow_processes(self, poll: "select.poll") -> Iterator[int]:
        """Hear of the end of processes that a namespace is found by: pidfds."""
        for path, _ in self._paths.values():
            if process := _PROCESS.match(path):
                with suppress(OSError):
                    descriptor = os.pidfd_open(int(process[1]))
                    poll.register(descriptor, select.POLLIN)
                    yield descriptor

    def _wait(self) -> float:
        if self._unwritten:
            return _QUIET_SECONDS
        if self._retry_at is not None:
            return max(0.0, self._retry_at - time.monotonic())
        return _LOOK_SECONDS

    def _hear(self) -> bool:
        """Take a message of the child; False if it ended."""
        try:
            data = self._channel.recv(_LARGEST)
        except OSError:
            data = b""
        if not data:
            return False
        told = json.loads(data)
        key = (told["endpoint"][0], told["endpoint"][1])
        if "joined" in told or "left" in told:
            self._take_guest(key, told)
            return True
        if "advertised" in told:
            self._take_advertised(key, told)
        elif told["lease"] is None:
            self._lost[key] = since_boot()
            self._held[key] = None
            log(syslog.LOG_WARNING, f"{'/'.join(key)}: lost its lease: {told['why']}")
        else:
            self._held[key] = lease_from(told["lease"], "a lease")
            self._lost.pop(key, None)
        if told["changed"] and told.get("lease"):
            log(syslog.LOG_INFO, f"{'/'.join(key)}: {told['lease']['address']} by DHCP")
        if told["changed"]:
            self._retry_at = time.monotonic()
        self._unwritten = True
        return True

    def _take_guest(self, key: tuple[str, str], told: Mapping[str, Any]) -> None:
        """An endpoint has joined or left; who asked for that writes its lease down."""
        for known in (self._held, self._lost, self._heard):
            known.pop(key, None)
        if "joined" in told:
            self._paths[key[0]] = told["joined"][0], told["joined"][1]
        elif told["left"]:
            self._paths.pop(key[0], None)

    def _take_advertised(self, key: tuple[str, str], told: Mapping[str, Any]) -> None:
        self._heard[key] = advertised_from(told["advertised"], "DNS")
        if told["changed"]:
            servers = ", ".join(self._heard[key].servers) or "none"
            log(syslog.LOG_INFO, f"{'/'.join(key)}: name servers by routers: {servers}")

    def _drop_gone(self) -> None:
        """Let go of namespaces that lost their name: our sockets would keep them alive."""
        gone = [name for name, place in self._paths.items() if not _is_there(*place)]
        elsewhere = self._attached() if gone else {}
        for name in list(gone):
            path, inode = elsewhere.get(name, ""), self._paths[name][1]
            if _is_there(path, inode):  # by another process in it
                self._paths[name] = path, inode
                gone.remove(name)
        dropped = [(name, self._paths.pop(name)[1]) for name in gone]
        if dropped:
            self._channel.send(json.dumps(dropped).encode())

    def _attached(self) -> dict[str, str]:
        """Where the namespaces of attachments are, by id."""
        with suppress(OSError, VlanlinkError), open_session(self._request.host) as session:
            return {one.id: one.path for one in session.attachments(self._request.topology).live}
        return {}

    def _follow(self) -> None:
        """Write the leases down, and make what follows, when nothing more is heard."""
        if self._unwritten and select.select([self._channel], [], [], _QUIET_SECONDS)[0]:
            return
        try:
            if self._unwritten:
                self._write()
            if self._retry_at is not None and time.monotonic() >= self._retry_at:
                self._retry_at = None
                self._reconcile()
        except (OSError, VlanlinkError) as error:
            log(syslog.LOG_ERR, f"{self._request.topology}: {error}")
            self._retry_at = time.monotonic() + _RETRY_SECONDS

    def _write(self) -> None:
        """Change what the store has of the endpoints that were heard of."""
        topology = self._request.topology
        with open_session(self._request.host) as session:
            session.store.edit_dhcp_leases(topology, self._added)
        self._unwritten = False

    def _added(self, before: DhcpLeases) -> DhcpLeases:
        """What was heard, added to what is known. Who left is heard of before it is forgotten."""
        while select.select([self._channel], [], [], 0)[0] and self._hear():
            pass
        old = before if before.boot == boot_id() else DhcpLeases(boot_id(), lost=before.lost)
        held = {**old.held, **{k: lease for k, lease in self._held.items() if lease}}
        since = {**self._lost, **old.lost}  # the earlier one
        lost = {key: then for key, then in since.items() if not self._held.get(key)}
        heard = {**old.advertised, **self._heard}
        heard = {key: one for key, one in heard.items() if one.ends}
        return DhcpLeases(boot_id(), held, lost, heard)

    def _reconcile(self) -> None:
        """What follows from the leases: routes, the shim, DNS, MTU."""
        topology = self._request.topology
        with open_session(self._request.host) as session, session.locked():
            if pending_change(session, topology) is not None:
                self._retry_at = time.monotonic() + _RETRY_SECONDS
                return
            seen = session.observe(stored(session, topology))
            if for_kernel(seen.todo).operations and not seen.problems():
                reconcile(session, seen, by_keeper=True)


def _is_there(path: str, inode: int) -> bool:
    try:
        return os.stat(path).st_ino == inode
    except OSError:
        return False


def _detach() -> None:
    """Tell the starter that leases are renewed, and let go of its streams."""
    with suppress(OSError):
        print(READY, flush=True)
    _notify()
    _silence()


def _silence() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.close(null)


def _notify() -> None:
    """Tell the service manager (sd_notify(3))."""
    address = os.environ.pop("NOTIFY_SOCKET", "")
    address = address.replace("@", "\0", 1) if address[:1] == "@" else address
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        if address:
            sender.sendto(b"READY=1", address)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
