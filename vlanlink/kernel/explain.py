"""Hints for refusals whose errno misleads, from the facts in a snapshot."""

import errno
import os

from vlanlink.errors import printable, shell_word
from vlanlink.kinds import KINDS, rx_handler
from vlanlink.kinds.kind import IPV6_MINIMUM_MTU
from vlanlink.model import Link, State
from vlanlink.planning.operations import (
    AddAddress,
    AddRoute,
    MakeLink,
    MakeNamespace,
    Operation,
    Refused,
    SetLink,
    WriteFile,
    WriteSysctl,
)


def explain(operation: Operation, number: int, text: str, state: State) -> str | None:
    """A hint for the user; None if the kernel's own text is clear."""
    if number == errno.EPERM and isinstance(operation, (MakeNamespace, WriteFile)) and text:
        return "who can write there could replace what vlanlink writes: chown root, chmod go-w"
    if number == errno.EPERM and isinstance(operation, MakeNamespace) and os.geteuid() == 0:
        return "a namespace's name is a mount: in a user namespace, use unshare -Urnm, not -Urn"
    if number in (errno.EPERM, errno.EACCES):
        return "run it as root: sudo vlanlink …"
    if isinstance(operation, MakeLink):
        return _explain_make(operation.link, number, text, state)
    if isinstance(operation, SetLink) and number == errno.EADDRINUSE:
        return _who_has_mac(operation, state)
    if (
        isinstance(operation, AddAddress)
        and number == errno.EINVAL
        and operation.address.family == 6
    ):
        return _which_mtu(state)
    if isinstance(operation, AddRoute) and number == errno.EEXIST:
        return _who_has_route(operation, state)
    if isinstance(operation, WriteSysctl) and number == errno.ENOENT:
        return "this kernel doesn't have the sysctl, or not in this namespace"
    return None


def _explain_make(link: Link, number: int, text: str, state: State) -> str | None:
    kind = KINDS[link.kind]
    parent = state.link(link.parent)
    if number == errno.EOPNOTSUPP and "nknown" in (text or "unknown"):
        return f"the kernel lacks {kind.module}: modprobe {kind.module}"
    if parent is None:
        return None
    if number == errno.EBUSY:
        return _who_holds(parent, link, state)
    if number == errno.EINVAL and kind.rx_handler:
        mtu, above = link.settings.get("mtu"), parent.settings.get("mtu")
        if isinstance(mtu, int) and isinstance(above, int) and mtu > above:
            return f"mtu {mtu} exceeds the mtu of {parent.key} ({above}): raise that first"
        for other in state.children(parent.key):
            if other.kind == link.kind and kind.exclusive(other.settings):
                return f"{other.key} uses {parent.key} exclusively ({other.kind} passthru)"
    return None


def _who_holds(parent: Link, link: Link, state: State) -> str | None:
    if parent.master:
        return f"{parent.key} is a port of {parent.master}: use {parent.master} as the parent"
    others = [
        other
        for other in state.children(parent.key)
        if rx_handler(other.kind) not in (None, rx_handler(link.kind))
    ]
    if others:
        names = ", ".join(f"{other.kind} {other.key}" for other in others[:3])
        return f"{parent.key} is in use by {names}; a parent carries either macvlan or ipvlan links"
    return f"{parent.key} is in use by something that vlanlink can't see"


def _which_mtu(state: State) -> str | None:
    """The kernel has no IPv6 on a link with a smaller MTU (inet6_init, RFC 8200)."""
    for link in state.host.links.values():
        mtu = link.settings.get("mtu")
        if isinstance(mtu, int) and mtu < IPV6_MINIMUM_MTU and link.owner is None:
            needs = f"IPv6 needs an MTU of {IPV6_MINIMUM_MTU}, and {link.key} has {mtu}"
            return f"{needs}: ip link set {shell_word(link.key.name)} mtu {IPV6_MINIMUM_MTU}"
    return None


def _who_has_mac(operation: SetLink, state: State) -> str | None:
    namespace = state.namespaces.get(operation.namespace)
    own = namespace.links.get(operation.name) if namespace else None
    mac = operation.new.get("mac") or (own.settings.get("mac") if own else None)
    for link in state.links():
        beside = own and link.key != own.key and own.parent in (link.parent, link.key)
        if beside and link.settings.get("mac") == mac:
            return f"{link.key} already uses MAC {mac}"
    for stray in state.strays:
        if mac is not None and stray.mac == mac:
            return f"{printable(stray.link)} of {stray.holder} already uses MAC {mac}"
    return f"MAC {mac} is in use on this parent, in an unnamed namespace"


def _who_has_route(operation: AddRoute, state: State) -> str:
    wanted, namespace = operation.route, state.namespaces.get(operation.namespace)
    for other in namespace.routes if namespace else ():
        if other.slot == wanted.slot:
            return f"{other} ({other.whose}) is there: delete it, or write another metric"
    to = str(wanted).partition(" ")[0]
    return f"another route to {to} with this metric is there: delete it, or write another metric"


def is_lack_of_feature(refused: Refused) -> bool:
    """True if the kernel lacks the link kind."""
    return refused.errno in refused.operation.lacking


def is_lack_of_privilege(refused: Refused) -> bool:
    """True if the process lacks a capability."""
    return refused.errno in (errno.EPERM, errno.EACCES)
