"""Edits of what there is: things renamed, moved, taken out and put on each other.

An edit changes the tables in place; one that finds nothing to work on does nothing.
"""

from tests.kernel.edit_topologies import (
    INTERFACES,
    LINKS,
    SPACES,
    Hand,
    Table,
    ends,
    host_names,
    interfaces,
    peer,
    place,
    retarget,
)


def rename_link(hand: Hand, tables: Table) -> None:
    if not tables["links"]:
        return
    old = hand.one(sorted(tables["links"]))
    free = [name for name in LINKS if name not in host_names(tables)]
    if free:
        new = hand.one(free)
        tables["links"] = {new if n == old else n: t for n, t in tables["links"].items()}
        retarget(tables, old, new)


def rename_interface(hand: Hand, tables: Table) -> None:
    found = list(interfaces(tables))
    if not found:
        return
    space, old, _ = hand.one(found)
    there = tables["namespaces"][space]["interfaces"]
    new = hand.one([name for name in INTERFACES if name != old])
    if new in there:  # they swap their names
        there[old], there[new] = there[new], there[old]
    else:
        tables["namespaces"][space]["interfaces"] = {
            new if n == old else n: t for n, t in there.items()
        }


def rename_namespace(hand: Hand, tables: Table) -> None:
    spaces = tables["namespaces"]
    if not spaces:
        return
    old = hand.one(sorted(spaces))
    new = hand.one([name for name in SPACES if name != old])
    swap = {old: new, new: old}
    tables["namespaces"] = {swap.get(name, name): entry for name, entry in spaces.items()}
    for table in tables["links"].values():
        if table.get("peer", {}).get("namespace") in swap:
            table["peer"]["namespace"] = swap[table["peer"]["namespace"]]
    if "kept" in tables["namespaces"]:
        tables["namespaces"]["kept"].pop("place", None)


def rename_network(hand: Hand, tables: Table) -> None:
    """The kernel knows nothing of the names of networks."""
    if not tables["networks"] or "other" in tables["networks"]:
        return
    old = hand.one(sorted(tables["networks"]))
    tables["networks"]["other"] = tables["networks"].pop(old)
    for _, _, table in interfaces(tables):
        if table.get("network") == old:
            table["network"] = "other"


def swap_links(hand: Hand, tables: Table) -> None:
    """Two links have each other's table; what names them goes on naming the name."""
    if len(tables["links"]) > 1:
        one, two = hand.shuffled(sorted(tables["links"]))[:2]
        tables["links"].update({one: tables["links"][two], two: tables["links"][one]})


def move_interface(hand: Hand, tables: Table) -> None:
    found = list(interfaces(tables))
    if not found:
        return
    space, name, table = hand.one(found)
    goals = [s for s in tables["namespaces"] if name not in tables["namespaces"][s]["interfaces"]]
    if goals:
        goal = hand.one(sorted(goals))
        tables["namespaces"][space]["interfaces"].pop(name)
        tables["namespaces"][goal]["interfaces"][name] = table


def move_to_host(hand: Hand, tables: Table) -> None:
    """An interface becomes a link of the host of the same values."""
    own = [(s, n, t) for s, n, t in interfaces(tables) if "network" not in t]
    free = [name for name in LINKS if name not in host_names(tables)]
    if own and free:
        space, name, table = hand.one(own)
        tables["namespaces"][space]["interfaces"].pop(name)
        tables["links"][free[0]] = table


def move_from_host(hand: Hand, tables: Table) -> None:
    own = [n for n, t in tables["links"].items() if t["kind"] == "macvlan"]
    if own and tables["namespaces"]:
        space = tables["namespaces"][hand.one(sorted(tables["namespaces"]))]
        free = [name for name in INTERFACES if name not in space["interfaces"]]
        if free:
            space["interfaces"][free[0]] = tables["links"].pop(hand.one(sorted(own)))


def move_peer(hand: Hand, tables: Table) -> None:
    pairs = [t for t in tables["links"].values() if "peer" in t]
    if pairs:
        pair = hand.one(pairs)
        kept = {k: v for k, v in pair["peer"].items() if k not in ("name", "namespace")}
        where = {k: v for k, v in peer(hand, tables).items() if k in ("name", "namespace")}
        pair["peer"] = kept | where


def turn_pair(hand: Hand, tables: Table) -> None:
    """The peer gets the table, and the link is its peer."""
    pairs = [n for n, t in tables["links"].items() if "peer" in t and "namespace" not in t["peer"]]
    if pairs:
        name = hand.one(sorted(pairs))
        table = tables["links"].pop(name)
        other = dict(table.pop("peer"))
        table.pop("kind")
        new = other.pop("name")
        tables["links"][new] = other | {"kind": "veth", "peer": {**table, "name": name}}


