"""Changes of links in place. Pure."""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from types import MappingProxyType

from vlanlink.kinds import KINDS, kind_options
from vlanlink.kinds.common import LINK_SYSCTLS, NO_TOKEN, TOKEN
from vlanlink.kinds.kind import IPV6_MINIMUM_MTU
from vlanlink.model import SELF_VLAN, Address, Link, LinkName, Setting
from vlanlink.planning.diff import Diff, depth
from vlanlink.planning.handover import InPlace, releases
from vlanlink.planning.inheritance import setting_key
from vlanlink.planning.links import changed_settings
from vlanlink.planning.operations import (
    Operation,
    RemoveAddress,
    SetLink,
    WriteSysctl,
)

_UNLISTED: Mapping[str, Setting] = {SELF_VLAN: False}
"""A bridge lists the VLANs that are open."""
_APART = frozenset((*LINK_SYSCTLS, TOKEN))
"""Settings that aren't attributes of the link itself."""


def change_links(diff: Diff) -> Iterator[Operation]:
    """Changes of links in place, parents first: their MTU limits that of their children.

    Others' links that are set down again come last, children first: the kernel doesn't update the
    receive mode of a NIC that is down when a link on it is set down.
    """
    changes = sorted(_in_place(diff), key=partial(_position, diff))
    interim = releases(changes)
    for change in changes:
        if change.seen.key in interim:
            yield _set_link(change, interim[change.seen.key], quiet=True)
    macs = {c.seen.key: str(c.new["mac"]) for c in changes if "mac" in c.new}
    for change in changes:
        yield from _change(change, interim.get(change.seen.key, {}))
        mac = macs.get(change.seen.key) or _parents_new_mac(change.seen, macs)
        if mac:
            yield from _renew_ipv6(change)
        elif change.new.get(TOKEN, NO_TOKEN) != NO_TOKEN:
            yield from _forget(change, [a for a in _derived(change.seen) if not a.link_local])


def _position(diff: Diff, change: InPlace) -> tuple[bool, int]:
    level = depth(diff.observed, change.seen)
    goes_down = change.want.owner is None and change.new == {"up": False}
    return goes_down, -level if goes_down else level


def _in_place(diff: Diff) -> Iterator[InPlace]:
    for want in diff.desired.links():
        seen = diff.observed.link(want.key)
        if seen and want.key not in diff.recreated:
            yield InPlace(seen, want, changed_settings(seen, want))


def _change(change: InPlace, interim: Mapping[str, Setting]) -> Iterator[Operation]:
    seen, want = change.seen, change.want
    new = {key: value for key, value in change.new.items() if key not in _APART}
    policy = {key: change.new[key] for key in LINK_SYSCTLS if key in change.new}
    writes = [policy_write(want, k, seen.settings.get(k), v) for k, v in policy.items()]
    # The kernel derives the link-local address from the MAC when IPv6 goes on; and a link
    # whose MTU is too small has no IPv6 sysctls until it is raised.
    later = policy.get("disable_ipv6") == 0 or "disable_ipv6" not in seen.settings
    yield from () if later else writes
    marks = want.owner is not None and (want.owner != seen.owner or not seen.labelled)
    if new or marks:
        yield _set_link(change, new, owner=want.owner if marks else None, interim=interim)
    yield from writes if later else ()
    if TOKEN in change.new:
        yield _set_link(change, {TOKEN: change.new[TOKEN]})


def _set_link(
    change: InPlace,
    new: Mapping[str, Setting],
    *,
    owner: str | None = None,
    interim: Mapping[str, Setting] = MappingProxyType({}),
    quiet: bool = False,
) -> SetLink:
    seen, want = change.seen, change.want
    return SetLink(
        namespace=want.namespace,
        name=want.name,
        kind=seen.kind,
        index=seen.index,
        old={key: seen.settings.get(key, _UNLISTED.get(key[: len(SELF_VLAN)])) for key in new},
        new=new,
        owner=owner,
        options=kind_options(want.kind, want.settings),
        interim=interim,
        quiet=quiet,
        origin=want.origin,
    )


def _parents_new_mac(seen: Link, macs: Mapping[LinkName, str]) -> str | None:
    """The new MAC of a link that has its parent's."""
    kind = KINDS.get(seen.kind)
    fixed = kind is not None and kind.mac(seen.settings) == "fixed"
    return macs.get(seen.parent) if fixed and seen.parent else None


def _renew_ipv6(change: InPlace) -> Iterator[Operation]:
    """Replace the IPv6 addresses that the kernel derived from the old MAC.

    It keeps them when the MAC changes. When addr_gen_mode is turned on again it makes the
    link-local one of the new MAC, and asks routers for the prefixes of others; but only if no
    other link-local address is there.
    """
    seen, want = change.seen, change.want
    wanted = frozenset(want.addresses)
    stale = [address for address in _derived(seen) if address not in wanted]
    if not stale or not _keeps_ipv6({**seen.settings, **change.new}, seen):
        return
    yield from _forget(change, stale)
    if any(address.link_local for address in stale):
        yield policy_write(want, "addr_gen_mode", 0, 1, quiet=True, switch=True)
        yield policy_write(want, "addr_gen_mode", 1, 0, quiet=True)


def _derived(link: Link) -> list[Address]:
    """The IPv6 addresses that the kernel derived from the link's MAC."""
    return [one for one in link.addresses if not one.ours and _is_derived(one, link)]


def _forget(change: InPlace, stale: Iterable[Address]) -> Iterator[Operation]:
    """Remove what the kernel derived; a change of the MAC or the token leaves it."""
    seen = change.seen
    for address in stale:
        yield RemoveAddress(
            namespace=seen.namespace,
            dev=seen.name,
            index=seen.index,
            address=address,
            quiet=True,
            origin=change.want.origin,
        )


def _is_derived(address: Address, link: Link) -> bool:
    """Whether its interface identifier comes from the link's MAC (RFC 4291, appendix A).

    That of an ipvlan link has the device's number in the middle (addrconf_ifid_eui48).
    """
    if address.family != 6 or not (address.link_local or not address.permanent):
        return False
    mac = bytes.fromhex(str(link.settings.get("mac")).replace(":", ""))
    identifier = ipaddress.IPv6Address(address.bare).packed[8:]
    beginnings = (mac[:3], bytes([mac[0] ^ 0x02]) + mac[1:3])
    return identifier[:3] in beginnings and identifier[5:] == mac[3:]


def _keeps_ipv6(after: Mapping[str, Setting], seen: Link) -> bool:
    mtu = after.get("mtu")
    small = isinstance(mtu, int) and mtu < IPV6_MINIMUM_MTU
    return seen.up and after["up"] is True and after.get("disable_ipv6") == 0 and not small


def policy_write(
    link: Link, key: str, old: Setting, new: Setting, *, quiet: bool = False, switch: bool = False
) -> WriteSysctl:
    """The write of a link setting that is a sysctl."""
    return WriteSysctl(
        namespace=link.namespace,
        key=setting_key(link, key),
        old=None if old is None else str(old),
        new=str(new),
        origin=link.origin,
        quiet=quiet,
        switch=switch,
    )
