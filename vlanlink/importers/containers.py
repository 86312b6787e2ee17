"""The containers of a bundle as namespaces of a topology. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from vlanlink.dataclass import replace
from vlanlink.importers.addresses import address, prefix
from vlanlink.importers.bundle import KINDS, Attachment, Bundle, Container, Network
from vlanlink.importers.draft import Draft, Names, carried, resolved
from vlanlink.importers.networks import is_isolated
from vlanlink.importers.node import Node, split_pair
from vlanlink.importers.notes import Notes

_MOST: Final = 4096
"""Replicas of one service."""


def draft_containers(
    draft: Draft, bundle: Bundle, names: Names, notes: Notes, *, running: bool
) -> None:
    """Write a namespace for every container on a network that is carried."""
    networks = dict(carried(bundle))
    for one in bundle.containers:
        writer = _Namespace(draft, names, networks, bundle, notes, running=running)
        writer.write(one)


class _Namespace:
    """The namespaces of one container, and of its replicas."""

    def __init__(
        self,
        draft: Draft,
        names: Names,
        networks: Mapping[str, Network],
        bundle: Bundle,
        notes: Notes,
        *,
        running: bool,
    ) -> None:
        self.draft, self.names, self.networks = draft, names, networks
        self.bundle, self.notes, self.running = bundle, notes, running

    def write(self, container: Container) -> None:
        name = self.names.containers[container.name]
        if container.mode:
            self.mode(name, container.mode)
            return
        kept = [one for one in map(self.known, container.attachments) if one]
        if not kept:
            if container.attachments:
                message = f"{name} gets no namespace: none of its networks is carried over"
                self.notes.warn(container.place, message)
            return
        self.told(name, container, kept)
        for copy in self.copies(name, container):
            self.namespace(copy, container, kept)

    def mode(self, name: str, mode: Node) -> None:
        text = mode.text or ""
        other = self.other(text.partition(":")[2])
        if text == "host":
            self.notes.warn(mode.place, f"{name} gets no namespace: it runs on the host")
        elif text == "none":
            self.draft.put(("namespaces", name), {}, mode.place)
        elif other:
            message = f"{name} gets no namespace: it shares that of {other}"
            self.notes.warn(mode.place, message, f"start it with `vlanlink exec {other} -- …`")
        else:
            message = f"{name} gets no namespace: its network is {text}"
            self.notes.decide(mode.place, message)

    def other(self, name: str) -> str:
        """The namespace of the container or service that ``network_mode`` names."""
        found = (one for one in self.bundle.containers if name and name in (one.name, one.service))
        return next((self.names.containers[one.name] for one in found), name)

    def known(self, attachment: Attachment) -> Attachment | None:
        """The attachment by the source's key of its network, if that is carried."""
        key = self.key(attachment.network)
        if key is not None and key in self.networks:
            return replace(attachment, network=key)
        named = self.bundle.networks.get(key or "")
        if resolved(Node(attachment.place, attachment.network), "network", self.notes) is None:
            return None
        if named is None or (named.driver not in KINDS and not named.external):
            what = f"a {named.driver} network" if named else "not in the source"
            if attachment.network in ("bridge", "default"):
                what = "Docker's bridge"
            message = f"no interface on {attachment.network}: it is {what}"
            self.notes.decide(attachment.place, message)
        else:
            message = f"no interface on {attachment.network}: it is external"
            self.notes.decide(attachment.place, message)
        return None

    def key(self, network: str) -> str | None:
        """The network that a container means, by its key or its real name."""
        if network in self.networks:
            return network
        named = self.bundle.networks.get(network)
        wanted = named.real_name if named is not None and named.external else network
        found = (key for key, one in self.networks.items() if wanted in (key, one.real_name))
        return next(found, network if named is not None else None)

    def told(self, name: str, container: Container, kept: list[Attachment]) -> None:
        """What has another meaning here, or no counterpart."""
        for port in container.ports[:1]:
            message = f"{name}: ports are not published; all of them are open on its networks"
            moved = ", ".join(filter(None, map(_moved, container.ports)))
            hint = f"at its own address, {moved}" if moved else None
            self.notes.warn(port.place, message, hint)
        if name != container.name:
            self.notes.warn(container.place, f"{container.name} becomes namespace {name}")
        for one in (node for each in kept for node in each.link_local[:1]):
            message = f"{name}: link-local address {one.text} is not carried over"
            self.notes.warn(one.place, message)

    def copies(self, name: str, container: Container) -> Iterator[str]:
        """The names of the replicas."""
        if container.replicas == 1:
            yield name
            return
        message = f"{name} has {container.replicas} replicas: a namespace each"
        self.notes.warn(container.place, message)
        for number in range(1, min(container.replicas, _MOST) + 1):
            yield f"{name}-{number}"

    def namespace(self, name: str, container: Container, kept: list[Attachment]) -> None:
        path = ("namespaces", name)
        self.draft.origins[path] = container.place
        self.draft.comment(path, container.place.label)
        for key, nodes in (("dns", container.dns), ("search", container.search)):
            words = [text for one in nodes if (text := resolved(one, key, self.notes))]
            if words:
                self.draft.put((*path, key), words, nodes[0].place)
        hosts = dict(self.hosts(name, container))
        if hosts:
            self.draft.put((*path, "hosts"), hosts, container.hosts[0].place)
        named = _with_interfaces(kept)
        sysctls = dict(self.sysctls(name, container.sysctls))
        for interface, one in named.items():
            inside = {k.replace("IFNAME", interface): n for k, n in one.sysctls.items()}
            sysctls |= dict(self.sysctls(name, inside))
        if sysctls:
            place = next(iter(container.sysctls.values()), Node(container.place)).place
            self.draft.put((*path, "sysctls"), sysctls, place)
        routed = self.routed(kept)
        for at, (interface, one) in enumerate(named.items()):
            here = (*path, "interfaces", interface)
            mac = one.mac or (container.mac if at == 0 else None)
            self.interface(here, replace(one, mac=mac))
            if at < routed or self.is_cut_off(self.networks[one.network]):
                self.draft.put((*here, "default_route"), False, one.place)

    def hosts(self, name: str, container: Container) -> Iterator[tuple[str, str]]:
        """Names for /etc/hosts: ``NAME:ADDRESS`` or ``NAME=ADDRESS``."""
        for node in container.hosts:
            text = resolved(node, "extra_hosts", self.notes)
            host, value = split_pair(text or "", ("=", ":"))
            known = address(Node(node.place, value.strip("[]")))
            if host and known is not None and "/" not in value:
                yield host, str(known)
            elif text:
                message = f"{name}: extra host {text} is not carried over"
                self.notes.warn(node.place, message, "write hosts = { NAME = ADDRESS }")

    def sysctls(self, name: str, found: Mapping[str, Node]) -> Iterator[tuple[str, str]]:
        for key, node in found.items():
            if not key.replace("/", ".").startswith("net."):
                message = f"{name}: sysctl {key} is not carried over: it is not the network's"
                self.notes.warn(node.place, message)
                continue
            text = resolved(node, key, self.notes)
            if text is not None:
                yield key, text

    def interface(self, path: tuple[str, ...], one: Attachment) -> None:
        network = self.networks[one.network]
        self.draft.put((*path, "network"), self.names.networks[one.network], one.place)
        self.draft.origins[path] = one.place
        addresses = list(self.addresses(one, network))
        if addresses:
            place = next(iter((*one.addresses, *one.running)), Node(one.place)).place
            self.draft.put((*path, "addresses"), addresses, place)
        mac = (one.running_mac if self.running else None) or one.mac
        text = resolved(mac, "mac_address", self.notes)
        if mac and text and network.driver == "ipvlan":
            message = f"MAC {text} is not carried over: ipvlan interfaces have their parent's"
            if one.mac:
                self.notes.warn(mac.place, message)
        elif mac and text:
            self.draft.put((*path, "mac"), text, mac.place)

    def addresses(self, one: Attachment, network: Network) -> Iterator[str]:
        """Those asked for, or with ``running`` those it has; a family left out is chosen."""
        nodes = one.running if self.running and one.running else one.addresses
        found = [text for node in nodes if (text := resolved(node, "address", self.notes))]
        plain = [str(known) if (known := address(Node(one.place, t))) else t for t in found]
        yield from plain
        written = {":" in text for text in plain}
        families = {whole.version == 6 for pool in network.pools if (whole := prefix(pool.subnet))}
        families -= set() if network.ipv6 else {True}
        if plain and families - written:
            yield "auto"

    def routed(self, kept: list[Attachment]) -> int:
        """The position of the interface whose gateway Docker uses; 0 if there is none."""
        usable = {
            (-one.gateway_priority, self.networks[one.network].real_name, at): at
            for at, one in enumerate(kept)
            if not is_isolated(self.networks[one.network])
        }
        return usable[min(usable)] if usable else 0

    def is_cut_off(self, network: Network) -> bool:
        """Internal, on a parent: the gateway is there, and Docker doesn't use it."""
        table = self.draft.tables["networks"][self.names.networks[network.name]]
        return network.internal and "parent" in table


def _moved(port: Node) -> str:
    """``8080 is 80`` for a port that is published under another number."""
    if port.text is None:
        outside, inside = port.get("published").text or "", port.get("target").text or ""
    else:
        outside, _, inside = port.text.partition("/")[0].rpartition(":")
        outside = outside.rpartition(":")[2]
    return f"{outside} is {inside}" if outside and inside and outside != inside else ""


def _with_interfaces(kept: list[Attachment]) -> dict[str, Attachment]:
    """Interface names as Docker gives them: eth0, eth1 …, but for those that have one."""
    found: dict[str, Attachment] = {}
    fixed = {one.interface for one in kept}
    free = (f"eth{n}" for n in range(len(kept) * 2 + 1) if f"eth{n}" not in fixed)
    for one in kept:
        name = one.interface if one.interface and one.interface not in found else next(free)
        found[name] = one
    return found
