"""Parsers of single values: addresses, prefixes, MACs, names. Text in, value out."""

import re
from collections.abc import Callable, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
    summarize_address_range,
)
from typing import Any, Final

from vlanlink.host import is_topology_name
from vlanlink.kinds import KINDS
from vlanlink.topology import habits
from vlanlink.topology.problems import InvalidValue, one_of, quote

Ip = IPv4Address | IPv6Address
Prefix = IPv4Network | IPv6Network

AUTO: Final = "auto"
"""In ``addresses``: choose one for each family that the list doesn't name."""
DHCP: Final = "dhcp"
"""In ``addresses``: the one that a DHCP server gives."""
WORDS: Final = (AUTO, DHCP)
DEFAULT: Final = "default"

_MAC: Final = r"[0-9a-f]{2}([:-]?)(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}"


def describe(value: object) -> str:
    """The type of a TOML value, and the value itself if it is short."""
    for types, word in _WORDS:
        if isinstance(value, types):
            return f"{word} {quote(value)}" if word in _SHOWN else word
    return "a date or time" if is_time(value) else f"a Python {type(value).__name__}"


def is_time(value: object) -> bool:
    """Whether it is one of TOML's dates and times."""
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
        near = re.sub(r"[^A-Za-z0-9._-]+", "-", name.removesuffix(".toml")).strip(".-")[:63]
        hint = (
            f"write {quote(near or 'office')}: up to 63 letters, digits, '.', '_' and '-', "
            "not beginning with '.' or '-', not ending with '.toml'"
        )
        raise InvalidValue("topology_name", f"{quote(name)} is not a valid topology name", hint)
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
        found = repaired(word)
        example = 'write an address such as "192.0.2.1" or "2001:db8::1"'
        hint = f'write "{found.partition("/")[0]}"' if found else example
        return InvalidValue("bad_address", f"{quote(word)} is not a valid IP address", hint)
    return InvalidValue(
        "gateway_with_prefix",
        f"{quote(word)} has a prefix length; write a bare address here",
        f'write "{bare}"',
    )


def host_part(word: str) -> IPv6Address:
    """The lower half of an IPv6 address, such as ``::42``; the upper is the router's prefix."""
    try:
        found = IPv6Address(_plain(word, ip_interface).ip)
    except ValueError:
        example = 'write its last four groups, such as "::42"'
        message = f"{quote(word)} is not the host part of an IPv6 address"
        raise InvalidValue("host_part", message, example) from None
    own = IPv6Address(int(found) & _HOST_PART)
    if found != own or not int(own) or "/" in word:
        message = f"{quote(word)} is not a host part: it has a prefix or is zero"
        raise InvalidValue("host_part", message, f'write "{own if int(own) else "::42"}"')
    return found


_HOST_PART: Final = (1 << 64) - 1


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
    found = repaired(word)
    if found is None:
        return _within(word) or 'write a prefix such as "192.0.2.0/24" or "2001:db8::/64"'
    if "/" in found:
        return f'write "{ip_interface(found).network}"'
    length = 64 if ":" in found else 24
    return f'add the prefix length: "{ip_network((found, length), strict=False)}"'


def _within(word: str) -> str | None:
    """The hint for ``192.0.2.10-192.0.2.20``: no address outside may be handed out."""
    ends = [repaired(end) for end in word.split("-")]
    if len(ends) != 2 or ends[0] is None or ends[1] is None or "/" in f"{ends[0]}{ends[1]}":
        return None
    first, last = ip_address(ends[0]), ip_address(ends[1])
    if first.version != last.version or int(first) > int(last):
        return None
    largest = min(summarize_address_range(first, last), key=lambda part: part.prefixlen)
    return f'write "{largest}", the largest prefix in that range'


def repaired(word: str) -> str | None:
    """An address, with a length if it has one, from what other tools take for one."""
    text = re.sub(r"%[^/]*", "", word.strip())
    text = re.sub(r"\s+(netmask\s+|mask\s+)?", "/", text)
    text = re.sub(r"(?<![0-9a-fA-F:.])0+(?=[0-9]+\.)|(?<=\.)0+(?=[0-9])", "", text)
    try:
        found = ip_interface(text)
    except ValueError:
        return None
    return str(found) if "/" in text else str(found.ip)


def destination(word: str) -> Prefix:
    """The destination of a route: a prefix or a single address."""
    return prefix(word) if "/" in word else ip_network(address(word))


_EXAMPLE: Final = 'write an address such as "192.0.2.5/24" or "2001:db8::5/64"'


def entry(word: str) -> str:
    """One entry of ``addresses`` in canonical text: a word or an address."""
    if word in WORDS:
        return word
    try:
        found = _plain(word, ip_interface if "/" in word else ip_address)
    except ValueError:
        found = repaired(word)
        hint = f'write "{found}"' if found else _EXAMPLE
        message = f"{quote(word)} is not a valid IP address"
        raise InvalidValue("bad_address", message, hint) from None
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


_UNIT: Final = r"(?!vlanlink@)[A-Za-z0-9:_.\\-]+(@[A-Za-z0-9:_.\\-]+)?\.(service|socket)"


