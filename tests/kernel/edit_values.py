"""Edits of what things are: values changed, forgotten, and handed on in rings."""

from typing import Any

from tests.kernel.edit_topologies import (
    ALTNAMES,
    GATEWAYS,
    MACS,
    OF_NETWORK,
    OWN,
    RANGES,
    SHIMS,
    SYSCTLS,
    VLAN_IDS,
    Hand,
    Table,
    ends,
    interfaces,
    link,
    parents,
    route_by,
    unused,
)


def ring(hand: Hand, tables: Table) -> None:
    """A value goes from holder to holder, and the last one's to the first or nowhere."""
    key = hand.one(("mac", "altnames", "addresses", "mtu", "id", "routes", "parent", "peer"))
    groups: dict[Any, list[Table]] = {}
    for table in ends(tables):
        if key in table:
            apart = table.get("network") if key == "addresses" else table.get("kind")
            groups.setdefault(apart if key in ("addresses", "parent") else None, []).append(table)
    several = [group for group in groups.values() if len(group) > 1]
    if not several:
        return
    holders = hand.one(several)[:3]
    values = [table[key] for table in holders]
    shifted = [*values[1:], values[0]]
    if hand.chance(3) and key not in ("parent", "peer"):
        fresh = {"mac": MACS, "id": VLAN_IDS}.get(key)
        shifted[-1] = hand.one(unused(tables, fresh) or fresh) if fresh else None
    for table, value in zip(holders, shifted, strict=True):
        table.pop(key)
        if value is not None:
            table[key] = value
        if key == "addresses":
            table.pop("routes", None)


def change_value(hand: Hand, tables: Table) -> None:
    found = ends(tables)
    if not found:
        return
    table = hand.one(found)
    match hand.one(("addresses", "first", "order", "mac", "mtu", "altnames", "routes", "mode")):
        case "addresses":
            pool = OF_NETWORK.get(table.get("network", ""), OWN)
            table["addresses"] = hand.some(unused(tables, pool), 2)
            table.pop("routes", None)
        case "first":
            table["addresses"] = table.get("addresses", [])[1:]
            table.pop("routes", None)
        case "order":
            table["addresses"] = table.get("addresses", [])[::-1]
        case "mac" if not {"ipvlan", "vlan"} & {table.get("kind")}:
            table["mac"] = hand.one(unused(tables, MACS) or MACS)
        case "mtu":
            table["mtu"] = hand.one((1280, 1400, 1500))
        case "altnames":
            table["altnames"] = hand.some(unused(tables, ALTNAMES), 2)
        case "routes":
            table.pop("routes", None)
            if "network" not in table:
                route_by(hand, table)
        case "mode" if table.get("kind") == "macvlan":
            table["mode"] = hand.one(("bridge", "private", "vepa"))


def forget_value(hand: Hand, tables: Table) -> None:
    """What a table said is left out."""
    table = hand.one(ends(tables) or [{}])
    keys = [key for key in ("mac", "mtu", "altnames", "routes", "mode", "ipv6") if key in table]
    if keys:
        table.pop(hand.one(keys))


def change_ipv6(hand: Hand, tables: Table) -> None:
    found = [t for _, _, t in interfaces(tables)]
    if found:
        table = hand.one(found)
        table["ipv6"] = hand.one(("static", "slaac", "off"))
        if table["ipv6"] == "off":
            table["addresses"] = [a for a in table.get("addresses", []) if ":" not in a]


def change_kind(hand: Hand, tables: Table) -> None:
    if tables["links"]:
        name = hand.one(sorted(tables["links"]))
        old = tables["links"].pop(name)
        kept = {k: v for k, v in old.items() if k in ("addresses", "altnames", "mtu", "routes")}
        tables["links"][name] = link(hand, tables, name) | kept


def change_network(hand: Hand, tables: Table) -> None:
    if not tables["networks"]:
        return
    name = hand.one(sorted(tables["networks"]))
    table = tables["networks"][name]
    match hand.one(("parent", "gateway", "shim", "mode", "mtu", "kind", "range")):
        case "parent":
            table["parent"] = hand.one(parents(hand, tables))
        case "gateway":
            for one in table["subnets"]:
                had = one.pop("gateway", None)
                one.update({} if had else {"gateway": GATEWAYS[one["subnet"]]})
        case "shim" if table["kind"] == "macvlan" and name == "front":
            table["shim"] = hand.one((False, *SHIMS))
        case "mode" if table["kind"] == "macvlan":
            table["mode"] = hand.one(("bridge", "private", "vepa"))
        case "mtu":
            table["mtu"] = hand.one((1280, 1400, 1500))
        case "kind" if hand.has("ipvlan"):
            table.pop("mode", None)
            table.pop("shim", None)
            table["kind"] = "macvlan" if table["kind"] == "ipvlan" else "ipvlan"
            for _, _, one in interfaces(tables):
                one.pop("mac", None) if one.get("network") == name else None
        case "range":
            for one in table["subnets"]:
                if not one.pop("ip_range", None) and one["subnet"] in RANGES:
                    one["ip_range"] = RANGES[one["subnet"]]


def change_sysctls(hand: Hand, tables: Table) -> None:
    if tables["namespaces"]:
        entry = tables["namespaces"][hand.one(sorted(tables["namespaces"]))]
        entry["sysctls"] = {key: hand.one((0, 1)) for key in hand.some(SYSCTLS, 2)}
