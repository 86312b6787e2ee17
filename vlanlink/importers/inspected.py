"""The JSON of ``docker network inspect``, ``podman network inspect``, ``docker inspect``. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address, ip_interface, summarize_address_range
from typing import Final

from vlanlink.importers.bundle import Attachment, Bundle, Container, Network, Pool
from vlanlink.importers.compose import pool
from vlanlink.importers.node import Node
from vlanlink.importers.notes import Notes


def read_inspected(documents: Iterable[Node], notes: Notes) -> Bundle | None:
    """The networks and containers in the documents; None if there are none."""
    networks: dict[str, Network] = {}
    containers: dict[str, Container] = {}
    for node in (one for document in documents for one in _objects(document)):
        if isinstance(node.get("NetworkSettings").value, Mapping):
            _join(containers, [_container(node)])
        elif node.get("IPAM", "ConfigFrom").value is not None:
            networks[node.get("Name").text or ""] = _docker_network(node)
            _join(containers, _members(node))
        elif node.get("driver") and node.get("name"):
            networks[node.get("name").text or ""] = _podman_network(node, notes)
            _join(containers, _podman_members(node))
    if not networks and not containers:
        return None
    running = any(a.running for one in containers.values() for a in one.attachments)
    in_order = sorted(containers.values(), key=_order)
    return Bundle(networks, tuple(in_order), has_running=running)


def _objects(document: Node) -> Iterator[Node]:
    return document.entries() if not isinstance(document.value, Mapping) else iter([document])


def _order(container: Container) -> list[tuple[int, int]]:
    """By present address: as if they had started in the order that left these."""
    return [_number(a) for a in container.attachments]


def _number(attachment: Attachment) -> tuple[int, int]:
    text = next((one.text or "" for one in attachment.running), "")
    try:
        address = ip_interface(text).ip
    except ValueError:
        return 9, 0
    return address.version, int(address)


def _join(known: dict[str, Container], found: Iterable[Container]) -> None:
    """Add containers; one that several networks list has an interface on each."""
    for one in found:
        before = known.get(one.name)
        if before is None:
            known[one.name] = one
            continue
        merged = {a.network: a for a in (*before.attachments, *one.attachments)}
        full = one if one.sysctls or one.ports or one.hosts or one.dns else before
        known[one.name] = Container(
            one.name,
            full.place,
            tuple(merged.values()),
            mode=full.mode,
            sysctls=full.sysctls,
            ports=full.ports,
            hosts=full.hosts,
            dns=full.dns,
            search=full.search,
        )


def _docker_network(node: Node) -> Network:
    ipam = node.get("IPAM")
    return Network(
        node.get("Name").text or "",
        node.get("Name").place,
        driver=node.get("Driver").text or "bridge",
        options=dict(node.get("Options").items()),
        pools=tuple(pool(one) for one in ipam.get("Config").entries()),
        internal=node.get("Internal").truth,
        ipv6=node.get("EnableIPv6").truth,
        ipam_driver=ipam.get("Driver").text or "default",
        real_name=node.get("Name").text or "",
        config_from=node.get("ConfigFrom").get("Network").text or "",
        config_only=node.get("ConfigOnly").truth,
    )


def _members(node: Node) -> Iterator[Container]:
    network = node.get("Name").text or ""
    for key, one in node.get("Containers").items():
        name = one.get("Name").text or key[:12]
        running = [one.get("IPv4Address"), one.get("IPv6Address")]
        attachment = Attachment(
            network,
            one.place,
            running=tuple(address for address in running if address),
            running_mac=one.get("MacAddress") or None,
        )
        yield Container(name, one.get("Name").place, (attachment,))


def _container(node: Node) -> Container:
    """A container as ``docker inspect`` shows it: what was asked for, and what it got."""
    host, config = node.get("HostConfig"), node.get("Config")
    networks = node.get("NetworkSettings").get("Networks")
    mode = host.get("NetworkMode")
    shared = mode.text == "host" or (mode.text or "").startswith("container:")
    return Container(
        (node.get("Name").text or "").lstrip("/"),
        node.get("Name").place,
        tuple(_endpoint(name, one) for name, one in networks.items() if not shared),
        mode=mode if shared else None,
        sysctls=dict(host.get("Sysctls").items()),
        ports=tuple(Node(one.place, key) for key, one in host.get("PortBindings").items()),
        hosts=tuple(host.get("ExtraHosts").entries()),
        dns=tuple(host.get("Dns").entries()),
        search=tuple(host.get("DnsSearch").entries()),
        mac=config.get("MacAddress") or None,
    )


def _endpoint(name: str, node: Node) -> Attachment:
    asked = node.get("IPAMConfig")
    running = (
        _with_length(node.get("IPAddress"), node.get("IPPrefixLen")),
        _with_length(node.get("GlobalIPv6Address"), node.get("GlobalIPv6PrefixLen")),
    )
    addresses = (asked.get("IPv4Address"), asked.get("IPv6Address"))
    return Attachment(
        name,
        node.place,
        addresses=tuple(one for one in addresses if one),
        running=tuple(one for one in running if one),
        running_mac=node.get("MacAddress") or None,
        link_local=tuple(asked.get("LinkLocalIPs").entries()),
        gateway_priority=node.get("GwPriority").number(),
    )


def _with_length(address: Node, length: Node) -> Node:
    return Node(address.place, f"{address.text}/{length.text}" if address else None)


# -- podman ---------------------------------------------------------------------------------------

_PARENTS: Final = ("network_interface", "master")


def _podman_network(node: Node, notes: Notes) -> Network:
    name = node.get("name").text or ""
    options = dict(node.get("options").items())
    parent = node.get(*_PARENTS)
    return Network(
        name,
        node.get("name").place,
        driver=node.get("driver").text or "bridge",
        options={**options, **({"parent": parent} if parent else {})},
        pools=tuple(_podman_pool(one, notes) for one in node.get("subnets").entries()),
        internal=node.get("internal").truth,
        ipam_driver=node.get("ipam_options").get("driver").text or "default",
        real_name=name,
        implied_gateway=False,
    )


def _podman_pool(node: Node, notes: Notes) -> Pool:
    lease = node.get("lease_range")
    return Pool(node.place, node.get("subnet"), node.get("gateway"), _range(lease, notes))


def _range(lease: Node, notes: Notes) -> Node:
    """The prefix that a range of addresses is, if it is one."""
    first, last = lease.get("start_ip").text, lease.get("end_ip").text
    if not first or not last:
        return Node(lease.place)
    try:
        prefixes = list(summarize_address_range(ip_address(first), ip_address(last)))
    except (ValueError, TypeError):
        prefixes = []
    if len(prefixes) == 1:
        return Node(lease.place, str(prefixes[0]))
    # Podman leaves the first and last address of a prefix out.
    wider = _wider(first, last)
    if wider is None:
        message = f"the range {first} to {last} is not a prefix"
        notes.decide(lease.place, message, "write ip_range as a prefix inside it")
    return Node(lease.place, wider)


def _wider(first: str, last: str) -> str | None:
    try:
        start, end = int(ip_address(first)) - 1, int(ip_address(last)) + 1
        width = ip_address(first).max_prefixlen
        size = end - start + 1
        if size & (size - 1) or start % size:
            size, end = size - 1, end - 1
        prefix = ip_interface(f"{ip_address(start)}/{width - size.bit_length() + 1}").network
    except ValueError:
        return None
    aligned = size & (size - 1) == 0 and int(prefix.network_address) == start
    return str(prefix) if aligned else None


def _podman_members(node: Node) -> Iterator[Container]:
    network = node.get("name").text or ""
    for key, one in node.get("containers").items():
        attachments = []
        for interface, details in one.get("interfaces").items():
            subnets = details.get("subnets").entries()
            running = tuple(found for s in subnets if (found := s.get("ipnet")))
            mac = details.get("mac_address") or None
            attachments.append(
                Attachment(
                    network, one.place, running=running, running_mac=mac, interface=interface
                )
            )
        yield Container(one.get("name").text or key[:12], one.place, tuple(attachments))
