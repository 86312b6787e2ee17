"""A topology as a shell script of iproute2 commands, and the script that undoes it. Pure."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Final

from vlanlink.errors import Diagnostic, printable
from vlanlink.exporters.blueprint import Blueprint, Exported
from vlanlink.kinds import KINDS, Choice, Flag, MacList, Number, QosMap
from vlanlink.kinds.common import TOKEN
from vlanlink.model import HOST, TABLE_LOCAL, TABLE_MAIN, Address, Link, NetnsFile, Route, Setting
from vlanlink.planning.operations import (
    AddAddress,
    AddRoute,
    MakeLink,
    MakeNamespace,
    Operation,
    SetLink,
    WriteFile,
    WriteSysctl,
)

_END: Final = "END_OF_FILE"
_PASSING: Final = "vlanlink-new"
"""The name of a link until it is in its namespace."""
_PLAIN: Final[Mapping[str, str]] = {
    "id": "id",
    "protocol": "protocol",
    "mode": "mode",
    "bc_queue_len": "bcqueuelen",
    "reorder_hdr": "reorder_hdr",
    "gvrp": "gvrp",
    "mvrp": "mvrp",
    "loose_binding": "loose_binding",
    "egress_qos": "egress-qos-map",
    "ingress_qos": "ingress-qos-map",
}
"""The word of ip-link(8) for an option of a kind; ipvlan's flag is a word alone."""


def as_script(plan: Blueprint) -> Exported:
    """The script that makes the topology by hand."""
    lines = [*_heading(plan, "makes the same by hand"), *_sysctl_memory(plan)]
    before: object = None
    for operation in plan.operations:
        if operation.origin != before:
            before = operation.origin
            lines += ["", f"# {printable(_about(operation))}"]
        lines += _commands(operation)
    return Exported(plan.topology.name, {_name(plan, ""): _text(lines)}, tuple(_unsaid(plan)))


def as_undo(plan: Blueprint) -> Exported:
    """The script that takes away what the other one made."""
    lines = [*_heading(plan, "takes away what the other script made"), ""]
    made = [op.namespace for op in plan.operations if isinstance(op, MakeNamespace)]
    for operation in reversed(plan.operations):
        if operation.namespace == HOST or operation.namespace not in made:
            lines += _undone(operation, plan)
    lines += [_line("ip", "netns", "delete", name) for name in made]
    lines += [_line("rm", "-f", _path(file)) for file in plan.desired.files.values()]
    names = dict.fromkeys(file.namespace for file in plan.desired.files.values())
    lines += [f"rmdir --ignore-fail-on-non-empty {_q(f'/etc/netns/{name}')}" for name in names]
    if _host_sysctls(plan):
        lines += [f'sysctl -qp "{_memory(plan)}"', f'rm -f "{_memory(plan)}"']
    return Exported(plan.topology.name, {_name(plan, "-undo"): _text(lines)})


def _name(plan: Blueprint, suffix: str) -> str:
    return f"{plan.topology.name}{suffix}.sh"


def _text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def _heading(plan: Blueprint, what: str) -> list[str]:
    parents = ", ".join(plan.parents) or "none"
    return [
        "#!/bin/sh",
        f"# Topology {plan.topology.name}, written by vlanlink export: {what}. Run it as root.",
        f"# Links that must exist, and be up: {printable(parents)}",
        "set -eu",
    ]


def _q(word: object) -> str:
    return shlex.quote(str(word))


def _line(*words: object) -> str:
    return " ".join(_q(word) for word in words if word != "")


def _about(operation: Operation) -> str:
    path = ".".join(map(str, operation.origin))
    return path or operation.describe()


# -- sysctls of the host --------------------------------------------------------------------------


def _host_sysctls(plan: Blueprint) -> list[WriteSysctl]:
    found = [op for op in plan.operations if isinstance(op, WriteSysctl) and not op.quiet]
    return [op for op in found if op.namespace == HOST]


def _memory(plan: Blueprint) -> str:
    return f"/run/vlanlink-export-{plan.topology.name}.sysctl"


def _sysctl_memory(plan: Blueprint) -> Iterator[str]:
    """Keep the host's values for the undo script."""
    found = _host_sysctls(plan)
    if found:
        keys = " ".join(_q(op.key) for op in found)
        yield f'[ -e "{_memory(plan)}" ] || sysctl {keys} >"{_memory(plan)}"'


# -- operations -----------------------------------------------------------------------------------


def _ip(namespace: str, *words: object, six: bool = False) -> str:
    where = ["-n", namespace] if namespace else []
    return _line("ip", *where, *(["-6"] if six else []), *words)


def _commands(operation: Operation) -> Iterator[str]:
    match operation:
        case MakeNamespace(namespace=name):
            yield _line("ip", "netns", "add", name)
            yield _ip(name, "link", "set", "lo", "up")
        case MakeLink():
            yield from _make(operation)
        case SetLink(namespace=space, name=name, new=new):
            yield from _set(space, name, new)
        case AddAddress(namespace=space, dev=dev, address=address):
            verb = "replace" if address.link_local else "add"  # the kernel may have been first
            words = ("address", verb, address.text, "dev", dev, *_details(address))
            yield _ip(space, *words)
        case AddRoute(namespace=space, route=route):
            yield _ip(space, "route", "add", *_route(route), six=route.family == 6)
        case WriteSysctl(namespace=space, key=key, new=new):
            inside = ("ip", "netns", "exec", space) if space else ()
            yield _line(*inside, "sysctl", "-qw", f"{key}={new}")
        case WriteFile(namespace=space, name=name, text=text):
            yield from _write(NetnsFile(space, name, text))


