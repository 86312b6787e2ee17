"""Compose files, and what ``docker compose config`` makes of them, as a bundle. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from vlanlink.importers.bundle import Attachment, Bundle, Container, Network, Pool
from vlanlink.importers.node import Node, Place
from vlanlink.importers.notes import Notes

_DEFAULT: Final = "default"
"""The network of services that name none."""
_MODES: Final = ("host", "none", "bridge")
_SYSCTLS: Final = "com.docker.network.endpoint.sysctls"
_IFNAME: Final = "com.docker.network.endpoint.ifname"


def is_compose(root: Node) -> bool:
    """Whether a document is a compose file."""
    tables = (root.get("services").value, root.get("networks").value)
    return any(isinstance(one, Mapping) for one in tables)


def read_compose(root: Node, notes: Notes) -> Bundle:
    """All networks and services of a compose file."""
    for key in ("include",):
        if root.get(key):
            message = f"what {key} names is not read"
            notes.decide(root.key_place(key), message, _CONFIG)
    networks = {name: _network(name, node, root) for name, node in root.get("networks").items()}
    services = [_service(name, node, notes) for name, node in _ordered(root.get("services"))]
    needs_default = any(a.network == _DEFAULT for s in services for a in s.attachments)
    if needs_default and _DEFAULT not in networks:
        networks[_DEFAULT] = Network(_DEFAULT, root.place)
    return Bundle(networks, tuple(services), root.get("name").text or "")


_CONFIG: Final = "import the output of `docker compose config` instead"


def _network(name: str, node: Node, root: Node) -> Network:
    external = node.get("external")
    place = root.get("networks").key_place(name)
    ipam = node.get("ipam")
    return Network(
        name,
        place,
        driver=node.get("driver").text or "bridge",
        options=dict(node.get("driver_opts").items()),
        pools=tuple(pool(one) for one in ipam.get("config").entries()),
        internal=node.get("internal").truth,
        ipv6=node.get("enable_ipv6").truth,
        ipam_driver=ipam.get("driver").text or "default",
        external=external.truth or bool(external.get("name")),
        real_name=node.get("name").text or external.get("name").text or name,
    )


def pool(node: Node) -> Pool:
    """A subnet as compose and `docker network inspect` write it."""
    return Pool(
        node.place,
        node.get("subnet", "Subnet"),
        node.get("gateway", "Gateway"),
        node.get("ip_range", "IPRange"),
        dict(node.get("aux_addresses", "AuxiliaryAddresses").pairs()),
    )


def _ordered(services: Node) -> Iterator[tuple[str, Node]]:
    """The services in the order in which compose starts them: what they depend on first."""
    nodes = dict(services.items())
    needs = {name: (_needs(node) & nodes.keys()) - {name} for name, node in nodes.items()}
    needed_by: dict[str, list[str]] = {}
    for name, others in needs.items():
        for other in others:
            needed_by.setdefault(other, []).append(name)
    left = dict.fromkeys(nodes)
    ready = [name for name in nodes if not needs[name]]
    while left:
        after: dict[str, None] = {}
        for name in ready or [next(iter(left))]:  # a cycle is compose's to refuse
            if name in left:
                del left[name]
                yield name, nodes[name]
                for one in needed_by.get(name, ()):
                    needs[one].discard(name)
                    after |= {} if needs[one] else {one: None}
        ready = [name for name in after if name in left]


def _needs(node: Node) -> set[str]:
    needs = node.get("depends_on")
    names = {name for name, _ in needs.items()} | {one.text or "" for one in needs.entries()}
    return names if isinstance(needs.value, Mapping | list) else names - {""}


def _service(name: str, node: Node, notes: Notes) -> Container:
    place = node.place
    if node.get("extends"):
        notes.decide(node.key_place("extends"), "what extends names is not read", _CONFIG)
    mode = node.get("network_mode")
    is_network = bool(mode) and ":" not in (mode.text or "") and mode.text not in _MODES
    attachments = [] if mode else _attachments(node, place)
    if is_network:
        attachments = [Attachment(mode.text or "", mode.place)]
    return Container(
        node.get("container_name").text or name,
        place,
        service=name,
        attachments=tuple(sorted(attachments, key=lambda one: -one.priority)),
        mode=mode if mode and not is_network else None,
        sysctls=dict(node.get("sysctls").pairs()),
        ports=tuple(node.get("ports").entries()),
        hosts=tuple(_hosts(node.get("extra_hosts"))),
        dns=tuple(node.get("dns").entries()),
        search=tuple(node.get("dns_search").entries()),
        mac=node.get("mac_address") or None,
        replicas=max(0, node.get("deploy").get("replicas").number(node.get("scale").number(1))),
    )


def _hosts(node: Node) -> Iterator[Node]:
    for name, value in node.items():
        yield Node(value.place, f"{name}:{value.text or ''}")
    if not isinstance(node.value, Mapping):
        yield from node.entries()


def _attachments(service: Node, place: Place) -> list[Attachment]:
    networks = service.get("networks")
    if not networks:
        return [Attachment(_DEFAULT, place)]
    named = [_attachment(name, one, networks) for name, one in networks.items()]
    if isinstance(networks.value, Mapping):
        return sorted(named, key=lambda one: one.network)
    return [Attachment(one.text or "", one.place) for one in networks.entries()]


def _attachment(name: str, node: Node, networks: Node) -> Attachment:
    options = node.get("driver_opts")
    addresses = (node.get("ipv4_address"), node.get("ipv6_address"))
    return Attachment(
        name,
        networks.key_place(name),
        addresses=tuple(one for one in addresses if one),
        mac=node.get("mac_address") or None,
        link_local=tuple(node.get("link_local_ips").entries()),
        priority=node.get("priority").number(),
        gateway_priority=node.get("gw_priority").number(),
        interface=node.get("interface_name").text or options.get(_IFNAME).text or "",
        sysctls=endpoint_sysctls(options.get(_SYSCTLS)),
    )


def endpoint_sysctls(node: Node) -> dict[str, Node]:
    """The sysctls of an interface: ``KEY=VALUE,…`` with IFNAME in the keys."""
    parts = [Node(node.place, part) for part in (node.text or "").split(",")]
    return dict(Node(node.place, parts).pairs())
