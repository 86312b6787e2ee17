"""Parents: found, made, set up, or a conflict. Pure."""

from collections.abc import Mapping

from vlanlink.desired.builder import Builder
from vlanlink.desired.links import IPV6_MINIMUM_MTU
from vlanlink.desired.lost_record import may_have_been_set_up
from vlanlink.desired.parent_names import dummy_name, implied_vlan, vlan_problem
from vlanlink.errors import Path, Problem
from vlanlink.kinds import KINDS
from vlanlink.kinds.dummy import DUMMY
from vlanlink.model import HOST, LOOPBACK, Link, LinkName, Setting
from vlanlink.store.record import OriginalLink
from vlanlink.topology import NetworkConfig


def find_parent(draft: Builder, name: str, kind: str, path: Path) -> Link | None:
    """The parent as it shall be: ours to make, another's to use, or a conflict."""
    key = LinkName(HOST, name)
    if key in draft.links and draft.links[key].owner is not None:
        return _real(draft, draft.links[key], kind)
    seen = draft.observed.link(key)
    implied = implied_vlan(name)
    if implied and (seen is None or seen.owner == draft.name):
        return _make_vlan(draft, name, implied, path)
    if seen is None:
        draft.conflicts.append(
            Problem(path, f"parent {name} does not exist on this machine", _parents_hint(draft))
        )
        return None
    problem = implied and vlan_problem(seen, implied)
    if problem:
        draft.conflicts.append(Problem(path, problem))
    _set_up(draft, seen, path)
    return _real(draft, seen, kind)


def _parents_hint(draft: Builder) -> str:
    names = sorted(n for n, link in draft.observed.host.links.items() if n != LOOPBACK)
    return "there are " + ", ".join(names[:12]) if names else "there is no link but lo"


def dummy_parent(draft: Builder, name: str, network: NetworkConfig) -> str:
    """The parent of a network that has none: a dummy link of ours."""
    link_name = dummy_name(draft.name, name)
    mtu = {"mtu": network.mtu} if network.mtu else {}
    default = {"mtu": DUMMY.default_mtu}
    link = Link(
        link_name,
        DUMMY.name,
        settings={"up": True, **mtu, **_no_ipv6(draft, mtu or default)},
        defaults=default,
        owner=draft.name,
        origin=("networks", name),
    )
    draft.links.setdefault(link.key, link)
    return link_name


def _real(draft: Builder, link: Link, kind: str) -> Link:
    """The device below a parent of the same kind, which is where the kernel attaches."""
    known = KINDS.get(kind)
    while known and known.attaches_to_real_dev and link.kind == kind and link.parent:
        below = draft.links.get(link.parent) or draft.observed.link(link.parent)
        if below is None:
            break
        link = below
    return link


def _make_vlan(draft: Builder, name: str, implied: tuple[str, int], path: Path) -> Link | None:
    below_name, vlan_id = implied
    below = find_parent(draft, below_name, "vlan", path)
    if below is None:
        return None
    _refuse_other_name(draft, name, below, vlan_id, path)
    link = Link(
        name,
        "vlan",
        parent=below.key,
        settings={"id": vlan_id, "up": True, **_no_ipv6(draft, _inherited(below))},
        defaults=_inherited(below),
        owner=draft.name,
        origin=path,
    )
    draft.links[link.key] = link
    return link


def _refuse_other_name(draft: Builder, name: str, below: Link, vlan_id: int, path: Path) -> None:
    for other in draft.observed.children(below.key):
        same = (other.kind, other.settings.get("id"), other.settings.get("protocol"))
        if same == ("vlan", vlan_id, "802.1q") and other.key != LinkName(HOST, name):
            draft.conflicts.append(
                Problem(
                    path,
                    f"VLAN {vlan_id} of {below.name} is there under the name {other.key}",
                    f'write parent = "{other.name}"',
                )
            )


def _no_ipv6(draft: Builder, inherited: Mapping[str, Setting]) -> dict[str, Setting]:
    mtu = inherited.get("mtu")
    small = isinstance(mtu, int) and mtu < IPV6_MINIMUM_MTU
    return {"disable_ipv6": 1} if draft.has_ipv6 and not small else {}


def _set_up(draft: Builder, seen: Link, path: Path) -> None:
    """Set a parent up that is down, and remember what it was."""
    own = draft.records.own
    before = own.raised.get(seen.name) if own else None
    if before is None:
        before = next(
            (r.raised[seen.name] for r in draft.records.others if seen.name in r.raised), None
        )
    if seen.up and before is None and _is_forgotten(draft, seen):
        before = OriginalLink(known=False)
    if seen.up and before is None:
        return
    if seen.owner is not None:
        return
    if before is None:
        before = OriginalLink(
            tuple(a.text for a in seen.addresses if a.permanent),
            tuple(a.text for a in seen.addresses if a.permanent and a.nodad),
            tuple(sorted(str(child.key) for child in draft.observed.children(seen.key))),
        )
    draft.raised[seen.name] = before
    if seen.key not in draft.links:
        draft.links[seen.key] = Link(
            seen.name, seen.kind, settings={"up": True}, owner=None, origin=path
        )


def _is_forgotten(draft: Builder, parent: Link) -> bool:
    """Whether it may have been us who set it up, and the record that told is lost."""
    return draft.lost and may_have_been_set_up(parent, draft.observed)


def _inherited(parent: Link) -> dict[str, Setting]:
    return {
        key: value
        for key in ("mtu", "mac")
        if (value := parent.settings.get(key, parent.defaults.get(key))) is not None
    }
