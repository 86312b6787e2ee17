"""A topology made in code, as the text of a file that says the same. Pure.

Every table but the first is written inline: strings are JSON's, which TOML reads alike.
"""

import json
from collections.abc import Mapping
from typing import Any

from vlanlink.topology.model import Topology


def text_of(topology: Topology) -> str:
    """The text that a topology was read from, or one that makes an equal topology."""
    if topology.source is not None:
        return topology.source.text
    lines = [f"{_text(key)} = {_value(value)}" for key, value in topology.as_written().items()]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return (
            "{ " + ", ".join(f"{_text(key)} = {_value(one)}" for key, one in value.items()) + " }"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(word: str) -> str:
    return json.dumps(word, ensure_ascii=False).replace("\x7f", "\\u007f")
