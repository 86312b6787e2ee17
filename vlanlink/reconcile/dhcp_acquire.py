"""``up`` and DHCP: leases for all endpoints at once, and the keeper that renews them."""

import os
import resource
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from vlanlink.dataclass import replace
from vlanlink.dhcp import client as machine
from vlanlink.dhcp.engine import Engine, LeaseAction
from vlanlink.dhcp.port import Port
from vlanlink.dhcp.state import Client, Configure, Send, summary
from vlanlink.errors import Problem, TopologyError
from vlanlink.host import boot_id, since_boot
from vlanlink.kernel.packet.client_socket import open_client
from vlanlink.kernel.packet.sockets import close_all
from vlanlink.model import HOST, Link, LinkName, State
from vlanlink.reconcile.apply import Progress, Unfinished
from vlanlink.reconcile.dhcp_plan import endpoints
from vlanlink.reconcile.lookup import copy_of
from vlanlink.reconcile.observation import Observation
from vlanlink.reconcile.session import Session
from vlanlink.store.dhcp_leases import DhcpLease, DhcpLeases, Endpoint

if TYPE_CHECKING:
    import socket

_SLICE_SECONDS = 0.1
"""How often an interrupt is looked for."""
_NAMED = 3


def acquire(
    session: Session,
    seen: Observation,
    now: State,
    wanted: Sequence[LinkName],
    progress: Progress | None = None,
) -> dict[Endpoint, DhcpLease]:
    """Leases for all of ``wanted``, written to the store. Raises Unfinished if one gets none."""
    name = seen.topology.name
    links = endpoints(seen.resolution.desired, now)
    before = session.store.dhcp_leases(name)
    asking = {key: links[key] for key in wanted if key in links}
    acquisition = _Acquisition(session, now, asking, progress)
    with many_files():
        clients = acquisition.run(before)
    lacking = [key for key, client in clients.items() if client.lease is None]
    if lacking:
        raise Unfinished(tuple(_explain(seen, now, clients, lacking)))
    found = {(key[0], key[1]): c.lease for key, c in clients.items() if c.lease is not None}
    _store(session, seen, found)
    return found


def _store(session: Session, seen: Observation, found: Mapping[Endpoint, DhcpLease]) -> None:
    """Keep the new leases with the others."""

    def renewed(before: DhcpLeases) -> DhcpLeases:
        now = before if before.boot == boot_id() else DhcpLeases(boot_id(), lost=before.lost)
        lost = {key: since for key, since in now.lost.items() if key not in found}
        heard = {key: one for key, one in now.advertised.items() if key not in found}
        return replace(now, held={**now.held, **found}, lost=lost, advertised=heard)

    try:
        session.store.edit_dhcp_leases(seen.topology.name, renewed)
    except OSError as error:
        raise Unfinished(f"can't write the DHCP leases: {error.strerror}") from None


class _Acquisition:
    """Clients in this process, until each has a lease or its time is over."""

    def __init__(
        self,
        session: Session,
        now: State,
        links: Mapping[LinkName, Link],
        progress: Progress | None,
    ) -> None:
        self._session = session
        self._progress = progress
        self._now = now
        self._links = links
        self._done: set[LinkName] = set()

    def run(self, before: DhcpLeases) -> dict[LinkName, Client]:
        """The clients at the end. Raises Unfinished if interrupted."""
        ports = open_ports(self._session, self._now, self._links)
        engine = Engine(ports, self._on_lease)
        try:
            began = since_boot()
            engine.add_all(
                (key, partial(_begin, link, before.held.get((key[0], key[1]))))
                for key, link in self._links.items()
            )
            while self._waiting(engine, began):
                self._report()
                engine.run_once(_SLICE_SECONDS)
                if self._session.machine.interrupted():
                    raise Unfinished(None)
        finally:
            close_all(engine.close())
        return engine.clients

    def _report(self) -> None:
        done, total = len(self._done), len(self._links)
        if self._progress and self._progress(done, total, "ask for addresses by DHCP") is False:
            self._session.machine.interrupt()

    def _on_lease(self, key: LinkName, action: LeaseAction) -> None:
        if isinstance(action, Configure):
            self._done.add(key)

    def _waiting(self, engine: Engine, began: float) -> bool:
        """Whether somebody waits; the pause after a DECLINE does not count."""
        now = since_boot()
        return any(
            now - began < _patience(client)
            for key, client in engine.clients.items()
            if key not in self._done
        )


