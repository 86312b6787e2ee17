"""The lease that a server's message offers, or why it is refused. Pure.

What a server says is not trusted: addresses are unicast, names follow the grammar of names, lists
are cut to a length. A message that lacks what a lease needs is refused.
"""

import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, ip_network
from typing import Final

from vlanlink.dhcp.message import Message, Option
from vlanlink.host import is_domain
from vlanlink.store.dhcp_leases import FOREVER, DhcpLease, LeaseRoute

MOST_SERVERS: Final = 3
"""The resolver reads three (resolv.conf(5))."""
MOST_ROUTES: Final = 64
MOST_DOMAINS: Final = 6
SMALLEST_MTU: Final = 576
_ANYWHERE: Final = "0.0.0.0/0"
_POINTER = 0xC0


def read_terms(message: Message, mac: str, now: float) -> DhcpLease | str:
    """The lease in an OFFER or ACK that came from ``mac``; or why it can't be used."""
    server, options = server_of(message), message.options
    if server is None:
        return "it names no server"
    seconds = _number(options.get(Option.LEASE_SECONDS), 4)
    if not seconds:
        return "it has no lease time"
    network = _network(message.yours, options.get(Option.MASK))
    if isinstance(network, str):
        return network
    renew, rebind = _times(message, seconds)
    routes = _routes(message)
    return DhcpLease(
        address=f"{message.yours}/{network.prefixlen}",
        server=server,
        server_mac=mac,
        obtained=now,
        seconds=seconds,
        renew=renew,
        rebind=rebind,
        # The way to its own subnet comes with the address.
        routes=tuple(r for r in routes if r[1] != message.yours and r[0] != str(network)),
        dns=tuple(_addresses(options.get(Option.DNS, b"")))[:MOST_SERVERS],
        search=_search(message),
        mtu=_mtu(options.get(Option.MTU)),
    )


def server_of(message: Message) -> str | None:
    """The server's identifier, if it is an address that can be."""
    value = message.options.get(Option.SERVER, b"")
    found = list(_addresses(value)) if len(value) == 4 else []
    return found[0] if found else None


def words_of(message: Message) -> str:
    """The server's reason for a NAK, if it gives one in plain text."""
    text = message.options.get(Option.TEXT, b"").decode("ascii", "replace")[:80]
    return text if text.isprintable() else ""


def _network(address: str, mask: bytes | None) -> IPv4Network | str:
    """The network of the address; or why they can't be used."""
    if not _is_unicast(IPv4Address(address)):
        return f"{address} is not a host address"
    length = _class_length(address) if mask is None else _mask_length(mask)
    if length is None:
        return f"its netmask is {mask.hex() if mask else 'empty'}"
    network = IPv4Network((address, length), strict=False)
    edges = {str(network.network_address), str(network.broadcast_address)}
    if length < 31 and address in edges:
        return f"{address} is the first or last address of {network}"
    return network


def _mask_length(mask: bytes) -> int | None:
    """The prefix length; None for the mask 0 and for an invalid one."""
    bits = int.from_bytes(mask, "big")
    length = bits.bit_count()
    whole = (0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF
    return length if len(mask) == 4 and length and bits == whole else None


def _class_length(address: str) -> int:
    """The prefix length of a server that sends no mask: that of the address's class."""
    first = int(address.partition(".")[0])
    return 8 if first < 128 else 16 if first < 192 else 24


def _times(message: Message, seconds: int) -> tuple[int, int]:
    """T1 and T2: the server's if they are in order, else those of RFC 2131, 4.4.5."""
    renew = _number(message.options.get(Option.RENEW_SECONDS), 4) or seconds // 2
    rebind = _number(message.options.get(Option.REBIND_SECONDS), 4) or seconds * 7 // 8
    if not 0 < renew < rebind < seconds:
        renew, rebind = seconds // 2, seconds * 7 // 8
    if seconds == FOREVER:
        return FOREVER, FOREVER
    return max(1, renew), max(1, rebind)


def _number(value: bytes | None, size: int) -> int | None:
    return int.from_bytes(value, "big") if value is not None and len(value) == size else None


def _mtu(value: bytes | None) -> int | None:
    found = _number(value, 2)
    return found if found and found >= SMALLEST_MTU else None


def _routes(message: Message) -> tuple[LeaseRoute, ...]:
    """Classless routes; where there are any, the routers are ignored (RFC 3442)."""
    classless = message.options.get(Option.CLASSLESS_ROUTES)
    if classless:
        found = _classless(classless)
        if found is not None:
            return found
    routers = list(_addresses(message.options.get(Option.ROUTERS, b"")))
    return ((_ANYWHERE, routers[0]),) if routers else ()


def _classless(data: bytes) -> tuple[LeaseRoute, ...] | None:
    """The routes of option 121; None if it is malformed."""
    found: dict[str, str | None] = {}
    at = 0
    while at < len(data):
        length = data[at]
        size = (length + 7) // 8
        rest = data[at + 1 : at + 5 + size]
        if length > 32 or len(rest) < size + 4:
            return None
        at += 5 + size
        to = ip_network((rest[:size].ljust(4, b"\0"), length), strict=False)
        via = IPv4Address(rest[size:])
        usable = length == 0 or _is_destination(to.network_address)
        if usable and (int(via) == 0 or _is_unicast(via)):
            found.setdefault(str(to), str(via) if int(via) else None)
    return tuple(found.items())[:MOST_ROUTES]


def _is_destination(address: object) -> bool:
    assert isinstance(address, IPv4Address)
    return not (address.is_multicast or address.is_loopback or address.is_link_local)


def _addresses(data: bytes) -> Iterator[str]:
    """The unicast addresses in an option that lists addresses."""
    for at in range(0, len(data) - 3, 4):
        address = IPv4Address(data[at : at + 4])
        if _is_unicast(address):
            yield str(address)


def _is_unicast(address: IPv4Address) -> bool:
    first = int(address) >> 24
    return 0 < first < 224 and first != 127


def _search(message: Message) -> tuple[str, ...]:
    """The domains to search: those of option 119, else the domain."""
    names = list(_names(message.options.get(Option.SEARCH, b"")))
    if not names:
        text = message.options.get(Option.DOMAIN, b"").rstrip(b"\0")
        names = text.decode("ascii", "replace").split()
    valid = (name.rstrip(".") for name in names)
    return tuple(dict.fromkeys(filter(is_domain, valid)))[:MOST_DOMAINS]


def _names(data: bytes) -> Iterator[str]:
    """The names of option 119, compressed as in DNS (RFC 3397)."""
    at = 0
    while at < len(data):
        name, at = _name(data, at)
        if name is None:
            return
        yield name


def _name(data: bytes, at: int) -> tuple[str | None, int]:
    """A name and where the next one begins; None if it is malformed."""
    labels: list[str] = []
    end, lowest = 0, at
    while at < len(data):
        length = data[at]
        if length == 0:
            return ".".join(labels), end or at + 1
        if length & _POINTER == _POINTER:
            if at + 2 > len(data):
                break
            end = end or at + 2
            at = struct.unpack_from("!H", data, at)[0] & 0x3FFF
            if at >= lowest:  # only backwards, so that it ends
                break
            lowest = at
            continue
        label = data[at + 1 : at + 1 + length]
        if length & _POINTER or len(label) < length:
            break
        labels.append(label.decode("ascii", "replace"))
        at += 1 + length
    return None, len(data)
