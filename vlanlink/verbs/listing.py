"""What is on this machine: active networks, the kernel's state, unusable files."""

from contextlib import suppress
from typing import overload

from vlanlink.desired.attached import with_attachments
from vlanlink.desired.bound import bound
from vlanlink.errors import Diagnostic, TopologyError
from vlanlink.host import Host
from vlanlink.inventory import (
    ActiveTopology,
    NetworkDetail,
    NetworkSummary,
    describe_network,
    describe_networks,
    list_networks,
)
from vlanlink.model import State
from vlanlink.reconcile.checks import need_privilege
from vlanlink.reconcile.lookup import copy_of, need_name
from vlanlink.reconcile.recorded import recorded
from vlanlink.reconcile.session import Session, open_session, unusable


def networks(host: Host | None = None) -> tuple[NetworkSummary, ...]:
    """Networks of all active topologies, as `docker network ls` lists them."""
    need_privilege("listing the networks")
    with open_session(host) as session:
        return tuple(list_networks(_active(session)))


@overload
def inspect(name: str, host: Host | None = None) -> NetworkDetail: ...


@overload
def inspect(name: None = None, host: Host | None = None) -> tuple[NetworkDetail, ...]: ...


def inspect(
    name: str | None = None, host: Host | None = None
) -> NetworkDetail | tuple[NetworkDetail, ...]:
    """A network with its endpoints and the host's links that it uses; without a name, all networks.

    ``name`` is NETWORK, or TOPOLOGY/NETWORK if several topologies have a network of that name.
    Raises UsageError if there is none, or more than one.
    """
    need_privilege("inspecting a network")
    with open_session(host) as session:
        known = _active(session)
        if name is None:
            return tuple(describe_networks(known))
        owner, slash, _ = name.rpartition("/")
        if slash and owner not in {one.topology.name for one in known}:
            need_name(session, owner)
        return describe_network(name, known)


def _active(session: Session) -> list[ActiveTopology]:
    found, states = [], recorded(session)
    for record in session.store.records():
        with suppress(TopologyError):  # ``file_problems`` tells
            if record.text and record.topology in states:
                leases = session.store.leases(record.topology)
                attached = session.attachments(record.topology, leases).live
                state = states[record.topology]
                whole = with_attachments(bound(copy_of(record), state), attached)
                found.append(ActiveTopology(whole, leases.subnets, state))
    return found


def file_problems(host: Host | None = None) -> tuple[Diagnostic, ...]:
    """Warnings: files of vlanlink's own that can't be used, and copies of topologies in them."""
    with open_session(host) as session:
        contents = session.store.contents()
    found = [unusable(file) for file in contents.unreadable]
    for record in (record for record in contents.records if record.text):
        try:
            copy_of(record)
        except TopologyError as error:
            message = f"the copy of {record.topology} that up keeps can't be used"
            why = error.diagnostics[0].message
            hint = f"vlanlink up {record.file or 'FILE'} makes another, vlanlink down needs none"
            found.append(Diagnostic(f"{message}: {why}", hint=hint, severity="warning"))
    return tuple(found)


def snapshot(host: Host | None = None) -> State:
    """The kernel's state: the host's own namespace and every named one."""
    with open_session(host) as session:
        return session.snapshot()
