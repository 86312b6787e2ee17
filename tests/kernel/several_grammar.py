"""Several topologies on one host that share what can be shared, and what is done to them in turn.

Each thing of a topology has a slot, which is filled or not; an edit fills some slots again. Names
and addresses tell whose they are; NICs, VLANs, namespaces, sysctls and each other's links are
shared.
"""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.kernel.edit_topologies import Hand, Table

NICS = ("eth0", "eth1", "eth2")
BRIDGE = "vmbr0"
SHARED = ("shared", "kept")
"""Namespaces: one that the first topology makes, and one that was there before."""
SHARED_SUBNETS = ("10.79.0", "2001:db8:9")
HOSTS_SUBNETS = ("192.0.2", "2001:db8:a")
"""The first is where the host has an address, if it has one."""
VERBS = (
    *("up",) * 6,
    *("edit",) * 6,
    *("down",) * 4,
    *("restart",) * 2,
    *("attach",) * 2,
    "detach",
    "watch",
    "reboot",
)
_HOST_SYSCTLS = {
    "net.ipv4.ip_forward": ("1",),
    "net.ipv4.conf.all.rp_filter": ("2",),
    "net.ipv4.conf.default.arp_ignore": ("1", "2"),
    "net.ipv4.conf.eth0.rp_filter": ("2", "1"),
    "net.ipv4.conf.eth1.proxy_arp": ("1",),
    "net.ipv6.conf.all.forwarding": ("1",),
    "net.ipv6.conf.default.accept_ra": ("0",),
}
_SYSCTLS = {
    "net.ipv4.ip_forward": ("1",),
    "net.ipv4.conf.all.rp_filter": ("2", "1"),
    "net.ipv4.conf.default.arp_ignore": ("1",),
    "net.ipv6.conf.all.forwarding": ("1",),
}
SLOTS = ("macvlan", "veth", "vlan", "net", "end1", "end2", "own", "sysctls", "dns", "host", "route")


@dataclass(frozen=True)
class Step:
    """Something that is done to topology number ``who``; a watch goes on for ``steps`` more."""

    verb: str
    who: int = 0
    file: Table | None = None
    steps: int = 0
    order: tuple[int, ...] = ()

    def __str__(self) -> str:
        more = f" for {self.steps} steps" if self.steps else ""
        file = f" {json.dumps(mapping(self.who, self.file))}" if self.file is not None else ""
        order = f" then up {self.order}" if self.order else ""
        return f"{self.verb} t{self.who}{more}{order}{file}"


@dataclass(frozen=True)
class Script:
    """A machine, the topologies' first files, and what happens."""

    nics_up: tuple[bool, ...]
    addressed: bool
    files: tuple[Table, ...]
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        states = zip(NICS, self.nics_up, strict=True)
        nics = ", ".join(f"{name} {'up' if is_up else 'down'}" for name, is_up in states)
        files = [json.dumps(mapping(n, file)) for n, file in enumerate(self.files)]
        lines = [f"{nics}; address: {self.addressed}", *files, *map(str, self.steps)]
        return "\n".join(lines)


def scripts(kinds: tuple[str, ...]) -> st.SearchStrategy[Script]:
    """By Hypothesis, which makes one that fails smaller."""

    def draw_script(draw: st.DrawFn) -> Script:
        return script(Hand(lambda least, most: draw(st.integers(least, most)), kinds))

    return st.composite(draw_script)()


def script(hand: Hand) -> Script:
    nics_up = tuple(hand.chance() for _ in NICS)
    many = hand.number(2, 4)
    files = [_file(hand, many, n) for n in range(many)]
    first = tuple(copy.deepcopy(files))
    steps = [Step("up", n) for n in hand.shuffled(range(many))]
    for _ in range(hand.number(4, 14)):
        steps.append(_step(hand, files))
    addressed = nics_up[0] and hand.chance()  # a NIC with an address stays up
    return Script(nics_up, addressed, first, tuple(steps))


