"""What a document must hold, value by value: types, forms and known keys.

Every reader takes a value and a word for its place, and raises UnreadableError.
"""

import math
import os
import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_network
from typing import Any, TypeVar

from vlanlink.host import is_domain, is_topology_name
from vlanlink.store.documents import UnreadableError

_T = TypeVar("_T")
_K = TypeVar("_K")


class Table:
    """A JSON object whose keys are taken one by one; ``close`` refuses keys that are left."""

    def __init__(self, value: object, where: str = "it") -> None:
        """``where`` names the object in errors. Raises UnreadableError if it is none."""
        if not isinstance(value, dict):
            raise UnreadableError(f"{where} is not an object")
        self._left: dict[str, object] = dict(value)
        self._where = where

    def has(self, key: str) -> bool:
        """Whether a key is there that may be left out."""
        return key in self._left

    def take(self, key: str, read: Callable[[object, str], _T]) -> _T:
        """The value of a key, read by ``read``. Raises UnreadableError."""
        if key not in self._left:
            raise UnreadableError(f"key {key!r} is missing")
        return read(self._left.pop(key), key)

    def close(self) -> None:
        """Raise UnreadableError if a key was not taken."""
        for key in self._left:
            raise UnreadableError(f"unknown key {key[:40]!r}")


def document(value: object, newest: int) -> Table:
    """The table of a document of a version up to ``newest``. Raises UnreadableError."""
    if not isinstance(value, dict) or not isinstance(value.get("version"), int):
        raise UnreadableError("it has no version")
    table = Table(value)
    version = table.take("version", whole)
    if version > newest:
        raise UnreadableError(f"version {version} is from a newer vlanlink")
    if version < 1:
        raise UnreadableError(f"version {version} is unknown")
    return table


def text(value: object, where: str) -> str:
    """A string that can be part of a path."""
    if not isinstance(value, str) or "\0" in value:
        raise UnreadableError(f"{where} is not text")
    try:
        os.fsencode(value)
    except UnicodeEncodeError:
        raise UnreadableError(f"{where} is not text") from None
    return value


def text_or_none(value: object, where: str) -> str | None:
    """The same, or null."""
    return None if value is None else text(value, where)


def full_path(value: object, where: str) -> str:
    """A path from the root."""
    found = text(value, where)
    if not found.startswith("/"):
        raise UnreadableError(f"{where} is not a full path")
    return found


def topology_name(value: object, where: str) -> str:
    """A name that a topology can have."""
    found = text(value, where)
    if not is_topology_name(found):
        raise UnreadableError(f"{where} has a name that no topology can have")
    return found


def file_name(value: object, where: str) -> str:
    """A name that can stand in a directory."""
    found = text(value, where)
    if found in ("", ".", "..") or "/" in found or len(os.fsencode(found)) > 255:
        raise UnreadableError(f"{where} has a name that no file can have")
    return found


def link_name(value: object, where: str) -> str:
    """A name that a link can have."""
    found = file_name(value, where)
    if len(os.fsencode(found)) > 15 or not found.isprintable() or set(found) & {" ", ":"}:
        raise UnreadableError(f"{where} has a name that no link can have")
    return found


def namespace(value: object, where: str) -> str:
    """A namespace's name; empty for the host's own. ``web (/proc/12/ns/net)``: its former one."""
    if value == "":
        return ""
    name, space, path = text(value, where).partition(" (/")
    if space and path.endswith(")"):
        full_path(f"/{path[:-1]}", where)
        return f"{file_name(name, where)}{space}{path}"
    return file_name(value, where)


def address(value: object, where: str) -> str:
    """An IP address, in canonical form."""
    return _canonical(value, where, ip_address)


def subnet(value: object, where: str) -> str:
    """A prefix, in canonical form."""
    return _canonical(value, where, ip_network)


def interface_address(value: object, where: str) -> str:
    """An address with its prefix length, in canonical form."""
    return _canonical(value, where, _with_length)


def _with_length(word: str) -> str:
    """As ``ip_interface``, which makes a network, too: of hundreds of leases that is most of it."""
    bare, _, length = word.partition("/")
    ip = ip_address(bare)
    if not (length.isascii() and length.isdecimal() and int(length) <= ip.max_prefixlen):
        raise ValueError(word)
    return f"{ip}/{int(length)}"


def mac(value: object, where: str) -> str:
    """A MAC address, in lower case with colons."""
    found = text(value, where)
    if not re.fullmatch(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", found):
        raise UnreadableError(f"{where} has {found[:50]!r}")
    return found


def domain(value: object, where: str) -> str:
    """A domain name."""
    found = text(value, where)
    if not is_domain(found):
        raise UnreadableError(f"{where} has {found[:50]!r}")
    return found


def _canonical(value: object, where: str, form: Callable[[str], object]) -> str:
    found = text(value, where)
    try:
        return str(form(found))
    except ValueError:
        raise UnreadableError(f"{where} has {found[:50]!r}") from None


def flag(value: object, where: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise UnreadableError(f"{where} is not true or false")
    return value


def flag_or_none(value: object, where: str) -> bool | None:
    """The same, or null."""
    return None if value is None else flag(value, where)


def whole(value: object, where: str) -> int:
    """A whole number of 64 bits."""
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 1 << 64:
        raise UnreadableError(f"{where} is not a whole number")
    return value


def vlan_id(value: object, where: str) -> int:
    """A VLAN id as the name of a key."""
    found = text(value, where)
    if not re.fullmatch(r"[1-9][0-9]{0,3}", found):
        raise UnreadableError(f"{where} has {found[:20]!r}, which is not a VLAN id")
    return int(found)


def number(value: object, where: str) -> float:
    """A finite number."""
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not math.isfinite(value) or abs(value) > 1e10:  # type: ignore[arg-type]
        raise UnreadableError(f"{where} is not a number")
    return float(value)  # type: ignore[arg-type]


def many(read: Callable[[object, str], _T]) -> Callable[[object, str], tuple[_T, ...]]:
    """An array."""

    def read_all(value: object, where: str) -> tuple[_T, ...]:
        return tuple(read(one, where) for one in array(value, where))

    return read_all


def array(value: object, where: str, length: int | None = None) -> list[Any]:
    """An array; with ``length``, of that many values."""
    if not isinstance(value, list) or length not in (None, len(value)):
        raise UnreadableError(f"{where} is not an array" + (f" of {length}" if length else ""))
    return value


def mapping(
    key: Callable[[object, str], _K], read: Callable[[object, str], _T]
) -> Callable[[object, str], Mapping[_K, _T]]:
    """An object whose keys are names."""

    def read_all(value: object, where: str) -> Mapping[_K, _T]:
        if not isinstance(value, dict):
            raise UnreadableError(f"{where} is not an object")
        return {key(name, where): read(one, where) for name, one in value.items()}

    return read_all
