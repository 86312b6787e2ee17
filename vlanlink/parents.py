"""Parents that the file names without describing: ``eth0.50`` is VLAN 50 of eth0. Pure."""

import re
from zlib import crc32

from vlanlink.model import HOST, Link, LinkName

_VLAN_NAME = re.compile(r"(.+)\.([1-9][0-9]{0,3})")


def dummy_name(topology: str, network: str) -> str:
    """The name of the dummy link under a network that has no parent, as Docker's dm-… ones."""
    return f"dm-{crc32(f'{topology}/{network}'.encode()):08x}"


def implied_vlan(name: str) -> tuple[str, int] | None:
    """The parent and VLAN id that a link name spells, or None: ``eth0.50`` → ("eth0", 50)."""
    match = _VLAN_NAME.fullmatch(name)
    return (match[1], int(match[2])) if match and int(match[2]) <= 4094 else None


def vlan_problem(seen: Link, implied: tuple[str, int]) -> str | None:
    """Why a link that is there is not the VLAN that its name spells, or None."""
    below, vlan_id = implied
    if seen.kind != "vlan":
        return f"{seen.name} is a {seen.kind}, not VLAN {vlan_id} of {below}"
    if seen.settings.get("id") != vlan_id or seen.parent != LinkName(HOST, below):
        is_one = f"VLAN {seen.settings.get('id')} of {seen.parent}"
        return f"{seen.name} is {is_one}, not {vlan_id} of {below}"
    return None