def _step(hand: Hand, files: list[Table]) -> Step:
    verb, who = hand.one(VERBS), hand.number(0, len(files) - 1)
    if verb == "edit":
        files[who] = copy.deepcopy(files[who])
        for slot in hand.shuffled(SLOTS)[: hand.number(1, 3)]:
            _fill(hand, len(files), who, files[who], slot)
        return Step("up", who, copy.deepcopy(files[who]))
    if verb == "watch":
        return Step(verb, who, steps=hand.number(1, 4))
    if verb == "reboot":
        return Step(verb, order=tuple(hand.shuffled(range(len(files)))))
    return Step(verb, who)


def _file(hand: Hand, many: int, who: int) -> Table:
    found: Table = {}
    for slot in SLOTS:
        _fill(hand, many, who, found, slot)
    return found


def _fill(hand: Hand, many: int, who: int, file: Table, slot: str) -> None:
    file[slot] = _slot(hand, many, who, slot)


def _slot(hand: Hand, many: int, who: int, slot: str) -> Table | None:
    if (slot != "net" and hand.chance()) or (slot == "vlan" and not hand.has("vlan")):
        return None
    match slot:
        case "macvlan":
            return _macvlan(hand, many, "v") | _common(hand, f"10.3{who}.0")
        case "veth":
            peer: Table = {"name": f"w{who}"} | _common(hand, f"10.4{who}.1")
            if hand.chance():
                peer["namespace"] = _space(hand, who)
            return {"kind": "veth", "peer": peer} | _common(hand, f"10.4{who}.0")
        case "vlan":
            name = hand.one(("eth0.50", "eth1.60", f"eth1.7{who}"))
            below, _, number = name.partition(".")
            return {"name": name, "kind": "vlan", "parent": below, "id": int(number)} | _common(
                hand, f"10.5{who}.0"
            )
        case "net":
            return _network(hand, many, who)
        case "end1" | "end2":
            host = 40 * who + 10 * int(slot[-1]) + hand.number(11, 13)
            chosen = hand.one((None, ["auto"], [f"@.{host}"], [f"@.{host}", f"@::{host}"]))
            addresses: Table = {} if chosen is None else {"addresses": chosen}
            return {"space": _space(hand, who)} | _names(hand) | addresses
        case "own":
            table = _macvlan(hand, many, "vm") | _common(hand, f"10.6{who}.0")
            return {"space": _space(hand, who)} | table
        case "sysctls":
            keys = hand.some(tuple(_SYSCTLS), 2)
            return {"space": _space(hand, who), **{key: hand.one(_SYSCTLS[key]) for key in keys}}
        case "dns":
            return {"space": _space(hand, who), "dns": [f"192.0.2.{53 + who}"], "hosts": True}
        case "host":
            keys = hand.some(tuple(_HOST_SYSCTLS), 3)
            return {key: hand.one(_HOST_SYSCTLS[key]) for key in keys}
        case "route":
            other = hand.number(0, many - 1)
            dev = hand.one((f"m{other}", f"v{other}", "eth0", "eth1"))
            metric: Table = hand.one(({}, {"metric": 9}))
            return {"to": f"10.9{hand.number(0, 3)}.0.0/16", "dev": dev} | metric
    raise AssertionError(slot)


def _space(hand: Hand, who: int) -> str:
    return str(hand.one((*SHARED, "shared", f"s{who}")))


def _parent(hand: Hand, many: int, links: str) -> str:
    """A NIC, a VLAN that its name implies, or a link of any of the topologies."""
    if hand.chance(4):
        return f"{hand.one(links)}{hand.number(0, many - 1)}"
    found = [*NICS, "eth0"]
    if hand.has("vlan"):
        found += ["eth0.50", "eth0.50", "eth1.60", "eth0.50.7", f"{BRIDGE}.50"]
    return str(hand.one(found))


def _macvlan(hand: Hand, many: int, links: str) -> Table:
    return {"kind": "macvlan", "parent": _parent(hand, many, links), "probe": False}


