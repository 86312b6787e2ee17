"""A small grammar of edits: what people do to their files, drawn as pairs of topologies."""

import copy
import json
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.kernel.edit_moves import (
    change_place,
    move_from_host,
    move_interface,
    move_peer,
    move_to_host,
    name_vlan,
    put_network_on_link,
    remake_parent,
    remove_interface,
    remove_link,
    remove_link_whole,
    remove_namespace,
    remove_network,
    rename_interface,
    rename_link,
    rename_namespace,
    rename_network,
    reorder,
    swap_links,
    turn_pair,
)
from tests.kernel.edit_topologies import (
    Hand,
    Table,
    add_interface,
    add_link,
    add_namespace,
    add_network,
    change_host,
    ends,
    topology,
)
from tests.kernel.edit_values import (
    change_ipv6,
    change_kind,
    change_network,
    change_sysctls,
    change_value,
    forget_value,
    ring,
)

Edit = Callable[[Hand, Table], None]

QUICK = {"count": 1, "seconds": 1.0 if os.uname().nodename == "vlanlink-vm" else 0.05}
"""A `probe` that costs little: nobody answers. An emulated machine is slow to send."""


def replace_all(hand: Hand, tables: Table) -> None:
    """Another file under the same name."""
    tables.update(topology(hand))


EDITS: tuple[Edit, ...] = (
    rename_link,
    rename_interface,
    rename_namespace,
    rename_network,
    swap_links,
    ring,
    ring,
    ring,
    move_interface,
    move_to_host,
    move_from_host,
    move_peer,
    turn_pair,
    change_place,
    change_place,
    remove_link,
    remove_link_whole,
    remove_interface,
    remove_namespace,
    remove_network,
    change_value,
    change_value,
    forget_value,
    change_ipv6,
    change_kind,
    change_network,
    change_network,
    remake_parent,
    put_network_on_link,
    name_vlan,
    change_host,
    change_sysctls,
    reorder,
    replace_all,
    add_link,
    add_network,
    add_namespace,
    add_interface,
)


@dataclass(frozen=True)
class Pair:
    """A file and its edit, what was done to it, and a topology of another name beside it."""

    before: Table
    after: Table
    edits: tuple[str, ...]
    beside: Table | None = None

    def differs(self) -> bool:
        """The order counts, too: the first interface with a gateway has the default route."""
        return json.dumps(self.before) != json.dumps(self.after)

    def __str__(self) -> str:
        tables = {"before": self.before, "after": self.after, "beside": self.beside}
        return f"{', '.join(self.edits)}\n" + "\n".join(
            f"{key} = {json.dumps(shortened(value))}" for key, value in tables.items() if value
        )


def shortened(tables: Table) -> Table:
    return {key: value for key, value in tables.items() if value}


def pairs(kinds: tuple[str, ...]) -> st.SearchStrategy[Pair]:
    """A topology, and what up to four edits make of it."""

    def draw_pair(draw: st.DrawFn) -> Pair:
        return pair(Hand(lambda least, most: draw(st.integers(least, most)), kinds))

    return st.composite(draw_pair)()


def diced(seed: int, kinds: tuple[str, ...]) -> Pair:
    """The same by dice: a short run of Hypothesis has little but the simplest pairs."""
    return pair(Hand(random.Random(seed).randint, kinds))


def given_seed(seed: int, kinds: tuple[str, ...]) -> Table:
    """One topology by dice."""
    return topology(Hand(random.Random(seed).randint, kinds))


def pair(hand: Hand, most_edits: int = 4) -> Pair:
    probe: Any = hand.one((False, QUICK))
    before = topology(hand)
    after = copy.deepcopy(before)
    edits = [hand.one(EDITS) for _ in range(hand.number(1, most_edits))]
    for edit in edits:
        edit(hand, after)
    beside = beside_it(hand) if hand.chance() else None
    for tables in (before, after, *([beside] if beside else [])):
        ask_lan(tables, probe)
    return Pair(before, after, tuple(edit.__name__ for edit in edits), beside)


def beside_it(hand: Hand) -> Table:
    """Another topology: it shares parents, a namespace's name never, and addresses never."""
    parent = hand.one(("eth0", "eth1", *(["eth0.50"] if hand.has("vlan") else [])))
    table = {"kind": "macvlan", "parent": parent, "addresses": ["10.60.0.1/24"]}
    return {
        "topology": {"name": "beside"},
        "networks": {},
        "links": {},
        "host": {"sysctls": {"net.ipv4.conf.all.rp_filter": 2}},
        "namespaces": {"beside": {"interfaces": {"eth0": table}}},
    }


def ask_lan(tables: Table, probe: Any) -> None:
    """Whether the LAN is asked is one for all of a file."""
    for table in (*tables["networks"].values(), *ends(tables)):
        if "network" not in table and (table.get("kind") in ("macvlan", "ipvlan")):
            table["probe"] = probe


def located(tables: Table, where: Mapping[str, Mapping[str, Any]]) -> Table:
    """The tables as a file has them: ``where`` has the keys for each place."""
    found = copy.deepcopy(tables)
    for entry in found["namespaces"].values():
        entry.update(where[entry.pop("place")] if "place" in entry else {})
    return found
