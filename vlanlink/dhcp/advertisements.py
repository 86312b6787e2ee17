"""What routers advertise of DNS: its options, and what is made of them. Pure.

What a router says is not trusted: servers are unicast addresses, domains follow the grammar of
names, and no more than a few of each are remembered. The kernel passes the options on
(RTM_NEWNDUSEROPT); it has checked hop limit and source by then (RFC 4861, 6.1.2).
"""

import struct
from collections.abc import Iterator, Mapping
from ipaddress import IPv6Address
from typing import Final

from vlanlink.dataclass import dataclass
from vlanlink.host import is_domain
from vlanlink.store.advertised import MOST, Advertised

_HEAD: Final = struct.Struct("!BBxxI")
"""Type, length in units of eight bytes, lifetime (RFC 8106, 5)."""
_SERVERS, _DOMAINS = 25, 31
_LONGEST_LABEL = 63


@dataclass(frozen=True, slots=True)
class Option:
    """Servers or domains, and for how many seconds they count; 0: not any more."""

    seconds: int
    servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()


def read_options(data: bytes) -> Iterator[Option]:
    """The options of DNS among those of an advertisement."""
    while len(data) >= _HEAD.size:
        kind, units, seconds = _HEAD.unpack_from(data)
        body = data[_HEAD.size : units * 8]
        if not units or len(data) < units * 8:
            return
        if kind == _SERVERS:
            yield Option(seconds, servers=tuple(_servers(body))[:MOST])
        elif kind == _DOMAINS:
            yield Option(seconds, search=tuple(filter(is_domain, _domains(body)))[:MOST])
        data = data[units * 8 :]


def _servers(data: bytes) -> Iterator[str]:
    for at in range(0, len(data) - 15, 16):
        address = IPv6Address(data[at : at + 16])
        special = address.is_multicast or address.is_loopback or address.is_unspecified
        if not special and address.ipv4_mapped is None:
            yield str(address)


def _domains(data: bytes) -> Iterator[str]:
    """Names in DNS's encoding, uncompressed, with zeros at the end."""
    labels: list[str] = []
    at = 0
    while at < len(data):
        length, label = data[at], data[at + 1 : at + 1 + data[at]]
        if length > _LONGEST_LABEL or len(label) < length:
            return
        at += 1 + length
        if length:
            labels.append(label.decode("ascii", "replace"))
        elif labels:
            yield ".".join(labels)
            labels = []


def learn(known: Advertised, option: Option, now: float) -> Advertised:
    """What is known after an option. Names beyond the most that are kept wait for a free place."""
    known = known.at(now)
    return Advertised(
        _learn(known.servers, option.servers, option.seconds, now),
        _learn(known.search, option.search, option.seconds, now),
    )


def _learn(
    known: Mapping[str, float], heard: tuple[str, ...], seconds: int, now: float
) -> dict[str, float]:
    found = dict(known)
    for name in heard:
        if not seconds:
            found.pop(name, None)
        elif name in found or len(found) < MOST:
            found[name] = now + seconds
    return found
