"""The forms of single values: addresses, prefixes, MACs, names of sysctls. Text in, value out."""

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
from typing import Any, Final, TypeVar

from pydantic import ValidationInfo

from vlanlink.topology.problems import InvalidValue, quote

Ip = IPv4Address | IPv6Address
Prefix = IPv4Network | IPv6Network

AUTO: Final = "auto"
DHCP: Final = "dhcp"
DEFAULT: Final = "default"

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,62}", re.ASCII)
_MAC: Final = re.compile(r"[0-9a-f]{2}([:-]?)(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}", re.ASCII)


def describe(value: object) -> str:
    """What a value of a TOML file is, in the words of TOML."""
    for types, word in _WORDS:
        if isinstance(value, types):
            return f"{word} {quote(value)}" if word in _SHOWN else word
    return "a date or time"


_WORDS: Final[tuple[tuple[type | tuple[type, ...], str], ...]] = (
    (type(None), "nothing"),
    (bool, "true or false"),
    (str, "the string"),
    (int, "the number"),
    (float, "the number"),
    ((list, tuple), "an array"),
    (dict, "a table"),
)
_SHOWN: Final = ("the string", "the number")


def text(value: object, wanted: str) -> str:
    """The value itself, if it is a string."""
    if not isinstance(value, str):
        raise InvalidValue("wrong_type", f"{wanted} belongs here, in quotes, not {describe(value)}")
    return value


def topology_name(name: str) -> str:
    """A name for a topology: it stands in marks, file names and on command lines."""
    if not _NAME.fullmatch(name) or name.endswith(".toml"):
        raise InvalidValue(
            "topology_name",
            f"{quote(name)} can't be a topology's name",
            "use letters, digits, '.', '_' and '-', at most 63 of them, the first no '.' or '-', "
            "the end not '.toml'",
        )
    return name


def between(least: float, most: float) -> Callable[[float, ValidationInfo], float]:
    """A validator for a number with bounds."""

    def check(number: float, info: ValidationInfo) -> float:
        if not least <= number <= most:
            raise InvalidValue(
                "out_of_range",
                f"{info.field_name} = {number} is out of range",
                f"write a number from {least} to {most}",
            )
        return number

    return check


def _plain(word: str, parse: Callable[[str], Any]) -> Any:
    # ipaddress takes zones (fe80::1%eth0) and netmasks (10.0.0.1/255.0.0.0): netlink does not.
    if "%" in word or not word.isascii() or not re.fullmatch(r"[^/]*(/\d{1,3})?", word):
        raise ValueError(word)
    return parse(word)


def address(value: object) -> Ip:
    """An address without a prefix."""
    if isinstance(value, IPv4Address | IPv6Address):
        return value
    word = text(value, "an address")
    try:
        found: Ip = _plain(word, ip_address)
    except ValueError:
        raise _no_address(word) from None
    return found


def _no_address(word: str) -> InvalidValue:
    try:
        bare = _plain(word, ip_interface).ip
    except ValueError:
        return InvalidValue(
            "bad_address",
            f"{quote(word)} is no IP address",
            'write an address such as "192.0.2.1" or "2001:db8::1"',
        )
    return InvalidValue(
        "gateway_with_prefix",
        f"{quote(word)} has a prefix; a bare address belongs here",
        f'write "{bare}"',
    )


def prefix(value: object) -> Prefix:
    """An address with a prefix length, and no bit set beyond it."""
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    word = text(value, "a prefix")
    try:
        if "/" not in word:
            raise ValueError(word)
        whole = _plain(word, ip_interface)
    except ValueError:
        raise InvalidValue(
            "bad_prefix", f"{quote(word)} is no IP prefix", _prefix_hint(word)
        ) from None
    return _without_host_bits(word, whole)


def _without_host_bits(word: str, whole: Any) -> Prefix:
    network: Prefix = whole.network
    if whole.ip != network.network_address:
        raise InvalidValue(
            "host_bits", f"{quote(word)} has bits set beyond its prefix", f'write "{network}"'
        )
    return network


def _prefix_hint(word: str) -> str:
    try:
        ip = _plain(word, ip_address)
    except ValueError:
        return 'write a prefix such as "192.0.2.0/24" or "2001:db8::/64"'
    length = 24 if ip.version == 4 else 64
    return f'write the length too, such as "{ip_network((ip, length), strict=False)}"'


def destination(value: object) -> Prefix:
    """Where a route leads: a prefix, or a single address."""
    if isinstance(value, str) and "/" not in value:
        ip = address(value)
        return ip_network(ip)
    return prefix(value)


def entry(word: str) -> str:
    """One entry of ``addresses``, in canonical text: a word, an address, one with a prefix."""
    if word in (AUTO, DHCP):
        return word
    try:
        found = _plain(word, ip_interface if "/" in word else ip_address)
    except ValueError:
        raise InvalidValue(
            "bad_address",
            f"{quote(word)} is no IP address",
            'write an address such as "192.0.2.5/24" or "2001:db8::5/64"',
        ) from None
    _usable(word, getattr(found, "ip", found))
    return str(found)


def _usable(word: str, ip: Ip) -> None:
    mapped = isinstance(ip, IPv6Address) and (ip.ipv4_mapped is not None or ip.is_loopback)
    if ip.is_multicast or ip.is_unspecified or mapped or str(ip) == "255.255.255.255":
        raise InvalidValue(
            "address_unusable",
            f"{quote(word)} is no address that a link can have",
            "write a unicast address",
        )


def station(value: object) -> Ip:
    """An address that some machine can have: a gateway, a next hop, a source."""
    ip = address(value)
    _usable(str(value), ip)
    return ip


def mac(word: str) -> str:
    """A MAC address of one station, in lower case with colons."""
    plain = _mac(word)
    if int(plain[:2], 16) & 1 or plain == "00:00:00:00:00:00":
        raise InvalidValue(
            "mac_group",
            f"{quote(word)} is no MAC that a link can have (it is a group's, or zero)",
            'write one with an even first byte, such as "02:42:ac:10:03:0f", or leave it out',
        )
    return plain


def _mac(word: str) -> str:
    if not _MAC.fullmatch(word.lower()):
        raise InvalidValue(
            "bad_mac",
            f"{quote(word)} is no MAC address",
            'write six bytes with colons, such as "02:42:ac:10:03:0f"',
        )
    digits = re.sub("[:-]", "", word.lower())
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


def macs(words: tuple[str, ...]) -> tuple[str, ...]:
    """A set of MACs, sorted."""
    return tuple(sorted({mac(word) for word in words}))


def setting(value: object) -> str:
    """The value of a sysctl as the kernel's file takes it."""
    if isinstance(value, bool | int):
        return str(int(value))
    if not isinstance(value, str):
        raise InvalidValue(
            "wrong_type",
            f"a whole number, a string, true or false belongs here, not {describe(value)}",
            'a key with dots in it stands in quotes: "net.ipv4.ip_forward"'
            if isinstance(value, dict)
            else None,
        )
    if not value.replace("\t", " ").isprintable():
        raise InvalidValue("wrong_type", f"{quote(value)} is more than one line of plain text")
    return value


_T = TypeVar("_T")


class Gone:
    """Stands in a list in the place of an entry that was taken out, so that counts stay right."""


GONE: Final = Gone()


def listed(value: _T) -> _T | tuple[Any, ...]:
    """TOML's arrays as the tuples of frozen values, without what was taken out."""
    if isinstance(value, list | tuple):
        return tuple(item for item in value if item is not GONE)
    return value
