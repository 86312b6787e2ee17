"""Warnings about what a shim, or a routed network, can't do by itself. Pure."""

from collections.abc import Iterator, Mapping

from vlanlink.desired.builder import Builder
from vlanlink.desired.shim.link import endpoint_links, reachable_addresses
from vlanlink.desired.shim.sources import Shim, parent_addresses, sysctl_keys
from vlanlink.desired.sysctls import asked_sysctls
from vlanlink.errors import Problem
from vlanlink.kinds import KINDS
from vlanlink.model import HOST, LOOPBACK, Link, family_of
from vlanlink.sysctl import link_setting

_STRICT, _LOOSE = 1, 2
"""rp_filter of RFC 3704, sections 2.2 and 2.4 (ip-sysctl.rst)."""
_ANSWERS_NOBODY = 8
"""arp_ignore from which on a link answers no ARP (ip-sysctl.rst)."""


def shim_warnings(builder: Builder) -> Iterator[Problem]:
    """The endpoints and host addresses that a shim does not connect."""
    for shim in builder.addressing.shims.values():
        link = builder.links.get(shim.key)
        if link is None:
            continue
        for message in _of_slaac(builder, shim):
            yield Problem(shim.origin, message, at_key=True)
        yield from _of_sysctls(builder, shim, link)


def _of_slaac(builder: Builder, shim: Shim) -> Iterator[str]:
    for link in endpoint_links(builder, shim.network):
        entry = builder.topology.namespaces[link.namespace].interfaces[link.name]
        if entry.ipv6 == "slaac" and reachable_addresses(shim, link) == link.addresses:
            lacks = "an address of the host's in its prefix" if entry.ipv6_token else "ipv6_token"
            yield (
                f"{link.key} gets IPv6 addresses from the LAN's router: "
                f"without {lacks} the host can't reach those through the shim"
            )


def _of_sysctls(builder: Builder, shim: Shim, link: Link) -> Iterator[Problem]:
    network = builder.topology.networks[shim.network]
    kind = KINDS[network.kind]
    own = [address.bare for address in link.addresses if address.family == 4]
    if kind.layer3(network.options) or not own:
        return
    ignore, *filters = (_number(builder, key) for key in sysctl_keys(network))
    if ignore > 1:
        message = (
            f"net.ipv4.conf.all.arp_ignore = {ignore} keeps the shim from answering for {own[0]}: "
            "endpoints can't reach the host"
        )
        yield Problem(shim.origin, message, _per_nic(builder, ignore), at_key=True)
    of_parent = shim.parent_addresses.get(4, ())
    if max(filters) != _STRICT or not of_parent:
        return
    loose = f"sysctl -w {link_setting(str(network.parent), 'rp_filter', _LOOSE)}"
    bare = of_parent[0].partition("/")[0]
    strict = "rp_filter = 1 on the host"
    if kind.mac(network.options) == "fixed":
        message = f"with {strict}, endpoints reach the host at {own[0]}, and not at {bare}"
        yield Problem(shim.origin, message, loose, at_key=True)
    elif kind.sibling_traffic(network.options) == "hairpin":
        message = f"with {strict}, endpoints may not reach the host at {bare}: both answer for it"
        yield Problem(shim.origin, message, loose, at_key=True)


def _per_nic(builder: Builder, ignore: int) -> str:
    """Move ``arp_ignore`` from all links to the host's own NICs, where that makes sense."""
    settings = [link_setting("all", "arp_ignore", 0)]
    for link in builder.observed.host.links.values():
        nic = link.owner is None and link.name != LOOPBACK and link.addresses
        if nic and ignore < _ANSWERS_NOBODY:
            settings.append(link_setting(link.name, "arp_ignore", ignore))
    return f"sysctl -w {' '.join(settings)}"


def _number(builder: Builder, key: str) -> int:
    """A sysctl of the host: the file's value, else the present one."""
    written = asked_sysctls(builder.topology, builder.observed)[HOST]
    return int(written.get(key, builder.observed.host.sysctls.get(key, "0")))


def return_routes(builder: Builder) -> Iterator[Problem]:
    """The LAN needs a route to a network without neighbours (ipvlan l3 and l3s)."""
    for name, network in builder.topology.networks.items():
        parent = network.parent
        if parent is None or not KINDS[network.kind].layer3(network.options):
            continue
        links = endpoint_links(builder, name)
        prefixes = [str(subnet.subnet) for subnet in network.subnets or ()]
        prefixes = prefixes or [a.bare for link in links for a in link.addresses]
        hops = parent_addresses(builder.topology, builder.observed, network)
        routes = [f"{p} via {_first(hops, family_of(p), parent)}" for p in prefixes if links]
        if routes:
            message = f"the LAN reaches {name} once its router has {', '.join(routes)}"
            yield Problem(("networks", name), message, at_key=True)


def _first(hops: Mapping[int, tuple[str, ...]], family: int, parent: str) -> str:
    texts = hops.get(family)
    return texts[0].partition("/")[0] if texts else f"an IPv{family} address of {parent}"
