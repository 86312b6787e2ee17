"""VLANs of VLAN-aware bridges: a VLAN link on a bridge is deaf until the bridge itself is a member.

``manage_bridge_vlan`` makes it one; without it, a warning names the command. Pure.
"""

from collections.abc import Iterator

from vlanlink.dataclass import dataclass, replace
from vlanlink.desired.builder import Builder
from vlanlink.desired.conflicts import ancestors
from vlanlink.errors import Path, Problem
from vlanlink.kinds.vlan import VLAN
from vlanlink.model import VLAN_AWARE, Link, self_vlan
from vlanlink.store.record import OriginalLink
from vlanlink.topology import InterfaceConfig


@dataclass(slots=True)
class _Use:
    """A VLAN of a bridge that links of the topology stand on."""

    bridge: Link
    vlan: int
    name: str
    path: Path
    managed: bool = False


def open_bridge_vlans(builder: Builder) -> None:
    """Desire the VLANs that the file manages, record what others were, warn of closed ones."""
    for use in _uses(builder).values():
        key = self_vlan(use.vlan)
        now = use.bridge.settings.get(key) is True
        before = _recorded(builder, use)
        if use.managed:
            _desire(builder, use.bridge, key, is_open=True)
        if use.managed or now:
            _record(builder, use, now if before is None else before)
        else:
            builder.warnings.append(_closed(use))


def restore_bridge_vlans(builder: Builder) -> None:
    """Close what was closed before the first ``up`` and that nobody needs now."""
    own = builder.records.own
    for name, before in own.parents.items() if own else ():
        bridge = builder.observed.host.links.get(name)
        needed = builder.parents.get(name)
        for vlan, was_open in before.vlans.items() if bridge else ():
            others = any(
                name in r.parents and vlan in r.parents[name].vlans for r in builder.records.others
            )
            if was_open or others or (needed and vlan in needed.vlans):
                continue
            if bridge and bridge.settings.get(self_vlan(vlan)) is True:
                _desire(builder, bridge, self_vlan(vlan), is_open=False)


def vlan_bridges(link: Link, below: Iterator[Link]) -> Iterator[tuple[Link, Link]]:
    """Of a link and what is below it, each VLAN on a VLAN-aware bridge, and the bridge."""
    upper = link
    for lower in below:
        tagged = upper.settings.get("protocol", "802.1q") == "802.1q"
        if upper.kind == VLAN.name and tagged and lower.settings.get(VLAN_AWARE) is True:
            yield upper, lower
        upper = lower


def _uses(builder: Builder) -> dict[tuple[str, int], _Use]:
    found: dict[tuple[str, int], _Use] = {}
    for link in builder.links.values():
        if link.owner != builder.name:
            continue
        entry = builder.entry(link)
        network = entry.network if isinstance(entry, InterfaceConfig) else None
        below = ancestors(link, builder.links, builder.observed)
        for upper, bridge in vlan_bridges(link, below):
            vlan = int(str(upper.settings["id"]))
            path: Path = ("networks", network, "parent") if network else link.origin
            use = found.setdefault((bridge.name, vlan), _Use(bridge, vlan, upper.name, path))
            if network:
                use.path = path
                use.managed |= builder.topology.networks[network].manage_bridge_vlan
    return found


def _recorded(builder: Builder, use: _Use) -> bool | None:
    """Whether it was open before the first ``up``, if a record tells."""
    for record in builder.records.every():
        parent = record.parents.get(use.bridge.name)
        if parent and use.vlan in parent.vlans:
            return parent.vlans[use.vlan]
    return None


def _record(builder: Builder, use: _Use, before: bool) -> None:
    name = use.bridge.name
    known = builder.parents.get(name) or builder.records.parent(name)
    parent = known or OriginalLink(use.bridge.up)
    kept = builder.parents[name].vlans if name in builder.parents else {}
    builder.parents[name] = replace(parent, vlans={**kept, use.vlan: before})


def _desire(builder: Builder, bridge: Link, key: str, *, is_open: bool) -> None:
    known = builder.links.get(bridge.key) or Link(bridge.name, bridge.kind)
    builder.links[bridge.key] = replace(known, settings={**known.settings, key: is_open})


def _closed(use: _Use) -> Problem:
    message = (
        f"{use.name} receives nothing: VLAN {use.vlan} is not open on bridge {use.bridge.name}"
    )
    hint = f"{open_command(use.bridge.name, use.vlan)}; or manage_bridge_vlan = true on the network"
    return Problem(use.path, message, hint)


def open_command(bridge: str, vlan: int) -> str:
    """The command that opens a VLAN of a bridge to the host."""
    return f"bridge vlan add dev {bridge} vid {vlan} self"
