"""What DHCP adds to a plan: leases that count, those to get, and who is to renew them."""

import time
from collections.abc import Mapping, Sequence

from vlanlink.dataclass import replace
from vlanlink.desired.context import Context
from vlanlink.host import boot_id, since_boot
from vlanlink.model import HOST, Link, LinkName, State
from vlanlink.planning.dhcp_operations import AcquireLease, StartKeeper
from vlanlink.planning.operations import (
    MakeLink,
    MakeNamespace,
    Operation,
    RemoveAddress,
    RemoveLink,
    RemoveNamespace,
)
from vlanlink.planning.plan import Plan
from vlanlink.reconcile.observation import Observation
from vlanlink.store.dhcp_leases import DhcpLease, Endpoint
from vlanlink.store.keeper_file import Keeper, word_of


def with_leases(context: Context, observed: State) -> Context:
    """The context with what has not ended: leases whose address is in use, and advertised DNS."""
    now, leases = since_boot(), context.known
    boot = boot_id() if leases.held or leases.advertised else ""
    valid = leases.valid(boot, now)
    held = {key: lease for key, lease in valid.items() if _in_use(LinkName(*key), lease, observed)}
    heard = {
        key: one
        for key, one in leases.heard(boot, now).items()
        if observed.link(LinkName(*key)) is not None
    }
    return replace(context, dhcp=held, advertised=heard, now=now)


def of_others(context: Context, desired: State, observed: State) -> frozenset[Endpoint]:
    """Leases that were given to a client with another identifier: its server may end them."""
    return frozenset(
        key
        for key, lease in context.dhcp.items()
        if (link := desired.link(LinkName(*key)))
        and link.dhcp
        and lease.client
        and lease.client[0] != _identifier(link, observed)
    )


def _identifier(link: Link, observed: State) -> str:
    from vlanlink.dhcp.state import Client  # a topology without DHCP does without

    seen = observed.link(link.key)
    assert link.dhcp
    assert seen
    return Client(link.dhcp, str(link.settings.get("mac", seen.settings["mac"]))).client_id.hex()


def _in_use(key: LinkName, lease: DhcpLease, observed: State) -> bool:
    link = observed.link(key)
    return link is not None and any(one.text == lease.address for one in link.addresses)


def with_keeper(todo: Plan, context: Context, desired: State, observed: State) -> Plan:
    """The plan with what is to be done about leases: a keeper started, a lost lease explained."""
    if not any(link.dhcp for link in desired.links()):
        return todo
    running, lost = context.keeper, context.known.lost
    kept = running is not None and serves(running, desired, observed)
    operations = tuple(_explained(op, lost, kept=kept) for op in todo.operations)
    if not kept:
        why = "is gone" if running is None else "keeps other leases"
        operations += (StartKeeper(namespace=HOST, why=why),)
    return replace(todo, operations=operations)


def _explained(operation: Operation, lost: Mapping[Endpoint, float], *, kept: bool) -> Operation:
    """The operation, with what is known of a lease that is missing."""
    if not isinstance(operation, AcquireLease):
        return operation
    since = lost.get((operation.namespace, operation.dev))
    if since is None:
        return replace(operation, kept=kept)
    ago = max(0.0, since_boot() - since)
    clock = time.strftime("%H:%M:%S", time.localtime(time.time() - ago))
    return replace(operation, since=f"no answer since {clock}", kept=kept)


def endpoints(desired: State, observed: State) -> dict[LinkName, Link]:
    """The links that ask by DHCP, as they are, with the way in which they ask."""
    found = {}
    for link in desired.links():
        seen = observed.link(link.key)
        if link.dhcp and seen and seen.owner == link.owner:
            found[link.key] = replace(seen, dhcp=link.dhcp)
    return found


def serving(desired: State, observed: State) -> str:
    """Names for what a keeper keeps: each changes when its link does, or how it asks."""
    return " ".join(
        word_of(key, link.index, link.settings.get("mac"), link.dhcp)
        for key, link in sorted(endpoints(desired, observed).items())
    )


def serves(keeper: Keeper, desired: State, observed: State) -> bool:
    """Whether a keeper keeps all that is wanted; attachments may have ended meanwhile."""
    asking = {link.key for link in desired.links() if link.dhcp}
    if asking - endpoints(desired, observed).keys():
        return False
    return set(serving(desired, observed).split()) <= set(keeper.serves.split())


def for_kernel(todo: Plan) -> Plan:
    """The plan without what `reconcile` does itself."""
    own = (AcquireLease, StartKeeper)
    return replace(todo, operations=tuple(op for op in todo.operations if not isinstance(op, own)))


def without_leases(desired: State) -> State:
    """What can be had before the leases: no route of IPv4 on links that wait for theirs."""
    waiting = {link.key for link in desired.links() if link.awaits_lease}
    if not waiting:
        return desired
    spaces = {
        name: replace(
            space,
            links={n: replace(one, dhcp=None) for n, one in space.links.items()},
            routes=frozenset(
                route
                for route in space.routes
                if route.family != 4 or LinkName(name, route.dev) not in waiting
            ),
        )
        for name, space in desired.namespaces.items()
    }
    return replace(desired, namespaces=spaces)


def to_acquire(operations: Sequence[Operation], *, lost: bool) -> tuple[LinkName, ...]:
    """The links to get a lease for now; ``lost``: those too that the keeper goes on asking for."""
    return tuple(
        LinkName(op.namespace, op.dev)
        for op in operations
        if isinstance(op, AcquireLease) and (lost or not op.kept)
    )


def left_to_keeper(operation: Operation) -> bool:
    """Whether only the keeper can do it: it goes on asking for a lease that was lost."""
    return isinstance(operation, AcquireLease) and operation.kept


def disturbs_keeper(operations: Sequence[Operation], *, lost: bool) -> bool:
    """Whether a keeper has to end first.

    It holds namespaces and links that go or come, and sets an address again that is removed.
    ``lost``: as in ``to_acquire``.
    """
    kinds = MakeNamespace | RemoveNamespace | MakeLink | RemoveLink | RemoveAddress | StartKeeper
    return bool(to_acquire(operations, lost=lost)) or any(
        isinstance(op, kinds) for op in operations
    )


def keeps_others(seen: Observation) -> bool:
    """Whether the keeper asks for what is not wanted, and would set an address that it is given."""
    running = None if seen.narrowed else seen.context.keeper
    wanted = serving(seen.resolution.desired, seen.observed) if running else ""
    return running is not None and not set(running.serves.split()) <= set(wanted.split())
