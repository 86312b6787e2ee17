"""``init``: a first topology for the machine as it is, each line explained.

What is chosen must come up: a parent that can carry the link kind, the LAN's own subnet, and
addresses that the host doesn't have. The LAN is probed by ``up``.
"""

import ipaddress
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from vlanlink.dataclass import dataclass
from vlanlink.errors import ConflictError, Diagnostic, UsageError, nearest
from vlanlink.kernel.facts import MachineFacts
from vlanlink.model import LOOPBACK, Address, Link
from vlanlink.preflight.hypervisors import filter_of

KINDS_OF_NETWORKS: Final = ("macvlan", "ipvlan")
_CARRIERS: Final = ("device", "veth", "vlan", "bond", "team", "bridge")
_PRIVATE: Final = tuple(ipaddress.IPv4Network(f"192.168.{n}.0/24") for n in range(218, 256))
_DEFAULT: Final = "0.0.0.0/0"
_ENDPOINTS: Final = ("web", "db")
_SMALLEST: Final = 28
"""A longer prefix has no room for endpoints beside the LAN's own devices."""

Line = tuple[str, str]
"""TOML, and the comment beside it."""


@dataclass(frozen=True, slots=True)
class First:
    """What a first topology is made of, and why."""

    parent: str | None
    parent_why: str
    kind: str
    kind_why: str
    subnet: ipaddress.IPv4Network
    subnet_why: str
    gateway: str | None


def text(
    facts: MachineFacts,
    name: str,
    parent: str | None = None,
    kind: str | None = None,
    taken: Iterable[str] = (),
) -> str:
    """The text of a first topology; ``taken``: names of namespaces that exist.

    Raises UsageError for a parent that doesn't exist, ConflictError for one that can't be one.
    """
    if kind is not None and kind not in KINDS_OF_NETWORKS:
        hint = f"write one of {', '.join(KINDS_OF_NETWORKS)}"
        raise UsageError(Diagnostic(f"a network's kind is not {kind}", hint=hint))
    choice = _choice(facts, parent, kind)
    lines = [*_head(facts, choice), ""]
    lines += _laid_out([("[topology]", ""), (f'name = "{name}"', "`vlanlink down` takes it")])
    lines += ["", *_laid_out(_network(choice)), *_subnets(choice, _range(facts, choice))]
    busy = {*facts.state.namespaces, *taken}
    for number, space in enumerate(_free_names(busy)):
        lines += ["", *_laid_out(_endpoint(space, explained=number == 0))]
    return "\n".join(lines) + "\n"


# -- the choice ------------------------------------------------------------------------------------


def _choice(facts: MachineFacts, parent: str | None, kind: str | None) -> First:
    link = _named(facts, parent) if parent else _best(facts)
    if link is None:
        return _without_parent(facts, kind)
    kind_why = ""
    if kind is None:
        kind, kind_why = _kind(facts, link)
    subnet, subnet_why, gateway = _subnet(facts, link, parent)
    why = "as asked for" if parent else _parent_why(facts, link)
    return First(parent or link.name, why, kind, kind_why, subnet, subnet_why, gateway)


def _named(facts: MachineFacts, name: str) -> Link:
    """The link with a name, or the one whose VLAN the name means."""
    links = facts.state.host.links
    below = name
    while below not in links and (parts := below.rpartition("."))[2].isdigit():
        below = parts[0]
    if below not in links:
        meant = nearest(name, list(links))
        listed = f"links here: {', '.join(one for one in links if one != LOOPBACK)}"
        hint = f"did you mean {meant}? {listed}" if meant else listed
        raise UsageError(Diagnostic(f"no link {name}", hint=hint))
    link = links[below]
    if link.master:
        message = f"{below} is a port of {link.master}, so it can't be a parent"
        raise ConflictError(Diagnostic(message, hint=f"--parent {link.master}"))
    return link


def _best(facts: MachineFacts) -> Link | None:
    """The link with the default route; else one with an address and a carrier; else a NIC."""
    found = [link for link in facts.state.host.links.values() if _can_carry(link)]
    default = _default(facts)
    return max(
        found,
        key=lambda link: (
            link.name == default,
            bool(_address(link)) and link.carrier and link.kind != "bridge",
            link.kind == "device",
            link.up and link.carrier,
            -link.index,
        ),
        default=None,
    )


def _can_carry(link: Link) -> bool:
    ethernet = isinstance(link.settings.get("mac"), str)
    free = link.name != LOOPBACK and link.owner is None and link.master is None
    return free and ethernet and link.kind in _CARRIERS


def _default(facts: MachineFacts) -> str | None:
    """The link of the IPv4 default route."""
    found = [route for route in facts.state.host.routes if route.to == _DEFAULT]
    return min(found, key=lambda route: route.metric).dev if found else None


def _parent_why(facts: MachineFacts, link: Link) -> str:
    if link.name == _default(facts):
        return "the link with the default route"
    return "a link with an address" if _address(link) else "a link without an address"


def _kind(facts: MachineFacts, link: Link) -> tuple[str, str]:
    there = {one.kind for one in facts.state.links() if one.parent == link.key}
    if "ipvlan" in there:
        return "ipvlan", f"{link.name} carries ipvlan links already"
    if link.wifi_client:
        return "ipvlan", "Wi-Fi access points drop frames of other MACs"
    nic = facts.nic(link)
    known = filter_of(nic.driver, facts.vendor, virtual_function=nic.virtual_function)
    if known and "macvlan" not in there:
        return "ipvlan", f"a {known.name} may drop frames of other MACs"
    return "macvlan", "each endpoint has a MAC of its own"


