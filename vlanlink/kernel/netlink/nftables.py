"""Read the chains of nftables that packets to or through a namespace meet (linux/nf_tables.h).

iptables writes its rules there, too, except for iptables-legacy.
"""

import re
import struct
from collections.abc import Iterator, Mapping
from typing import Final

from vlanlink.dataclass import dataclass
from vlanlink.errors import shell_word
from vlanlink.kernel.netlink.attributes import attributes
from vlanlink.kernel.netlink.message import request, text
from vlanlink.kernel.netlink.socket import Socket

NETLINK_NETFILTER = 12
"""The protocol number (linux/netlink.h), which Python's socket module lacks."""

_NFGENMSG = struct.Struct(">BBH")
"""Family, version, resource."""
_BODY = 16 + _NFGENMSG.size
_REQUEST_DUMP = 0x301
_GETCHAIN, _GETRULE = 10 << 8 | 4, 10 << 8 | 7
_FAMILIES: Final = {1: "inet", 2: "ip", 10: "ip6"}
_HOOKS: Final = {1: "input", 2: "forward"}

_CHAIN_TABLE, _CHAIN_NAME, _CHAIN_HOOK, _CHAIN_POLICY = 1, 3, 4, 5
_HOOK_NUMBER = 1
_RULE_TABLE, _RULE_CHAIN, _RULE_EXPRESSIONS = 1, 2, 4
_EXPRESSION_NAME, _EXPRESSION_DATA = 1, 2
_IMMEDIATE_DATA, _DATA_VALUE, _DATA_VERDICT, _VERDICT_CODE = 2, 1, 2, 1
_CMP_OPERATION, _CMP_DATA = 2, 3
_EQUAL = bytes(4)
_TARGET_NAME = 1
_DROP, _ACCEPT = 0, 1
_LINK = re.compile(rb"[!-.0-~]{1,15}")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
"""What nft takes for a name without quotes."""


@dataclass(frozen=True, slots=True)
class FilterChain:
    """A base chain at the input or forward hook."""

    hook: str
    """``input`` or ``forward``."""
    family: str
    """``ip``, ``ip6`` or ``inet``, which has both."""
    table: str
    name: str
    policy_drops: bool = False
    rules_drop: bool = False
    """A rule of its table drops or rejects."""
    accepts: frozenset[str] = frozenset()
    """Links whose packets a rule of the chain accepts."""
    program: str = "nft"
    """The program that changes it."""

    def opening(self, link: str) -> str:
        """The command that lets the packets of a link pass."""
        if self.program == "nft":
            word = link if _PLAIN.fullmatch(link) else shell_word(f'"{link}"')
            return f"nft insert rule {self.family} {self.table} {self.name} iifname {word} accept"
        return f"{self.program} -I {self.name} -i {shell_word(link)} -j ACCEPT"

    def concerns(self, family: int) -> bool:
        """Whether it sees IPv4 (4) or IPv6 (6) packets."""
        return self.family in ("inet", {4: "ip", 6: "ip6"}[family])

    def __str__(self) -> str:
        """As its program names it."""
        by = "" if self.program == "nft" else f" of {self.program}"
        return f"chain {self.name} of table {self.family} {self.table}{by}"


@dataclass(slots=True)
class _Rule:
    chain: str
    verdicts: list[int]
    compared: list[bytes]


def read_filters(netfilter: Socket) -> tuple[FilterChain, ...]:
    """The chains that drop packets, by policy or by rules. Raises OSError.

    ``netfilter`` is a socket of NETLINK_NETFILTER in the namespace.
    """
    return tuple(chain for chain in _chains(netfilter) if chain.policy_drops or chain.rules_drop)


def _chains(netfilter: Socket) -> Iterator[FilterChain]:
    rules: dict[tuple[int, str], list[_Rule]] = {}
    for message in netfilter.dump(request(_GETCHAIN, _REQUEST_DUMP, _NFGENMSG.pack(0, 0, 0))):
        if len(message) < _BODY:
            continue
        values = dict(attributes(message, _BODY))
        family, hook = message[16], _hook(values)
        if hook is None or family not in _FAMILIES:
            continue
        table, name = _text(values, _CHAIN_TABLE), _text(values, _CHAIN_NAME)
        if (family, table) not in rules:
            rules[family, table] = list(_rules(netfilter, family, table))
        every = rules[family, table]
        yield FilterChain(
            hook,
            _FAMILIES[family],
            table,
            name,
            values.get(_CHAIN_POLICY) == struct.pack(">I", _DROP),
            any(_DROP in rule.verdicts for rule in every),
            frozenset(_accepted(rule for rule in every if rule.chain == name)),
        )


def _hook(values: Mapping[int, bytes]) -> str | None:
    number = dict(attributes(values.get(_CHAIN_HOOK, b""))).get(_HOOK_NUMBER, b"")
    return _HOOKS.get(int.from_bytes(number, "big"))


def _rules(netfilter: Socket, family: int, table: str) -> Iterator[_Rule]:
    body = _NFGENMSG.pack(family, 0, 0)
    asked = request(_GETRULE, _REQUEST_DUMP, body, text(_RULE_TABLE, table))
    for message in netfilter.dump(asked):
        values = dict(attributes(message, _BODY))
        of_family = message[16:17] == bytes((family,))
        if of_family and _text(values, _RULE_TABLE) == table:
            rule = _Rule(_text(values, _RULE_CHAIN), [], [])
            for _, expression in attributes(values.get(_RULE_EXPRESSIONS, b"")):
                _read_expression(dict(attributes(expression)), rule)
            yield rule


def _read_expression(values: Mapping[int, bytes], rule: _Rule) -> None:
    name = _text(values, _EXPRESSION_NAME)
    data = dict(attributes(values.get(_EXPRESSION_DATA, b"")))
    target = name == "target" and _text(data, _TARGET_NAME) == "REJECT"  # as iptables writes it
    if name == "reject" or target:
        rule.verdicts.append(_DROP)
    elif name == "immediate":
        inner = dict(attributes(data.get(_IMMEDIATE_DATA, b"")))
        verdict = dict(attributes(inner.get(_DATA_VERDICT, b"")))
        if code := verdict.get(_VERDICT_CODE):
            rule.verdicts.append(int.from_bytes(code, "big"))
    elif name == "cmp" and data.get(_CMP_OPERATION) == _EQUAL:
        rule.compared.append(dict(attributes(data.get(_CMP_DATA, b""))).get(_DATA_VALUE, b""))


def _accepted(rules: Iterator[_Rule]) -> Iterator[str]:
    for rule in rules:
        for value in rule.compared if _ACCEPT in rule.verdicts else ():
            if _LINK.fullmatch(name := value.rstrip(b"\0")):
                yield name.decode()


def _text(values: Mapping[int, bytes], key: int) -> str:
    return values.get(key, b"").rstrip(b"\0").decode(errors="replace")
