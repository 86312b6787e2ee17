"""TOML 1.1 on every Python, both ways: tomllib reads it from 3.15 on, tomli before."""

import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING or sys.version_info < (3, 15):
    from tomli import TOMLDecodeError, loads
else:
    from tomllib import TOMLDecodeError, loads

__all__ = ["BARE_KEY", "TOMLDecodeError", "dotted", "key", "loads", "string", "value"]

BARE_KEY: Final = r"[A-Za-z0-9_-]+"


def value(of: Any) -> str:
    """A value as TOML writes it on one line."""
    if isinstance(of, Mapping):
        inner = ", ".join(f"{key(name)} = {value(one)}" for name, one in of.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(of, list | tuple):
        return f"[{', '.join(map(value, of))}]"
    import json

    return string(of) if isinstance(of, str) else json.dumps(of)


def key(name: str) -> str:
    """A key, in quotes if it needs them."""
    return name if re.fullmatch(BARE_KEY, name) else string(name)


def string(word: str) -> str:
    """A basic string; JSON's escapes are TOML's."""
    import json

    return json.dumps(word, ensure_ascii=False).replace("\x7f", "\\u007f")


def dotted(path: tuple[str | int, ...]) -> str:
    """A key of several parts, as the header of a table has it."""
    return ".".join(key(str(part)) for part in path)
