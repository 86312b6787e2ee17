"""Random topologies that are valid, and random edits of them.

A topology is drawn slot by slot: a few names for namespaces, interfaces and links, each there or
not. An edit draws some slots anew and keeps the others. What slots must agree on (the kind on a
parent, the mode of its ipvlans) is drawn first. Addresses are told apart by their slot.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tests.unit.options import values
from vlanlink.kinds import KINDS, Choice, Option, QosMap

Table = dict[str, Any]

MTUS = (None, None, 1280, 1400, 1500)
TAKING = ("macvlan", "ipvlan")


@dataclass
class Slots:
    """What a topology is put together from; None is a slot that is empty."""

    kinds: tuple[str, ...]
    on_eth1: str
    ipvlan: Table
    filled: dict[str, Table | None] = field(default_factory=dict)

    def mapping(self) -> Table:
        """The tables of a file."""
        found: Table = {"topology": {"name": "random"}, "namespaces": {}, "links": {}, "host": {}}
        for key, table in self.filled.items():
            if table is None:
                continue
            match key.split("/"):
                case ["host"]:
                    found["host"] = table
                case ["net"]:
                    found["networks"] = {"net": table}
                case ["links", name]:
                    found["links"][name] = table
                case ["ns", space]:
                    found["namespaces"].setdefault(space, {}).update(table)
                case ["ns", space, name]:
                    spaces = found["namespaces"].setdefault(space, {})
                    spaces.setdefault("interfaces", {})[name] = table
        return _connected(found)


def _connected(found: Table) -> Table:
    """Without endpoints whose network is not there, and with the namespaces that peers are in."""
    for space in found["namespaces"].values():
        interfaces = space.get("interfaces", {})
        for name in [
            n for n, i in interfaces.items() if "network" in i and "networks" not in found
        ]:
            del interfaces[name]
    for table in found["links"].values():
        if "peer" in table and table["peer"].get("namespace"):
            found["namespaces"].setdefault(table["peer"]["namespace"], {})
    routes = found["host"].get("routes", [])
    found["host"]["routes"] = [
        r for r in routes if found["links"].get(r["dev"], {}).get("up", True)
    ]
    found["host"]["routes"] = [r for r in found["host"]["routes"] if r["dev"] in found["links"]]
    return found


SLOTS = (
    "net",
    "ns/a",
    "ns/a/net0",
    "ns/a/own0",
    "ns/b",
    "ns/b/net0",
    "ns/b/own0",
    "links/own1",
    "links/alone",
    "links/pair",
    "host",
)


def topologies(kinds: tuple[str, ...]) -> st.SearchStrategy[tuple[Slots, Slots]]:
    """A topology and its edit."""
    return st.composite(_pair)(kinds)


def _pair(draw: st.DrawFn, kinds: tuple[str, ...]) -> tuple[Slots, Slots]:
    first = _new(draw, kinds)
    for key in SLOTS:
        first.filled[key] = _slot(draw, first, key)
    agreed = st.booleans()
    second = first if draw(agreed) else _new(draw, kinds)
    other = Slots(kinds, second.on_eth1, second.ipvlan)
    for key in SLOTS:
        keep = second is first and draw(st.booleans())
        other.filled[key] = first.filled[key] if keep else _slot(draw, other, key)
    return first, other


def _new(draw: st.DrawFn, kinds: tuple[str, ...]) -> Slots:
    taking = [kind for kind in TAKING if kind in kinds]
    shared = {o.key: draw(values(o)) for o in KINDS["ipvlan"].options}
    return Slots(kinds, draw(st.sampled_from(taking)), shared)


def _slot(draw: st.DrawFn, slots: Slots, key: str) -> Table | None:
    if draw(st.integers(0, 3)) == 3:  # the simplest example has everything
        return None
    number = SLOTS.index(key) + 10
    match key.split("/"):
        case ["host"]:
            return _host(draw)
        case ["net"]:
            return _network(draw, slots)
        case ["ns", _]:
            return _namespace(draw)
        case [_, *_, "net0"]:
            return _endpoint(draw, number)
        case ["links", "alone"]:
            return {"kind": "macvlan", "mode": "passthru", "parent": "eth2"} | _common(draw, number)
        case ["links", "pair"]:
            return _pair_of_ends(draw, number)
    return _own(draw, slots, number)


def _host(draw: st.DrawFn) -> Table:
    found: Table = {}
    if draw(st.booleans()):
        found["sysctls"] = {"net.ipv4.ip_forward": draw(st.integers(0, 1))}
    if draw(st.booleans()):
        metric = draw(st.sampled_from([0, 50]))
        found["routes"] = [{"to": "10.250.0.0/16", "dev": "own1", "metric": metric}]
    return found


def _namespace(draw: st.DrawFn) -> Table:
    keys = ("net.ipv4.ip_forward", "net.ipv4.conf.all.rp_filter", "net.ipv6.conf.default.accept_ra")
    chosen = draw(st.lists(st.sampled_from(keys), unique=True, max_size=2))
    return {"sysctls": {key: draw(st.integers(0, 1)) for key in chosen}}


def _parent(draw: st.DrawFn, slots: Slots, name: str) -> str:
    tagged = "vlan" in slots.kinds and draw(st.booleans())
    return f"{name}.7" if tagged else name


def _options(draw: st.DrawFn, slots: Slots, kind: str, *, sole: bool = False) -> Table:
    """Options of a link: any, but what its parent's links agreed on."""
    if kind == "ipvlan":
        return dict(slots.ipvlan)
    found: Table = {}
    for option in KINDS[kind].options:
        if option.required or draw(st.integers(0, 2)) == 0:
            found[option.key] = _written(option, draw(values(option)))
    if kind == "macvlan":
        mode = KINDS["macvlan"].option("mode")
        assert isinstance(mode, Choice)
        words = sorted(set(mode.choices) - (set() if sole else {"passthru"}))
        found["mode"] = draw(st.sampled_from(words))
        if found["mode"] != "source":
            found.pop("source_macs", None)
    return found