_MOST_PAUSES = 6


def _patience(client: Client) -> float:
    pauses = min(client.tally.declined, _MOST_PAUSES)
    return client.config.timeout + pauses * machine.DECLINE_SECONDS


def _begin(link: Link, before: DhcpLease | None, now: float) -> machine.Step:
    client = new_client(link)
    same = before and (before.client is None or before.client[0] == client.words[0])
    return machine.start(client, now, before.bare if before and same else None)


def new_client(link: Link) -> Client:
    """The client of a link."""
    assert link.dhcp is not None
    return Client(link.dhcp, str(link.settings["mac"]), os.urandom(16))


def release(session: Session, seen: Observation) -> None:
    """Give back the leases whose addresses are in use; nobody answers, so nothing can fail."""
    own = seen.records.own
    held = session.store.dhcp_leases(seen.topology.name).valid(boot_id(), since_boot())
    with many_files(), suppress(Unfinished, TopologyError):
        if own is None:
            return
        before = session.observe(copy_of(own))
        links = {
            key: link
            for key, link in endpoints(before.resolution.desired, before.observed).items()
            if (key[0], key[1]) in before.context.dhcp
        }
        ports = open_ports(session, seen.observed, links)
        for key, port in ports.items():
            client = replace(new_client(links[key]), lease=held[key[0], key[1]])
            for action in machine.release(client, since_boot())[1]:
                assert isinstance(action, Send)
                port.send(client, action)
        close_all([each for port in ports.values() for each in port.sockets()])


def open_ports(
    session: Session, now: State, links: Mapping[LinkName, Link]
) -> dict[LinkName, Port]:
    """The sockets of the links' clients. Raises Unfinished."""
    work = [(key.namespace, partial(open_client, link.index)) for key, link in links.items()]
    parents = {
        key: parent
        for key, link in links.items()
        if link.dhcp and link.dhcp.shares_mac and (parent := now.link(link.parent))
    }
    work += [(HOST, partial(open_client, parent.index)) for parent in parents.values()]
    try:
        sockets = session.machine.inside(work)
    except OSError as error:
        raise Unfinished(f"can't open a socket for DHCP: {error.strerror}") from None
    own = dict(zip(links, sockets, strict=False))
    above: dict[LinkName, socket.socket] = dict(zip(parents, sockets[len(links) :], strict=True))
    return {
        key: Port(
            own[key],
            above.get(key),
            str(parents[key].settings["mac"]) if key in parents else "",
        )
        for key in links
    }


@contextmanager
def many_files() -> Iterator[None]:
    """Raise the soft limit on open files for a while: there are three sockets for an endpoint."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _explain(
    seen: Observation, now: State, clients: Mapping[LinkName, Client], lacking: Sequence[LinkName]
) -> Iterator[Problem]:
    """One problem for each parent: who got no lease, and what came back."""
    by_parent: dict[str, list[LinkName]] = {}
    attached = {one.id for one in seen.context.attached}  # not in the file
    for key in lacking:
        link = now.link(key)
        parent = link.parent.name if link and link.parent else key.name
        by_parent.setdefault(parent, []).append(key)
    for parent, keys in by_parent.items():
        link = seen.resolution.desired.link(keys[0])
        names = ", ".join(map(str, keys[:_NAMED]))
        more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
        seconds = max(clients[key].config.timeout for key in keys)
        came = summary([clients[key] for key in keys])
        below = now.link(LinkName(HOST, parent))
        dead = f" ({parent} has no carrier)" if below and not below.carrier else ""
        message = f"{names}{more}: no address by DHCP on {parent}{dead} in {seconds:g} s: {came}"
        hint = "is there a server on that LAN? dhcp = { timeout = … } waits longer"
        origin = link.origin if link and link.namespace not in attached else ()
        yield Problem(origin, message, hint, at_key=True)
