"""Wait for parents, and for the addresses that shims need: a NIC that udev renames, a lease."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from vlanlink.desired.bound import bound
from vlanlink.desired.parent_names import missing_parents
from vlanlink.errors import Diagnostic, Interrupted
from vlanlink.reconcile.session import Session, kernel_errors
from vlanlink.topology import NetworkConfig, Topology
from vlanlink.topology.mac_parents import is_by_mac

if TYPE_CHECKING:
    from vlanlink.kernel.monitor import Arrivals

OnWait = Callable[[tuple[str, ...]], None]
"""Called with what is missing, again whenever that changes."""
_SLICE_SECONDS = 0.25
"""Interval at which a wait checks whether it should stop."""

_REFRESH_SECONDS = 1.0
"""Interval at which all links are read again."""


def await_parents(
    session: Session, topology: Topology, seconds: float, on_wait: OnWait | None = None
) -> None:
    """Return when every parent is there, with its address where the file waits for that.

    After ``seconds`` it returns anyway: ``observe`` tells what is missing.

    The kernel announces new links; nothing is locked meanwhile. Raises Interrupted.
    """
    looked = time.monotonic()
    deadline = looked + seconds
    told: tuple[str, ...] = ()
    machine = session.machine
    try:
        with kernel_errors(), machine.arrivals() as links:
            while missing := _missing(session, topology, links):
                if machine.interrupted():
                    raise KeyboardInterrupt
                news, told = missing != told, missing
                if on_wait and news:
                    on_wait(missing)
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                links.wait(min(left, _SLICE_SECONDS))
                if time.monotonic() - looked > _REFRESH_SECONDS:
                    links.refresh()
                    looked = time.monotonic()
    except KeyboardInterrupt:
        message = f"interrupted while waiting for {', '.join(told)}; nothing was changed"
        raise Interrupted(Diagnostic(message)) from None


def _missing(session: Session, topology: Topology, links: "Arrivals") -> tuple[str, ...]:
    """Missing parents by name, and the missing addresses of others."""
    parents = missing_parents(topology, links.names())
    if any(one.wait and is_by_mac(one.parent or "") for one in topology.networks.values()):
        topology = bound(topology, session.host_snapshot())
    addresses = (
        f"an IPv{family} address of {network.parent}"
        for network in topology.networks.values()
        if network.wait and network.parent and network.parent not in parents
        for family in sorted(_families(network) - links.families(network.parent))
    )
    return (*parents, *dict.fromkeys(addresses))


def _families(network: NetworkConfig) -> frozenset[int]:
    """The families of a network's subnets; IPv4 without any."""
    return frozenset(subnet.subnet.version for subnet in network.subnets or ()) or frozenset({4})