def change_place(hand: Hand, tables: Table) -> None:
    """Another process, a path instead, or a namespace of ours; or two that swap."""
    entries = [e for n, e in tables["namespaces"].items() if n != "kept"]
    if len(entries) > 1 and hand.chance(3):
        one, two = entries[:2]
        places = one.pop("place", None), two.pop("place", None)
        for entry, where in zip((two, one), places, strict=True):
            entry.update({"place": where} if where else {})
        return
    if entries:
        entry = hand.one(entries)
        had = entry.pop("place", None)
        if had is None or hand.chance():
            place(hand, tables, entry)


def remove_link(hand: Hand, tables: Table) -> None:
    if tables["links"]:
        tables["links"].pop(hand.one(sorted(tables["links"])))


def remove_link_whole(hand: Hand, tables: Table) -> None:
    """With all that stands on it."""
    if not tables["links"]:
        return
    name = hand.one(sorted(tables["links"]))
    tables["links"].pop(name)
    retarget(tables, name, "eth1")
    tables["host"]["routes"] = [r for r in tables["host"].get("routes", []) if r["dev"] != "eth1"]


def remove_interface(hand: Hand, tables: Table) -> None:
    found = list(interfaces(tables))
    if found:
        space, name, _ = hand.one(found)
        tables["namespaces"][space]["interfaces"].pop(name)


def remove_namespace(hand: Hand, tables: Table) -> None:
    if tables["namespaces"]:
        name = hand.one(sorted(tables["namespaces"]))
        tables["namespaces"].pop(name)
        for key in [
            k for k, t in tables["links"].items() if t.get("peer", {}).get("namespace") == name
        ]:
            tables["links"].pop(key)


def remove_network(hand: Hand, tables: Table) -> None:
    """Its endpoints go with it, or become links of their own."""
    if not tables["networks"]:
        return
    name = hand.one(sorted(tables["networks"]))
    gone = tables["networks"].pop(name)
    stay = hand.chance() and gone["kind"] == "macvlan"
    for space, interface_name, table in list(interfaces(tables)):
        if table.get("network") == name:
            tables["namespaces"][space]["interfaces"].pop(interface_name)
            if stay:
                four = [f"{a}/24" for a in table.get("addresses", []) if "." in a]
                kept = {k: v for k, v in table.items() if k in ("mac", "mtu", "altnames")}
                tables["namespaces"][space]["interfaces"][interface_name] = kept | {
                    "kind": "macvlan",
                    "parent": gone["parent"],
                    "addresses": four,
                }


def remake_parent(hand: Hand, tables: Table) -> None:
    """A pair below a network: another peer makes it anew, with all that stands on it."""
    pairs = [t for t in tables["links"].values() if "peer" in t]
    if pairs:
        table = hand.one(pairs)
        free = [name for name in LINKS if name not in host_names(tables)]
        if "namespace" not in table["peer"] and free:
            table["peer"]["name"] = hand.one(free)
        elif "namespace" in table["peer"]:
            table["peer"]["name"] = hand.one(INTERFACES)


def put_network_on_link(hand: Hand, tables: Table) -> None:
    """A link that is there or made anew in this edit becomes the parent of new addresses."""
    able = [n for n, t in tables["links"].items() if t["kind"] in ("veth", "vlan", "dummy")]
    if able and tables["networks"]:
        tables["networks"][hand.one(sorted(tables["networks"]))]["parent"] = hand.one(able)
        if hand.chance():
            remake_parent(hand, tables)


def name_vlan(hand: Hand, tables: Table) -> None:
    """A VLAN that a parent's name implied gets a table and a name, or loses both."""
    if not hand.has("vlan"):
        return
    vlans = [n for n, t in tables["links"].items() if t["kind"] == "vlan"]
    if vlans and hand.chance():
        name = hand.one(sorted(vlans))
        table = tables["links"].pop(name)
        retarget(tables, name, f"{table['parent']}.{table['id']}")
        return
    implied = [
        t for t in (*tables["networks"].values(), *ends(tables)) if "." in t.get("parent", "")
    ]
    free = [name for name in LINKS if name not in host_names(tables)]
    if implied and free:
        base, _, number = implied[0]["parent"].partition(".")
        old = implied[0]["parent"]
        tables["links"][free[0]] = {"kind": "vlan", "parent": base, "id": int(number)}
        for table in implied:
            if table["parent"] == old:
                table["parent"] = free[0]


def reorder(hand: Hand, tables: Table) -> None:
    """The same file in another order."""
    for key in ("links", "networks", "namespaces"):
        tables[key] = dict(hand.shuffled(list(tables[key].items())))