def _address(link: Link) -> Address | None:
    """The first IPv4 address whose subnet has room."""
    found = (a for a in link.addresses if a.family == 4 and not a.text.startswith("169.254."))
    roomy = (one for one in found if int(one.text.partition("/")[2]) <= _SMALLEST)
    return next(roomy, None)


def _subnet(
    facts: MachineFacts, link: Link, parent: str | None
) -> tuple[ipaddress.IPv4Network, str, str | None]:
    address = _address(link) if parent in (None, link.name) else None
    if address is None:
        where = parent or link.name
        return _free_subnet(facts), f"{where} has no address here: write its LAN's subnet", None
    network = ipaddress.IPv4Interface(address.text).network
    routes = (r for r in facts.state.host.routes if r.to == _DEFAULT and r.dev == link.name)
    gateways = (r.via for r in routes if r.via and ipaddress.ip_address(r.via) in network)
    how = "" if address.permanent else ", by DHCP"
    return network, f"the LAN of {link.name} ({address.text}{how})", next(gateways, None)


def _without_parent(facts: MachineFacts, kind: str | None) -> First:
    why = "no link here can be a parent, so nothing leaves the host"
    subnet = _free_subnet(facts)
    return First(None, why, kind or "macvlan", "", subnet, "a free private subnet", None)


def _free_subnet(facts: MachineFacts) -> ipaddress.IPv4Network:
    taken = [r.to for r in facts.state.host.routes if r.family == 4 and r.to != _DEFAULT]
    taken += [a.text for link in facts.state.links() for a in link.addresses if a.family == 4]
    networks = [ipaddress.IPv4Interface(text).network for text in taken]
    free = (one for one in _PRIVATE if not any(one.overlaps(other) for other in networks))
    return next(free, _PRIVATE[0])


def _range(facts: MachineFacts, choice: First) -> ipaddress.IPv4Network:
    """A quarter of the subnet, at most a /26, without the host and the gateway: from the top."""
    prefix = max(choice.subnet.prefixlen + 2, 26)
    held = {a.bare for link in facts.state.host.links.values() for a in link.addresses}
    held |= {choice.gateway} if choice.gateway else set()
    busy = {ipaddress.ip_address(one) for one in held if one and ":" not in one}
    size = 1 << (32 - prefix)
    top = int(choice.subnet.broadcast_address) + 1
    starts = range(top - size, int(choice.subnet.network_address) - 1, -size)
    ranges = (ipaddress.IPv4Network((start, prefix)) for start in starts[:64])
    return next((one for one in ranges if not any(ip in one for ip in busy)), choice.subnet)


def _free_names(busy: Collection[str]) -> Iterator[str]:
    for name in _ENDPOINTS:
        numbered = (f"{name}{n or ''}" for n in range(len(busy) + 1))
        yield next(one for one in numbered if one not in busy)


# -- the text --------------------------------------------------------------------------------------


def _head(facts: MachineFacts, choice: First) -> Iterator[str]:
    yield "#:schema ./vlanlink.schema.json"
    yield "# A first topology for this machine, written by vlanlink init. Change it as you like."
    yield "# Editors complete and check it after `vlanlink schema -o vlanlink.schema.json`."
    yield "#"
    for link in facts.state.host.links.values():
        if link.name != LOOPBACK and link.owner is None and link.namespace == "":
            yield f"# {link.name}: {_described(facts, link)}"
    if choice.parent:
        yield "#"
        yield f'# parent = "{choice.parent}.50" means VLAN 50 of {choice.parent}; up creates it.'


def _described(facts: MachineFacts, link: Link) -> str:
    nic = facts.nic(link)
    words = [nic.driver or link.kind]
    words += [f"VLAN {link.settings.get('id')} of {link.parent}"] if link.kind == "vlan" else []
    words += [f"port of {link.master}"] if link.master else []
    words += ["Wi-Fi"] if link.wifi_client else []
    words += [] if link.up else ["down"]
    words += ["no carrier"] if link.up and not link.carrier else []
    for address in link.addresses:
        if not address.link_local:
            words.append(f"{address.text}{'' if address.permanent else ' (dynamic)'}")
    words += ["default route"] if link.name == _default(facts) else []
    return ", ".join(words)


def _network(choice: First) -> Iterator[Line]:
    yield "[networks.lan]", ""
    yield f'kind = "{choice.kind}"', choice.kind_why
    if choice.parent:
        yield f'parent = "{choice.parent}"', choice.parent_why
        yield "shim = true", "the host reaches its endpoints, too"
    else:
        yield "internal = true", choice.parent_why


def _subnets(choice: First, ip_range: ipaddress.IPv4Network) -> Iterator[str]:
    keys = {"subnet": str(choice.subnet), "gateway": choice.gateway}
    keys["ip_range"] = str(ip_range) if ip_range != choice.subnet else None
    yield "subnets = ["
    yield f"  # {choice.subnet_why}"
    if keys["ip_range"]:
        yield "  # ip_range: for endpoints alone; keep the DHCP server and other devices out of it"
    pairs = [f'{key} = "{value}"' for key, value in keys.items() if value]
    yield f"  {{ {', '.join(pairs)} }},"
    yield "]"


def _endpoint(space: str, *, explained: bool) -> Iterator[Line]:
    yield f"[namespaces.{space}.interfaces.eth0]", "a namespace, and an interface in it"
    yield 'network = "lan"', "its address: the lowest free one" if explained else ""


def _laid_out(lines: Iterable[Line]) -> Iterator[str]:
    """The comments in one column, of lines that have one."""
    found = list(lines)
    column = max(len(text) for text, comment in found if comment) + 2
    for text, comment in found:
        yield f"{text:<{column}}# {comment}" if comment else text
