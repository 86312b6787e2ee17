"""A parent by its MAC: a table in the file, one word in values and messages. Pure.

``{ mac = "52:54:00:12:34:56", vlan = 50 }`` is ``52:54:00:12:34:56.50``: the name of VLAN 50 of the
NIC, as ``eth0.50`` would be. No link can be called so, for a link's name has no colon.
"""

import re
from typing import Any, Final

_WORD: Final = re.compile(r"((?:[0-9a-f]{2}:){5}[0-9a-f]{2})(?:\.([1-9][0-9]{0,3}))?")


def as_word(mac: str, vlan: int | None) -> str:
    """The word for a NIC, or for a VLAN of it."""
    return mac if vlan is None else f"{mac}.{vlan}"


def is_by_mac(parent: str) -> bool:
    """Whether a parent is such a word."""
    return _WORD.fullmatch(parent) is not None


def as_written(parent: str) -> str | dict[str, Any]:
    """The value of the key ``parent`` that means ``parent``."""
    found = _WORD.fullmatch(parent)
    if found is None:
        return parent
    return {"mac": found[1], **({"vlan": int(found[2])} if found[2] else {})}
