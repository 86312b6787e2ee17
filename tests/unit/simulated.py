"""A kernel in a few lines: what an operation makes of a State, and that it is possible.

It knows the rules that a plan's order must keep: a parent is there before its child and up
before a VLAN of it, a number is free, nothing is changed that is gone. No test of the real
kernel's ways rests on it.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import replace

from vlanlink.kinds import COMMON, KINDS, InterfaceFlag, Names, Option
from vlanlink.kinds.common import LINK_SYSCTLS
from vlanlink.kinds.kind import IPV6_MINIMUM_MTU
from vlanlink.model import (
    HOST,
    LOOPBACK,
    SELF_VLAN,
    Address,
    Link,
    LinkName,
    Namespace,
    NetnsFile,
    Setting,
    State,
)
from vlanlink.planning.operations import (
    AddAddress,
    AddRoute,
    MakeLink,
    MakeNamespace,
    Operation,
    RemoveAddress,
    RemoveFile,
    RemoveLink,
    RemoveNamespace,
    RemoveRoute,
    SetLink,
    WriteFile,
    WriteSysctl,
)
from vlanlink.sysctl import side_effects

IPV6_POLICY = tuple(key for key, family in LINK_SYSCTLS.items() if family == "ipv6")


def carried_out(state: State, operations: Iterable[Operation]) -> State:
    """The state after all of them."""
    for operation in operations:
        state = after(state, operation)
    return state


def after(state: State, operation: Operation) -> State:
    """The state after one operation. AssertionError if a kernel would refuse it."""
    files = dict(state.files)
    match operation:
        case WriteFile(namespace=space, name=name, text=text, old=old):
            assert old == (files[space, name].text if (space, name) in files else None)
            files[space, name] = NetnsFile(space, name, text)
        case RemoveFile(namespace=space, name=name):
            del files[space, name]
        case _:
            state = _after(state, operation)
    return replace(state, files=files)


def _after(state: State, operation: Operation) -> State:
    name = operation.namespace
    match operation:
        case MakeNamespace():
            assert name not in state.namespaces, f"{name} is there"
            loopback = Link(LOOPBACK, "loopback", name, owner=operation.owner, index=1)
            loopback = replace(loopback, settings={**_common(), "up": True, "mtu": 65536})
            space = Namespace(
                name, f"/run/netns/{name}", {LOOPBACK: loopback}, owner=operation.owner
            )
            return State({**state.namespaces, name: space})
        case RemoveNamespace():
            for link in state.namespaces[name].links.values():
                state = _without(state, link.key)
            return State({k: v for k, v in state.namespaces.items() if k != name})
        case MakeLink():
            return _made(state, operation)
        case SetLink():
            return _set(state, operation)
        case RemoveLink():
            _same_number(state, LinkName(name, operation.name), operation.index)
            return _without(state, LinkName(name, operation.name))
        case AddAddress():
            link = _same_number(state, LinkName(name, operation.dev), operation.index)
            assert operation.address not in link.addresses
            assert operation.address.family == 4 or link.settings.get("disable_ipv6", 0) == 0
            return _with(
                state, replace(link, addresses=(*link.addresses, operation.address)), link.key
            )
        case RemoveAddress():
            link = _same_number(state, LinkName(name, operation.dev), operation.index)
            return _without_address(state, link, operation.address)
        case AddRoute():
            link = _same_number(state, LinkName(name, operation.route.dev), operation.index)
            assert link.up, f"{operation.describe()}: {link.key} is down"
            return _routes(state, name, state.namespaces[name].routes | {operation.route})
        case RemoveRoute():
            assert operation.route in state.namespaces[name].routes, operation.describe()
            return _routes(state, name, state.namespaces[name].routes - {operation.route})
        case WriteSysctl():
            return _written(state, operation)
    raise AssertionError(operation)


def _same_number(state: State, key: LinkName, number: int) -> Link:
    link = state.link(key)
    assert link is not None, f"{key} is not there"
    assert link.index == number, f"{key} has number {link.index}, not {number}"
    return link


def _with(state: State, link: Link, key: LinkName) -> State:
    space = state.namespaces[key.namespace]
    links = {**space.links, key.name: link}
    return State({**state.namespaces, key.namespace: replace(space, links=links)})


def _routes(state: State, name: str, routes: Iterable[object]) -> State:
    space = replace(state.namespaces[name], routes=frozenset(routes))  # type: ignore[arg-type]
    return State({**state.namespaces, name: space})


def _without(state: State, key: LinkName) -> State:
    """Without a link, its peer, what is on it, and the routes by way of it."""
    link = state.link(key)
    if link is None:
        return state
    space = state.namespaces[key.namespace]
    links = {k: v for k, v in space.links.items() if k != key.name}
    routes = frozenset(r for r in space.routes if r.dev != key.name)
    space = replace(space, links=links, routes=routes)
    state = State({**state.namespaces, key.namespace: space})
    for other in [child.key for child in state.children(key)] + [link.peer]:
        state = _without(state, other) if other else state
    return state


def _made(state: State, operation: MakeLink) -> State:
    ends = [operation.link, *([operation.peer] if operation.peer else [])]
    for link in ends:
        assert state.link(link.key) is None, f"{link.key} is there"
        assert link.index, f"{link.key} has no number"
        space = state.namespaces[link.namespace]
        assert link.index not in {other.index for other in space.links.values()}
        below = state.link(link.parent)
        assert link.parent is None or below is not None, f"{link.parent} is not there"
        assert below is None or below.index == link.parent_index
        state = _with(state, _new(link, below), link.key)
    return state


def _new(link: Link, below: Link | None) -> Link:
    """A link as the kernel makes it: down, without addresses, altnames, and with defaults."""
    kind = KINDS[link.kind]
    fixed = kind.mac(link.settings) != "derived" and below is not None
    settings: dict[str, Setting] = {
        "mtu": below.settings["mtu"] if below else 1500,
        "mac": below.settings["mac"] if fixed and below else "02:00:00:00:00:ff",
        **{o.key: o.default for o in kind.options if o.default is not None},
        **_common(),
        **link.settings,
    }
    settings |= {o.key: _NEW[type(o)] for o in COMMON if not o.at_creation}
    settings["multicast"] = kind.multicast
    settings = {**_with_or_without_ipv6({"mtu": 0}, settings)}
    return replace(link, settings=settings, addresses=(), labelled=False, defaults={})


_NEW: Mapping[type[Option], Setting] = {InterfaceFlag: False, Names: ()}
"""What a new link has of the options that are set once it exists."""


def _common() -> dict[str, Setting]:
    return {o.key: o.default for o in COMMON if o.default is not None}


def _set(state: State, operation: SetLink) -> State:
    key = LinkName(operation.namespace, operation.name)
    link = _same_number(state, key, operation.index)
    for setting, old in {**operation.old, **operation.interim}.items():
        unlisted = False if setting.startswith(SELF_VLAN) else None
        assert link.settings.get(setting, unlisted) == old, f"{key} {setting} is not {old}"
    _values_are_free(state, link, operation)
    below = state.link(link.parent)
    if operation.new.get("up") and link.kind == "vlan" and below:
        assert below.up or link.settings.get("loose_binding"), f"{below.key} is down"
    settings = _with_or_without_ipv6(link.settings, {**link.settings, **operation.new})
    state = _with(state, replace(link, settings=settings), key)
    if operation.owner is not None:
        state = _marked(state, key, operation.owner)
    if operation.new.get("up") is False:
        state = _down(state, key)
    return state


def _values_are_free(state: State, link: Link, operation: SetLink) -> None:
    """macvlan has a MAC once on a parent; names and altnames are unique in a namespace."""
    up = operation.new.get("up", link.up)
    mac = operation.new.get("mac", link.settings.get("mac"))
    for other in state.links():
        if other.key == link.key:
            continue
        if other.namespace == link.namespace:
            taken = {other.name, *_names(other.settings)} & _names(operation.new)
            assert not taken, f"{operation.describe()}: {other.key} has {taken}"
        sibling = link.parent is not None and other.parent == link.parent
        if sibling and link.kind == other.kind == "macvlan" and up and other.up:
            assert other.settings.get("mac") != mac, f"{operation.describe()}: {other.key} has it"


def _names(settings: Mapping[str, Setting]) -> set[object]:
    names = settings.get("altnames")
    return set(names) if isinstance(names, tuple) else set()


def _without_address(state: State, link: Link, address: Address) -> State:
    """A primary IPv4 address takes the others of its subnet along, the last one the routes."""
    left = [one for one in link.addresses if one != address]
    if address.family == 4 and address in link.addresses:  # else it went with another
        subnet = _subnet(address)
        first = next(a for a in link.addresses if a.family == 4 and _subnet(a) == subnet)
        if first == address and not link.settings.get("promote_secondaries"):
            left = [one for one in left if one.family == 6 or _subnet(one) != subnet]
    gone = {one.bare for one in link.addresses if one not in left and one.family == 4}
    bare = bool(gone) and not any(one.family == 4 for one in left)
    state = _with(state, replace(link, addresses=tuple(left)), link.key)
    routes = {
        route
        for route in state.namespaces[link.namespace].routes
        if not (route.family == 4 and ((bare and route.dev == link.name) or route.src in gone))
    }
    return _routes(state, link.namespace, routes)


def _subnet(address: Address) -> object:
    return ipaddress.ip_interface(address.text).network


def _link_local(link: Link) -> Address:
    raw = bytes.fromhex(str(link.settings["mac"]).replace(":", ""))
    packed = bytes([0xFE, 0x80, *[0] * 6, raw[0] ^ 2, *raw[1:3], 0xFF, 0xFE, *raw[3:]])
    return Address(f"{ipaddress.IPv6Address(packed)}/64", ours=False)


def _with_or_without_ipv6(
    old: Mapping[str, Setting], new: Mapping[str, Setting]
) -> Mapping[str, Setting]:
    """The kernel takes IPv6 off a link whose MTU is too small for it, and makes it anew."""
    if int(str(new["mtu"])) < IPV6_MINIMUM_MTU:
        return {key: value for key, value in new.items() if key not in IPV6_POLICY}
    if int(str(old["mtu"])) < IPV6_MINIMUM_MTU:
        return {**new, "disable_ipv6": 0, "accept_ra": 1, "accept_dad": 1}
    return new


def _marked(state: State, key: LinkName, owner: str) -> State:
    link = state.namespaces[key.namespace].links[key.name]
    state = _with(state, replace(link, owner=owner, labelled=True), key)
    if key.name == LOOPBACK and key.namespace != HOST:
        space = replace(state.namespaces[key.namespace], owner=owner)
        state = State({**state.namespaces, key.namespace: space})
    return state


def _down(state: State, key: LinkName) -> State:
    """A link that goes down loses its routes and its IPv6 addresses."""
    link = state.namespaces[key.namespace].links[key.name]
    left = tuple(address for address in link.addresses if address.family == 4)
    state = _with(state, replace(link, addresses=left), key)
    routes = {r for r in state.namespaces[key.namespace].routes if r.dev != key.name}
    return _routes(state, key.namespace, routes)


def _written(state: State, operation: WriteSysctl) -> State:
    space = state.namespaces[operation.namespace]
    parts = operation.key.split("/")
    family = LINK_SYSCTLS.get(parts[-1])
    if parts[:3] == ["net", family, "conf"] and parts[3] in space.links:
        link = space.links[parts[3]]
        small = int(str(link.settings["mtu"])) < IPV6_MINIMUM_MTU
        assert family == "ipv4" or not small, f"{link.key} has no IPv6"
        value = int(operation.new)
        left = link.addresses
        if parts[4] == "disable_ipv6" and value:
            left = tuple(address for address in left if address.family == 4)
        changed = replace(link, settings={**link.settings, parts[4]: value}, addresses=left)
        state = _with(state, changed, link.key)
        space = state.namespaces[operation.namespace]
    if parts[-1] == "addr_gen_mode" and operation.new == "0":
        link = space.links[parts[3]]
        own = () if _link_local(link) in link.addresses else (_link_local(link),)
        state = _with(state, replace(link, addresses=(*link.addresses, *own)), link.key)
        space = state.namespaces[operation.namespace]
    effects = {**side_effects(operation.key, operation.new, space.links)}
    effects[operation.key] = operation.new
    known = {k: v for k, v in effects.items() if k in space.sysctls or k == operation.key}
    space = replace(space, sysctls={**space.sysctls, **known})
    return State({**state.namespaces, operation.namespace: space})
