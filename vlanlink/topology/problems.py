"""What the reader says of a value that can't be taken: one exception, and the list of its codes."""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pydantic import ValidationError
from pydantic_core import InitErrorDetails

from vlanlink.errors import Problem
from vlanlink.topology.positions import Span


class InvalidEntry(NamedTuple):
    """A problem, and which rule or form it offends."""

    code: str
    problem: Problem
    warning: bool = False
    span: Span | None = None
    """Where it stands, if its path alone would lead to another place."""


class InvalidValue(ValueError):  # noqa: N818 - what it says is read by users, not by programmers
    """Raised by validators; pydantic carries it, unharmed, to the path that it belongs to."""

    def __init__(
        self,
        code: str,
        message: str,
        hint: str | None = None,
        *,
        at_key: bool = False,
        meant: str | None = None,
    ) -> None:
        """Take a code of ``FORMS``, what the user shall read, and the key that was meant."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.at_key = at_key
        self.meant = meant


FORMS: Final[Mapping[str, str]] = {
    "unknown_key": "a key that nothing knows; the nearest known one is named",
    "missing_key": "a key that the table can't do without",
    "wrong_type": "a string where a number belongs, and the like",
    "not_a_choice": "a word that is none of the possible ones",
    "out_of_range": "a number that is too small or too large",
    "unknown_kind": "a link kind that nothing knows",
    "network_kind": "a link kind that no network can have",
    "option_of_network": "a kind's option on an interface whose network has the say",
    "topology_name": "a topology name of a form that is not allowed",
    "bad_address": "no IP address",
    "bad_prefix": "no IP prefix",
    "host_bits": "a subnet or route with bits set beyond its prefix",
    "gateway_with_prefix": "an address written with a prefix where a bare one belongs",
    "address_unusable": "an address that no link can have",
    "bad_mac": "no MAC address",
    "mac_group": "a multicast MAC, or one of zeros",
    "qos_map": "a QoS map with other than numbers in it",
    "doubled": "a table or key written twice",
    "syntax": "no TOML",
}
"""Every form that a single value must have, beyond what RULES say about several of them."""

_OWN_WORDS: Final = {"type", "loc", "input", "ctx"}


def merge_errors(failures: list[Any]) -> ValidationError:
    """Make one pydantic error of the ``errors()`` of several."""
    details: list[InitErrorDetails] = [
        InitErrorDetails(**{key: value for key, value in one.items() if key in _OWN_WORDS})  # type: ignore[typeddict-item]
        for one in failures
    ]
    return ValidationError.from_exception_data("topology", details)


def as_error(key: str, wrong: InvalidValue, value: object = None) -> dict[str, Any]:
    """One entry for ``again``."""
    return {"type": "value_error", "loc": (key,), "input": value, "ctx": {"error": wrong}}


def quote(value: object) -> str:
    """A value as TOML writes it, on one line, without anything that moves a terminal's cursor."""
    if isinstance(value, int | float):
        return str(value).lower()
    inner = "".join(
        one if one.isprintable() and one not in '"\\' else json.dumps(one)[1:-1]
        for one in str(value)[:_LONGEST]
    )
    return f'"{inner}"' if len(str(value)) <= _LONGEST else f'"{inner}…"'


_LONGEST: Final = 80


def one_of(words: tuple[str, ...] | list[str]) -> str:
    """``a, b or c``."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last
