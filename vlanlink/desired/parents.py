"""Parents: found, created, brought up, or a conflict. Pure."""

from collections.abc import Mapping

from vlanlink.dataclass import replace
from vlanlink.desired.bound import nics_with
from vlanlink.desired.builder import Builder
from vlanlink.desired.lost_record import may_have_been_brought_up
from vlanlink.desired.parent_names import dummy_name, vlan_problem
from vlanlink.desired.renamed import name_of_now
from vlanlink.errors import Path, Problem, nearest
from vlanlink.kinds import KINDS
from vlanlink.kinds.dummy import DUMMY
from vlanlink.kinds.kind import IPV6_MINIMUM_MTU
from vlanlink.model import HOST, LOOPBACK, Link, LinkName, Setting
from vlanlink.store.record import OriginalLink
from vlanlink.topology import NetworkConfig
from vlanlink.topology.mac_parents import is_by_mac


def find_parent(builder: Builder, name: str, kind: str, path: Path) -> Link | None:
    """The desired parent: one of ours, an existing link, or a conflict."""
    key = LinkName(HOST, name)
    if key in builder.links and builder.links[key].owner is not None:
        return _real(builder, builder.links[key], kind)
    seen = builder.observed.link(key)
    implied = builder.topology.implied(name)
    if implied and (seen is None or seen.owner == builder.name):
        return _make_vlan(builder, name, implied, path)
    if seen is None:
        builder.conflicts.append(_missing(builder, name, path))
        return None
    builder.refuse_leaving(seen.key, path)
    problem = implied and vlan_problem(seen, implied)
    if problem:
        builder.conflicts.append(Problem(path, problem))
    _bring_up(builder, _lowest(builder, seen), path)
    return _real(builder, seen, kind)


def _lowest(builder: Builder, link: Link) -> Link:
    """The NIC below links that other topologies made: it is in use as long as these are."""
    while link.owner is not None and (below := builder.observed.link(link.parent)):
        link = below
    return link


def _missing(builder: Builder, name: str, path: Path) -> Problem:
    if is_by_mac(name):
        return _no_single_nic(builder, name, path)
    own = builder.records.own
    now = name_of_now(name, own.parents) if own else None
    if now:
        hint = f"ip link property add dev {now} altname {name}, or name it by altname or MAC here"
        return Problem(path, f"parent {name} has been renamed to {now}", hint)
    return Problem(
        path, f"parent {name} does not exist on this machine", _parents_hint(builder, name)
    )


def _no_single_nic(builder: Builder, mac: str, path: Path) -> Problem:
    """Why a MAC stands for no NIC."""
    same = sorted(link.name for link in nics_with(mac, builder.observed))
    if same:
        message = f"several NICs have the MAC {mac}: {', '.join(same)}"
        return Problem(path, message, f'name one of them: parent = "{same[0]}"')
    nics = sorted((n.name, n.nic_mac) for n in builder.observed.host.links.values() if n.nic_mac)
    found = ", ".join(f"{name} ({mac})" for name, mac in nics[:12])
    hint = f"NICs here: {found}" if found else "there are no NICs here"
    return Problem(path, f"no NIC on this machine has the MAC {mac}", hint)


def _parents_hint(builder: Builder, name: str) -> str:
    names = sorted(n for n, link in builder.observed.host.links.items() if n != LOOPBACK)
    if not names:
        return "the only link here is lo"
    meant = _as_written_elsewhere(name) or nearest(name, names)
    guess = f'did you mean "{meant}"? ' if meant else ""
    return f"{guess}existing links: {', '.join(names[:12])}"


def _as_written_elsewhere(name: str) -> str | None:
    """The name in ``eth0.50@eth0``, as ``ip link`` prints a link, or in ``eth0.050``."""
    link = name.partition("@")[0]
    below, dot, digits = link.rpartition(".")
    if dot and digits.isascii() and digits.isdigit():
        link = f"{below}.{digits.lstrip('0') or '0'}"
    return link if link and link != name else None


def dummy_parent(builder: Builder, name: str, network: NetworkConfig) -> str:
    """Add the dummy parent of a network without one; return its name."""
    link_name = dummy_name(builder.name, name)
    mtu = {"mtu": network.mtu} if network.mtu else {}
    default = {"mtu": DUMMY.default_mtu}
    link = Link(
        link_name,
        DUMMY.name,
        settings={"up": True, **mtu, **_no_ipv6(builder, mtu or default)},
        defaults=default,
        owner=builder.name,
        origin=("networks", name),
    )
    builder.links.setdefault(link.key, link)
    return link_name