def _network(hand: Hand, many: int, who: int) -> Table:
    found = _macvlan(hand, many, "vm")
    if hand.has("ipvlan") and hand.chance(8):
        found["kind"] = "ipvlan"
    if found["parent"].startswith(BRIDGE):
        found["manage_bridge_vlan"] = hand.chance()
    four, six = hand.one((_own_subnets(who), _own_subnets(who), SHARED_SUBNETS, HOSTS_SUBNETS))
    found["subnets"] = [{"subnet": f"{four}.0/24"}, {"subnet": f"{six}::/64"}]
    if hand.chance():
        found["subnets"][0]["gateway"] = f"{four}.254"
    if found["kind"] == "macvlan" and hand.chance(3):
        found["shim"] = hand.one((True, {"name": f"shim{who}"}))
    return found


def _own_subnets(who: int) -> tuple[str, str]:
    return f"10.7{who}.0", f"2001:db8:{who}"


def _common(hand: Hand, prefix: str) -> Table:
    found: Table = {"addresses": [f"{prefix}.{n}/24" for n in hand.some((1, 2), 2)]}
    if found["addresses"] and hand.chance(3):
        to = f"10.{100 + int(prefix.split('.')[1])}.0.0/16"
        found["routes"] = [{"to": to, "via": f"{prefix}.254"}]
    return found | _names(hand)


def _names(hand: Hand) -> Table:
    found: Table = {}
    if hand.chance(4):
        found["mtu"] = hand.one((1280, 1400))
    if hand.chance(6):
        found["altnames"] = hand.one((["wan"], ["dmz", "wan"]))
    return found


# -- as a file has it ------------------------------------------------------------------------------


def mapping(who: int, file: Table) -> Table:
    """The tables of a file."""
    found: Table = {"topology": {"name": f"t{who}"}, "links": {}, "namespaces": {}, "host": {}}
    found["networks"] = {"n": file["net"]}
    for slot, name in (("macvlan", f"m{who}"), ("veth", f"v{who}")):
        if file[slot] is not None:
            found["links"][name] = file[slot]
    if file["vlan"] is not None:
        found["links"][file["vlan"]["name"]] = _without(file["vlan"], "name")
    for slot, name in (("end1", f"a{who}"), ("end2", f"b{who}"), ("own", f"o{who}")):
        if file[slot] is not None:
            interface = _interface(slot, file[slot], file["net"])
            _interfaces(found, file[slot]["space"])[name] = interface
    for slot in ("sysctls", "dns"):
        if file[slot] is not None:
            space = found["namespaces"].setdefault(file[slot]["space"], {})
            rest = _without(file[slot], "space")
            space.update(rest if slot == "dns" else {"sysctls": rest})
    peer = (file["veth"] or {}).get("peer", {})
    if "namespace" in peer:
        found["namespaces"].setdefault(peer["namespace"], {})
    if file["host"] is not None:
        found["host"]["sysctls"] = file["host"]
    if file["route"] is not None:
        found["host"]["routes"] = [file["route"]]
    return copy.deepcopy(found)


def _interfaces(found: Table, space: str) -> Table:
    entry: Table = found["namespaces"].setdefault(space, {})
    interfaces: Table = entry.setdefault("interfaces", {})
    return interfaces


def _interface(slot: str, table: Table, network: Table) -> Table:
    found = _without(table, "space")
    if slot == "own":
        return found
    if "addresses" in found:
        four, six = (one["subnet"].partition("/")[0] for one in network["subnets"])
        four, six = four.removesuffix(".0"), six.removesuffix("::")
        found["addresses"] = [
            text.replace("@", six if ":" in text else four) for text in found["addresses"]
        ]
    return found | {"network": "n"}


def _without(table: Table, key: str) -> Table:
    return {k: v for k, v in table.items() if k != key}


def ends(tables: Table) -> Iterator[tuple[str, str]]:
    """Where the links of a file are: namespace and name."""
    for name, link in tables["links"].items():
        yield "", name
        if "peer" in link:
            yield link["peer"].get("namespace", ""), link["peer"]["name"]
    for space, entry in tables["namespaces"].items():
        for name in entry.get("interfaces", {}):
            yield space, name
