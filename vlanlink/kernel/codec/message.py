"""One rtnetlink message into bytes. What the codec would drop in silence is an error here."""

from collections.abc import Iterable, Mapping
from typing import Any

Attributes = list[tuple[str, Any]]


class UnknownAttributeError(Exception):
    """A message would be sent without something that was asked for."""


def encode_message(
    cls: type[Any], kind: int, flags: int, body: Mapping[str, Any], attributes: Attributes
) -> bytearray:
    """The bytes of a message of pyroute2's class ``cls``. Raises UnknownAttributeError."""
    message = cls()
    message.update(body)
    message["attrs"] = attributes
    message["header"]["type"] = kind
    message["header"]["flags"] = flags
    expected = _count(attributes)
    message.encode()
    if _count_encoded(message) != expected:
        raise UnknownAttributeError(f"an attribute of {attributes} is not known to the codec")
    return bytearray(message.data)


def _count(attributes: Iterable[Any]) -> int:
    total = 0
    for _, value in attributes:
        total += 1
        if isinstance(value, Mapping):
            total += _count(value.get("attrs", ()))
    return total


def _count_encoded(message: Any) -> int:
    """How many attributes were put into bytes: the codec turns those into slots, no others."""
    total = 0
    for cell in message["attrs"]:
        if not hasattr(cell, "try_to_decode"):
            continue
        total += 1
        inner = getattr(cell, "nla", None)
        if inner is not None and "attrs" in inner:
            total += _count_encoded(inner)
    return total