def _real(builder: Builder, link: Link, kind: str) -> Link:
    """The device below a parent of the same kind: the kernel attaches there."""
    known = KINDS.get(kind)
    while known and known.attaches_to_real_dev and link.kind == kind and link.parent:
        below = builder.links.get(link.parent) or builder.observed.link(link.parent)
        if below is None:
            break
        link = below
    return link


def _make_vlan(builder: Builder, name: str, implied: tuple[str, int], path: Path) -> Link | None:
    below_name, vlan_id = implied
    below = find_parent(builder, below_name, "vlan", path)
    if below is None:
        return None
    _refuse_other_name(builder, name, below, vlan_id, path)
    link = replace(implied_link(builder, name, vlan_id, below, builder.name), origin=path)
    builder.links[link.key] = link
    return link


def implied_link(builder: Builder, name: str, vlan_id: int, below: Link, owner: str) -> Link:
    """A VLAN that the name of a parent implies."""
    return Link(
        name,
        "vlan",
        parent=below.key,
        settings={"id": vlan_id, "up": True, **_no_ipv6(builder, _inherited(below))},
        defaults=_inherited(below),
        owner=owner,
    )


def _refuse_other_name(builder: Builder, name: str, below: Link, vlan_id: int, path: Path) -> None:
    """One of the topology's own leaves, or the file has it twice, which its rules refuse."""
    _refuse_two_names(builder, name, below, vlan_id, path)
    for other in builder.observed.children(below.key):
        if other.owner == builder.name:
            continue
        same = (other.kind, other.settings.get("id"), other.settings.get("protocol"))
        if same == ("vlan", vlan_id, "802.1q") and other.key != LinkName(HOST, name):
            builder.conflicts.append(
                Problem(
                    path,
                    f"VLAN {vlan_id} of {below.name} already exists under the name {other.key}",
                    f'write parent = "{other.name}"',
                )
            )


def _refuse_two_names(builder: Builder, name: str, below: Link, vlan_id: int, path: Path) -> None:
    """Two names of one NIC make two names of one VLAN, which the rules of the file can't see."""
    for other in builder.links.values() if builder.topology.vlans else ():
        same = other.kind == "vlan" and other.parent == below.key and other.name != name
        is_one = (other.settings.get("id"), other.settings.get("protocol", "802.1q"))
        if same and is_one == (vlan_id, "802.1q"):
            message = f"{name} is VLAN {vlan_id} of {below.name}, which {other.name} is already"
            builder.conflicts.append(Problem(path, message, f'write parent = "{other.name}"'))


def _no_ipv6(builder: Builder, inherited: Mapping[str, Setting]) -> dict[str, Setting]:
    mtu = inherited.get("mtu")
    small = isinstance(mtu, int) and mtu < IPV6_MINIMUM_MTU
    return {"disable_ipv6": 1} if builder.has_ipv6 and not small else {}


def _bring_up(builder: Builder, seen: Link, path: Path) -> None:
    """Want a parent up, and record how it was before the first ``up``.

    A parent that was up and is down for a moment is brought up too; the record stays.
    """
    if seen.owner is not None:
        return
    before = builder.records.parent(seen.name)
    if before is None:
        before = OriginalLink(None if _is_forgotten(builder, seen) else seen.up)
    builder.parents[seen.name] = replace(before, index=seen.index, vlans={})
    if before.up and seen.up:
        return
    if seen.key not in builder.links:
        builder.links[seen.key] = Link(
            seen.name, seen.kind, settings={"up": True}, owner=None, origin=path
        )


def remember_parent(builder: Builder, name: str) -> None:
    """Record how a NIC was that carries a route of the topology, if another's record says so.

    It stays up for the route; when that goes, the other topology may be down.
    """
    seen = builder.observed.host.links.get(name)
    before = builder.records.parent(name)
    if seen is None or seen.owner is not None or before is None or name in builder.parents:
        return
    builder.parents[name] = replace(before, index=seen.index, vlans={})
    if seen.up:
        stays = Link(name, seen.kind, settings={"up": True}, owner=None)
        builder.links.setdefault(seen.key, stays)


def _is_forgotten(builder: Builder, parent: Link) -> bool:
    """Whether vlanlink may have brought it up, the record being lost."""
    return builder.record_lost and may_have_been_brought_up(parent, builder.observed)


def _inherited(parent: Link) -> dict[str, Setting]:
    return {
        key: value
        for key in ("mtu", "mac")
        if (value := parent.settings.get(key, parent.defaults.get(key))) is not None
    }
