"""Links of the host that are called otherwise than in what is kept on disk. Pure."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from vlanlink.dataclass import replace
from vlanlink.desired.bound import altnames, nics_with, vlan_name
from vlanlink.desired.context import Context
from vlanlink.kinds.vlan import VLAN, implied_vlan
from vlanlink.model import HOST, Link, State
from vlanlink.store.leases import Leases
from vlanlink.store.record import OriginalLink, Record, Records

_T = TypeVar("_T")


def with_names_of_now(context: Context, observed: State) -> Context:
    """The context, its records and leases by the names that parents have now."""
    names = _renamed(context.records, observed)
    return replace(
        context,
        records=_records(context.records, names) if names else context.records,
        leases=_leases(context.leases, names, observed),
        other_leases={
            name: _leases(one, names, observed) for name, one in context.other_leases.items()
        },
    )


def with_nics(leases: Leases, observed: State) -> Leases:
    """The leases with the MACs of the NICs below: a lease outlives the NIC's name."""
    links = observed.host.links
    below = sorted({_nic(parent, links) for parent in leases.parents.values()})
    macs = {name: links[name].nic_mac for name in below if name in links}
    return replace(leases, nics={name: mac for name, mac in macs.items() if mac})


def records_of_now(records: Records, observed: State) -> Records:
    """The records by the names that parents have now."""
    return _records(records, _renamed(records, observed))


def _renamed(records: Records, observed: State) -> dict[str, str]:
    """What links are called now, by their names in the records, or by their altnames."""
    links = observed.host.links
    by_index = {link.index: link.name for link in links.values() if link.index}
    found = {
        name: now
        for record in records.every()
        for name, parent in record.parents.items()
        if (now := by_index.get(parent.index, name)) != name
    }
    return {name: link.name for link in links.values() for name in altnames(link)} | found


def _records(records: Records, names: Mapping[str, str]) -> Records:
    own, others = records.own, tuple(_record(one, names) for one in records.others)
    return replace(records, own=own and _record(own, names), others=others)


def _record(record: Record, names: Mapping[str, str]) -> Record:
    known = {
        name: replace(parent, formerly=name) if name in names else parent
        for name, parent in record.parents.items()
    }
    parents = _moved(known, lambda name: names.get(name, name))
    reserved = _moved(record.reserved, lambda name: names.get(name, name))
    own = _moved(record.sysctls.get(HOST, {}), lambda key: _sysctl(key, names))
    sysctls = {**record.sysctls, HOST: own} if own else record.sysctls
    return replace(record, parents=parents, reserved=reserved, sysctls=sysctls)


def _moved(found: Mapping[str, _T], now: Callable[[str], str]) -> dict[str, _T]:
    """What is known, by the names of now.

    A name may have passed on: then whoever had it when it was recorded is gone.
    """
    stayed = {name: value for name, value in found.items() if now(name) == name}
    return stayed | {now(name): value for name, value in found.items() if name not in stayed}


def _sysctl(key: str, names: Mapping[str, str]) -> str:
    """A sysctl of a link: ``net/ipv6/conf/eth0/accept_ra`` is a file by the link's name."""
    parts = key.split("/")
    if parts[2:3] == ["conf"] and len(parts) > 3:
        parts[3] = names.get(parts[3], parts[3])
    return "/".join(parts)


def _leases(leases: Leases, names: Mapping[str, str], observed: State) -> Leases:
    names = {**names, **_by_mac(leases.nics, observed)}
    if not names or not leases.parents:
        return leases
    links = observed.host.links
    parents = {network: _now(parent, names, links) for network, parent in leases.parents.items()}
    return replace(leases, parents=parents)


def _by_mac(nics: Mapping[str, str], observed: State) -> dict[str, str]:
    """What the NICs are called now that had these names and MACs."""
    found = ((name, nics_with(mac, observed)) for name, mac in nics.items())
    return {name: one[0].name for name, one in found if len(one) == 1 and one[0].name != name}


def _now(parent: str, names: Mapping[str, str], links: Mapping[str, Link]) -> str:
    """The name of a parent now; a VLAN that is there has kept its own."""
    implied = None if parent in names else implied_vlan(parent)
    if implied is None:
        return names.get(parent, parent)
    base, number = implied
    below = _now(base, names, links)
    return parent if below == base else vlan_name(below, number, links)


def _nic(parent: str, links: Mapping[str, Link]) -> str:
    """The link at the bottom of VLANs, some of which may be missing."""
    seen = links.get(parent)
    if seen is not None and seen.kind == VLAN.name and seen.parent is not None:
        return _nic(seen.parent.name, links) if seen.parent.namespace == HOST else parent
    implied = None if seen else implied_vlan(parent)
    return _nic(implied[0], links) if implied else parent


def name_of_now(former: str, parents: Mapping[str, OriginalLink]) -> str | None:
    """What a parent is called that had another name when it was recorded."""
    return next((name for name, one in parents.items() if one.formerly == former), None)