def _undone(operation: Operation, plan: Blueprint) -> Iterator[str]:
    host = plan.desired.host.links
    match operation:
        case MakeLink(link=link):
            yield _ip(link.namespace, "link", "delete", link.name)
        case AddRoute(namespace=space, route=route):
            dev = host.get(route.dev)
            if dev is None or dev.owner is None:
                yield _ip(space, "route", "delete", *_route(route), six=route.family == 6)


def _make(operation: MakeLink) -> Iterator[str]:
    link, peer = operation.link, operation.peer
    on = ["link", link.parent.name] if link.parent else []
    # Made on the host, where the parent is. Kernels up to 6.1 at least refuse a name that the host
    # has too, even for a link that is made in another namespace (rtnl_newlink).
    moves = bool(link.namespace and link.parent)
    own = "" if moves else link.namespace
    name = _PASSING if moves else link.name
    other: list[object] = ["peer", "name", peer.name, *_common(peer)] if peer else []
    other += ["netns", peer.namespace] if peer and peer.namespace != own else []
    words = (*on, "name", name, *_common(link), "type", link.kind, *other, *_kind(link))
    yield _ip(own, "link", "add", *words)
    if moves:
        yield _ip("", "link", "set", name, "netns", link.namespace, "name", link.name)
    for one in (link, *([peer] if peer else [])):
        for name in _words(one.settings.get("altnames")):
            yield _ip(one.namespace, "link", "property", "add", "dev", one.name, "altname", name)
    macs = _words(link.settings.get("source_macs"))
    if macs:
        words = ("type", "macvlan", "macaddr", "set", *macs)
        yield _ip(link.namespace, "link", "set", link.name, *words)


_COMMON: Final = {"mac": "address", "mtu": "mtu", "txqueuelen": "txqueuelen"}


def _common(link: Link) -> list[object]:
    """Common options of a link or a peer."""
    found: list[object] = []
    for key, word in _COMMON.items():
        value = link.settings.get(key)
        found += [word, value] if value is not None else []
    return found


def _kind(link: Link) -> Iterator[object]:
    """The options of its kind."""
    for option in KINDS[link.kind].options:
        value = link.settings.get(option.key)
        word = _PLAIN.get(option.key)
        match option:
            case _ if value is None:
                continue
            case MacList():
                continue  # by a command of its own
            case Flag() if word:
                yield from (word, "on" if value else "off")
            case QosMap() if word:
                pairs = value if isinstance(value, tuple) else ()
                yield from (word, *(f"{p[0]}:{p[1]}" for p in pairs if isinstance(p, tuple)))
            case Number() | Choice() if word:
                yield from (word, value)
            case _:
                yield value


def _words(value: Setting) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, tuple) else []


def _set(space: str, name: str, new: Mapping[str, Setting]) -> Iterator[str]:
    words: list[object] = []
    if TOKEN in new:
        yield _ip(space, "token", "set", new[TOKEN], "dev", name)
    for key, value in new.items():
        if key == "up":
            words.append("up" if value else "down")
        elif key == "multicast":
            words += ["multicast", "on" if value else "off"]
        elif key in _COMMON:
            words += [_COMMON[key], value]
    if words:
        yield _ip(space, "link", "set", name, *words)


def _details(address: Address) -> Iterator[str]:
    if address.family == 6:
        yield from () if address.link_local else ("nodad",)
        return
    length = int(address.text.partition("/")[2])
    if address.broadcast:
        yield from ("broadcast", address.broadcast)
    elif address.broadcast is None and length < 31:
        yield from ("broadcast", "+")
    if address.bare.startswith("169.254."):
        yield from ("scope", "global" if address.global_scope else "link")


def _route(route: Route) -> Iterator[object]:
    yield "default" if route.to in ("0.0.0.0/0", "::/0") else route.to
    yield from ("via", route.via) if route.via else ()
    yield from ("dev", route.dev)
    yield from ("src", route.src) if route.src else ()
    yield from ("metric", route.metric) if route.metric else ()
    if route.table != TABLE_MAIN:
        yield from ("table", "local" if route.table == TABLE_LOCAL else route.table)
    if route.onlink:
        yield "onlink"
    if route.table == TABLE_LOCAL and route.via is None:
        yield from ("scope", "link") if route.family == 4 else ()


def _write(file: NetnsFile) -> Iterator[str]:
    yield f"mkdir -p {_q(f'/etc/netns/{file.namespace}')}"
    yield f"cat >{_q(_path(file))} <<'{_END}'"
    yield from file.body.splitlines()
    yield _END


def _path(file: NetnsFile) -> str:
    return f"/etc/netns/{file.namespace}/{file.name}"


# -- what a script does not do --------------------------------------------------------------------


def _unsaid(plan: Blueprint) -> Iterator[Diagnostic]:
    for problem in plan.problems:
        yield plan.topology.diagnose(problem, "warning")
    for link in plan.desired.links():
        if link.dhcp is not None:
            message = f"{link.key}: the script gets no address by DHCP"
            yield plan.warn(link.origin, message, "run a DHCP client in the namespace")
    for name, network in plan.topology.networks.items():
        if network.shim:
            message = f"the shim of network {name} is as on a host without addresses on its parent"
            yield plan.warn(("networks", name, "shim"), message)