def _written(option: Option, value: Any) -> Any:
    """A value as a file has it: pairs as a table."""
    if isinstance(option, QosMap):
        return {str(a): b for a, b in value}
    return list(value) if isinstance(value, tuple) else value


def _network(draw: st.DrawFn, slots: Slots) -> Table:
    kind = draw(st.sampled_from([kind for kind in TAKING if kind in slots.kinds]))
    four: Table = {"subnet": "172.16.3.0/24"}
    six: Table = {"subnet": "2001:db8:3::/64"}
    if draw(st.booleans()):
        four["gateway"] = "172.16.3.1"
        six["gateway"] = draw(st.sampled_from(["2001:db8:3::1", "fe80::1"]))
    found: Table = {"kind": kind, "parent": _parent(draw, slots, "eth0"), "subnets": [four, six]}
    found |= {"probe": False} | _options(draw, slots, kind)
    mtu = draw(st.sampled_from(MTUS))
    return found | ({"mtu": mtu} if mtu else {})


def _endpoint(draw: st.DrawFn, number: int) -> Table:
    entries = [f"172.16.3.{number}", f"172.16.3.{number + 100}", f"2001:db8:3::{number}"]
    chosen = draw(st.lists(st.sampled_from(entries), unique=True))
    found: Table = {"network": "net", "addresses": chosen}
    found |= _names(draw, number)
    if any("." in address for address in chosen) and found.get("up", True) and draw(st.booleans()):
        found["routes"] = [{"to": f"10.{number}.0.0/16", "via": "172.16.3.2"}]
    return found


def _names(draw: st.DrawFn, number: int) -> Table:
    found: Table = {}
    if draw(st.booleans()):
        words = st.sampled_from([f"front{number}", f"back{number}"])
        found["altnames"] = draw(st.lists(words, unique=True))
    if draw(st.integers(0, 3)) == 0:
        found["up"] = False
    return found


def _common(draw: st.DrawFn, number: int) -> Table:
    """What every link can have, but for its MAC."""
    entries = [f"10.{number}.1.1/24", f"10.{number}.1.2/24", f"2001:db8:{number}::1/64"]
    found = _names(draw, number) | {
        "addresses": draw(st.lists(st.sampled_from(entries), unique=True, max_size=2))
    }
    six = any(":" in address for address in found["addresses"])
    mtu = draw(st.sampled_from(MTUS if six else (*MTUS, 1000)))  # IPv6 needs 1280
    if mtu:
        found["mtu"] = mtu
    four = any("." in address for address in found["addresses"])
    if four and found.get("up", True) and draw(st.booleans()):
        route: Table = {"to": f"10.{number + 100}.0.0/16", "via": f"10.{number}.1.254"}
        found["routes"] = [route | draw(st.sampled_from([{}, {"metric": 7}, {"table": 77}]))]
    return found


def _mac(draw: st.DrawFn, number: int) -> Table:
    return draw(st.sampled_from([{}, {"mac": f"02:42:00:00:{number:02x}:01"}]))


def _own(draw: st.DrawFn, slots: Slots, number: int) -> Table:
    """A link of a kind of its own, on eth1 if it has a parent."""
    kinds = {slots.on_eth1, *(k for k in slots.kinds if k not in (*TAKING, "veth"))}
    kind = draw(st.sampled_from(sorted(kinds)))
    found: Table = {"kind": kind} | _options(draw, slots, kind) | _common(draw, number)
    if kind == "vlan":
        found["id"] = number * 10 + draw(st.integers(0, 1))
    if KINDS[kind].has_parent:
        found["parent"] = "eth1"
    if kind in TAKING:
        found["probe"] = False
    if KINDS[kind].mac({}) != "fixed":
        found |= _mac(draw, number)
    return found


def _pair_of_ends(draw: st.DrawFn, number: int) -> Table:
    peer = {"name": "end"} | _common(draw, number + 100) | _mac(draw, number + 100)
    space = draw(st.sampled_from([None, "a", "b"]))
    if space:
        peer["namespace"] = space
    peer.pop("routes", None)
    return {"kind": "veth", "peer": peer} | _common(draw, number) | _mac(draw, number)


def shown(mapping: Mapping[str, Any]) -> str:
    """For a failure's message."""
    import json

    return json.dumps(mapping)