def unit_name(word: str) -> str:
    """The name of a systemd service or socket."""
    if len(word) > 255 or word.startswith((".", "-")) or not re.fullmatch(_UNIT, word):
        plain = re.fullmatch(r"[A-Za-z0-9_-]+", word)
        hint = f'write "{word}.service"' if plain else 'write a name such as "nginx.service"'
        raise InvalidValue("unit_name", f"{quote(word)} is not a unit that can live here", hint)
    return word


def name_server(word: str) -> Ip:
    """An address that resolv.conf(5) can name."""
    ip = unicast_address(word)
    if ip.is_link_local:
        message = f"{quote(word)} names no interface, which a link-local address needs"
        raise InvalidValue("address_unusable", message, "write a routed address of the server")
    return ip


_LABEL: Final = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"


def is_domain(word: str) -> bool:
    """Whether it can be a domain's or a host's name in resolv.conf(5) and hosts(5)."""
    labels = word.removesuffix(".").split(".")
    return len(word) <= 253 and all(re.fullmatch(_LABEL, label) for label in labels)


def domain(word: str) -> str:
    """A domain to search, without the dot at its end."""
    if not is_domain(word):
        hint = 'write a name such as "example.org": labels of letters, digits, "-" and "_"'
        raise InvalidValue("domain_name", f"{quote(word)} is not a valid domain name", hint)
    return word.removesuffix(".")


def host_name(word: str) -> str:
    """A host's name, with or without its domain."""
    if not is_domain(word):
        raise InvalidValue("bad_name", f"{quote(word)} is not a valid host name", _NAME_HINT)
    return word


_NAME_HINT: Final = 'write letters, digits and "-", such as "web1"'
_LONGEST_OPTION: Final = 255
_CLIENT_ID: Final = r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2})+"


def option_text(word: str) -> str:
    """Text in a DHCP option."""
    if not word or len(word) > _LONGEST_OPTION or not (word.isascii() and word.isprintable()):
        message = f"{quote(word)} is not a valid DHCP option"
        hint = f"use at most {_LONGEST_OPTION} printable ASCII characters"
        raise InvalidValue("dhcp_option", message, hint)
    return word


def client_id(word: str) -> str:
    """A DHCP client identifier: bytes with colons, or text."""
    if re.fullmatch(_CLIENT_ID, word):
        return option_text(word.lower())
    return option_text(word)


def client_id_bytes(word: str) -> bytes:
    """The bytes of option 61; text has type 0 (RFC 2132, 9.14)."""
    if re.fullmatch(_CLIENT_ID, word):
        return bytes.fromhex(word.replace(":", ""))
    return b"\0" + word.encode()


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


def _mac_hint(word: str) -> str | None:
    """The hint for bytes with one digit, and for those in pairs."""
    parts = re.split(r"[:.-]", word.strip().lower())
    if not all(re.fullmatch("[0-9a-f]{1,4}", part) for part in parts) or len(parts) not in (3, 6):
        return None
    digits = "".join(part.zfill(12 // len(parts)) for part in parts)
    if len(digits) != 12:
        return None
    return f'write "{":".join(digits[at : at + 2] for at in range(0, 12, 2))}"'


def _mac(word: str) -> str:
    if not re.fullmatch(_MAC, word.lower()):
        hint = _mac_hint(word) or 'write six bytes with colons, such as "02:42:ac:10:03:0f"'
        raise InvalidValue("bad_mac", f"{quote(word)} is not a valid MAC address", hint)
    digits = re.sub("[:-]", "", word.lower())
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


NETWORK_KINDS: Final = tuple(name for name, kind in KINDS.items() if kind.rx_handler)
"""The kinds that a network can have: their links receive on the parent, beside the host."""

_FOREIGN_KINDS: Final = ("bridge", "bond", "team", "vxlan", "vrf", "tun", "tap", "wireguard", "gre")
_NICS: Final = ("physical", "phys", "ethernet", "nic", "device", "eth")


def link_kind(name: str) -> str:
    """The name of a known link kind."""
    if name not in KINDS:
        message = f"unknown link kind {quote(name)}: choose {one_of(list(KINDS))}"
        raise InvalidValue("unknown_kind", message, _kind_hint(name, list(KINDS)))
    return name


def network_kind(name: str) -> str:
    """The name of a kind that a network can have."""
    if name in NETWORK_KINDS:
        return name
    choices = f"choose {one_of(NETWORK_KINDS)}"
    if name in KINDS:
        message = f"a network can't be of kind {quote(name)}: {choices}"
        hint = f'define that link under [links], and a network of kind "{NETWORK_KINDS[0]}" on it'
        if name == "vlan":
            hint = 'write "macvlan", and the VLAN as its parent: "eth0.50" is VLAN 50 of eth0'
        raise InvalidValue("network_kind", message, hint)
    message = f"unknown network kind {quote(name)}: {choices}"
    bridge = 'write "macvlan": bridge is its default mode' if name == "bridge" else None
    raise InvalidValue("unknown_kind", message, bridge or _kind_hint(name, NETWORK_KINDS))


def _kind_hint(name: str, known: Sequence[str]) -> str | None:
    if name in _NICS:
        return "remove the table: a NIC that exists needs none, name it as a parent"
    if name in _FOREIGN_KINDS:
        return f"create the {name} with another tool, and name it as a parent"
    meant = habits.meant_word(name, known)
    return f'did you mean "{meant}"?' if meant else None
