"""What the reader says about a value that it refuses: one exception, and the list of its codes."""

from collections.abc import Mapping, Sequence
from typing import Final

from vlanlink.dataclass import dataclass
from vlanlink.errors import Problem
from vlanlink.topology.positions import Span


@dataclass(frozen=True, slots=True)
class InvalidEntry:
    """A problem and the code of the rule or form that it violates."""

    code: str
    problem: Problem
    warning: bool = False
    span: Span | None = None
    """Its place in the text, where the path alone would lead to another one."""


class InvalidValue(ValueError):  # noqa: N818 - users read it, not programmers
    """Raised by the readers of single values; the table that holds the value adds the path."""

    def __init__(
        self,
        code: str,
        message: str,
        hint: str | None = None,
        *,
        at_key: bool = False,
        meant: str | None = None,
    ) -> None:
        """Take a code of ``FORMS``, the text for the user, and the key that was meant."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.at_key = at_key
        self.meant = meant


FORMS: Final[Mapping[str, str]] = {
    "unknown_key": "an unknown key; the nearest known one is named",
    "missing_key": "a required key is missing",
    "wrong_type": "a string instead of a number, and the like",
    "not_a_choice": "a word that is not one of the valid ones",
    "out_of_range": "a number that is too small or too large",
    "unknown_kind": "an unknown link kind",
    "network_kind": "a link kind that a network can't have",
    "option_of_network": "a kind's option on an interface whose network decides it",
    "topology_name": "an invalid topology name",
    "bad_address": "an invalid IP address",
    "bad_prefix": "an invalid IP prefix",
    "host_bits": "a subnet or route with host bits set",
    "gateway_with_prefix": "an address with a prefix length where a bare one is expected",
    "address_unusable": "an address that no link can have",
    "unit_name": "a name that is not that of a systemd service or socket",
    "domain_name": "an invalid domain name",
    "bad_mac": "an invalid MAC address",
    "parent_mac": "a parent's MAC in a string instead of a table",
    "bad_name": "an invalid host name",
    "dhcp_option": "text that a DHCP option can't hold",
    "mac_group": "a multicast or zero MAC address",
    "qos_map": "a QoS map with an invalid priority",
    "doubled": "a table or key defined twice",
    "syntax": "invalid TOML",
    "not_toml": "a text without a single statement of TOML",
    "no_table": "a file without any table",
}
"""Every form of a single value; RULES hold what several values must be to each other."""


def quote(value: object) -> str:
    """A value as TOML writes it, on one line, without terminal control characters."""
    import json

    if isinstance(value, int | float):
        return str(value).lower()
    inner = "".join(
        one if one.isprintable() and one not in '"\\' else json.dumps(one)[1:-1]
        for one in str(value)[:_LONGEST]
    )
    return f'"{inner}"' if len(str(value)) <= _LONGEST else f'"{inner}…"'


_LONGEST: Final = 80


def one_of(words: Sequence[str]) -> str:
    """``a, b or c``."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last
