"""Parsers of single values: addresses, prefixes, MACs, names. Text in, value out."""

import re
from collections.abc import Callable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)
from typing import Any, Final

from vlanlink.host import is_topology_name
from vlanlink.topology.problems import InvalidValue, quote

Ip = IPv4Address | IPv6Address
Prefix = IPv4Network | IPv6Network

AUTO: Final = "auto"
"""In ``addresses``: choose one for each family that the list doesn't name."""
DHCP: Final = "dhcp"
DEFAULT: Final = "default"

_MAC: Final = re.compile(r"[0-9a-f]{2}([:-]?)(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}", re.ASCII)


def describe(value: object) -> str:
    """The type of a TOML value, and the value itself if it is short."""
    for types, word in _WORDS:
        if isinstance(value, types):
            return f"{word} {quote(value)}" if word in _SHOWN else word
    return "a date or time" if _is_time(value) else f"a Python {type(value).__name__}"


def _is_time(value: object) -> bool:
    return type(value).__module__ == "datetime"


_WORDS: Final[tuple[tuple[type | tuple[type, ...], str], ...]] = (
    (type(None), "nothing"),
    (bool, "the boolean"),
    (str, "the string"),
    (int, "the number"),
    (float, "the number"),
    ((list, tuple), "an array"),
    (dict, "a table"),
)
_SHOWN: Final = ("the boolean", "the string", "the number")


def topology_name(name: str) -> str:
    """A topology's name: part of marks, file names and command lines."""
    if not is_topology_name(name):
        raise InvalidValue(
            "topology_name",
            f"{quote(name)} is not a valid topology name",
            "use up to 63 letters, digits, '.', '_' and '-'; the first is not '.' or '-', "
            "and the end not '.toml'",
        )
    return name


def _plain(word: str, parse: Callable[[str], Any]) -> Any:
    # ipaddress takes zones (fe80::1%eth0) and netmasks (10.0.0.1/255.0.0.0): netlink does not.
    if "%" in word or not word.isascii() or not re.fullmatch(r"[^/]*(/\d{1,3})?", word):
        raise ValueError(word)
    return parse(word)


def address(word: str) -> Ip:
    """An address without a prefix length."""
    try:
        found: Ip = _plain(word, ip_address)
    except ValueError:
        raise _not_an_address(word) from None
    return found


def _not_an_address(word: str) -> InvalidValue:
    try:
        bare = _plain(word, ip_interface).ip
    except ValueError:
        return InvalidValue(
            "bad_address",
            f"{quote(word)} is not a valid IP address",
            'write an address such as "192.0.2.1" or "2001:db8::1"',
        )
    return InvalidValue(
        "gateway_with_prefix",
        f"{quote(word)} has a prefix length; write a bare address here",
        f'write "{bare}"',
    )


def prefix(word: str) -> Prefix:
    """An address with a prefix length and no host bits."""
    try:
        if "/" not in word:
            raise ValueError(word)
        whole = _plain(word, ip_interface)
    except ValueError:
        raise InvalidValue(
            "bad_prefix", f"{quote(word)} is not a valid IP prefix", _prefix_hint(word)
        ) from None
    return _without_host_bits(word, whole)


def _without_host_bits(word: str, whole: Any) -> Prefix:
    network: Prefix = whole.network
    if whole.ip != network.network_address:
        raise InvalidValue("host_bits", f"{quote(word)} has host bits set", f'write "{network}"')
    return network


def _prefix_hint(word: str) -> str:
    try:
        ip = _plain(word, ip_address)
    except ValueError:
        return 'write a prefix such as "192.0.2.0/24" or "2001:db8::/64"'
    length = 24 if ip.version == 4 else 64
    return f'add the prefix length: "{ip_network((ip, length), strict=False)}"'


def destination(word: str) -> Prefix:
    """The destination of a route: a prefix or a single address."""
    return prefix(word) if "/" in word else ip_network(address(word))


def entry(word: str) -> str:
    """One entry of ``addresses`` in canonical text: a word or an address."""
    if word == AUTO:
        return word
    if word == DHCP:
        raise InvalidValue("not_supported", f"{quote(DHCP)} is not supported yet", "list addresses")
    try:
        found = _plain(word, ip_interface if "/" in word else ip_address)
    except ValueError:
        raise InvalidValue(
            "bad_address",
            f"{quote(word)} is not a valid IP address",
            'write an address such as "192.0.2.5/24" or "2001:db8::5/64"',
        ) from None
    _usable(word, getattr(found, "ip", found))
    return str(found)


def _usable(word: str, ip: Ip) -> None:
    mapped = isinstance(ip, IPv6Address) and (ip.ipv4_mapped is not None or ip.is_loopback)
    if ip.is_multicast or ip.is_unspecified or mapped or str(ip) == "255.255.255.255":
        raise InvalidValue(
            "address_unusable",
            f"{quote(word)} is not a valid interface address",
            "write a unicast address",
        )


def unicast_address(word: str) -> Ip:
    """An address that a machine can have: a gateway, a next hop, a source."""
    ip = address(word)
    _usable(word, ip)
    return ip


def mac(word: str) -> str:
    """A unicast MAC address, in lower case with colons."""
    plain = _mac(word)
    if int(plain[:2], 16) & 1 or plain == "00:00:00:00:00:00":
        raise InvalidValue(
            "mac_group",
            f"{quote(word)} is not a valid interface MAC (multicast or zero)",
            'write one with an even first byte, such as "02:42:ac:10:03:0f", or leave it out',
        )
    return plain


def _mac(word: str) -> str:
    if not _MAC.fullmatch(word.lower()):
        raise InvalidValue(
            "bad_mac",
            f"{quote(word)} is not a valid MAC address",
            'write six bytes separated by colons, such as "02:42:ac:10:03:0f"',
        )
    digits = re.sub("[:-]", "", word.lower())
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))
