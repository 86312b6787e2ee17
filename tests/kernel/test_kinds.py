"""Every option of every kind on a real kernel: sent, read back by vlanlink, and shown by `ip`.

``SAMPLES`` holds sets of options for each kind; a test fails when an option has no value there
that is not its default, or a choice is never made. ``SHOWN`` tells where `ip -j -d` shows each.
"""

import os
from collections.abc import Callable, Collection, Mapping
from typing import Any

import pytest

import vlanlink
from tests.kernel.judge import dump, same
from tests.kernel.world import World, until
from vlanlink.kinds import COMMON, KINDS, Choice
from vlanlink.model import HOST, LinkName

MACS = ["02:00:5e:00:53:01", "02:00:5e:00:53:02"]

SAMPLES: Mapping[str, list[dict[str, Any]]] = {
    "vlan": [
        {
            "id": 4094,
            "protocol": "802.1ad",
            "reorder_hdr": False,
            "gvrp": True,
            "loose_binding": True,
            "mvrp": True,
            "egress_qos": {"0": 1, "3": 5},
            "ingress_qos": {"2": 4, "7": 1},
        },
        {"id": 1, "protocol": "802.1q"},
    ],
    "macvlan": [
        {"mode": "bridge", "bc_queue_len": 5000},
        {"mode": "source", "source_macs": MACS},
        {"mode": "private"},
        {"mode": "vepa"},
        {"mode": "passthru"},
    ],
    "ipvlan": [
        {"mode": "l2", "flag": "private"},
        {"mode": "l3", "flag": "vepa"},
        {"mode": "l3s", "flag": "bridge"},
    ],
    "dummy": [{}],
    "veth": [{}],
}

SINCE = {"macvlan": {"bc_queue_len": (5, 11)}}
"""The Linux that first knows an option."""

Show = Callable[[dict[str, Any]], Any]


def _flag(word: str) -> Show:
    return lambda data: word in data["flags"]


def _pairs(key: str) -> Show:
    return lambda data: {str(pair["from"]): pair["to"] for pair in data.get(key, [])}


FLAGS = ("bridge", "private", "vepa")

SHOWN: Mapping[str, Mapping[str, Show]] = {
    "vlan": {
        "id": lambda data: data["id"],
        "protocol": lambda data: data["protocol"].lower(),
        "reorder_hdr": _flag("REORDER_HDR"),
        "gvrp": _flag("GVRP"),
        "loose_binding": _flag("LOOSE_BINDING"),
        "mvrp": _flag("MVRP"),
        "egress_qos": _pairs("egress_qos"),
        "ingress_qos": _pairs("ingress_qos"),
    },
    "macvlan": {
        "mode": lambda data: data["mode"],
        "bc_queue_len": lambda data: data["bcqueuelen"],
        "source_macs": lambda data: sorted(data.get("macaddr_data", [])),
    },
    "ipvlan": {
        "mode": lambda data: data["mode"],
        "flag": lambda data: next(w for w in FLAGS if data.get(w)),
    },
    "dummy": {},
    "veth": {},
}


COMMON_SHOWN: Mapping[str, Show] = {
    "mac": lambda shown: shown["address"],
    "mtu": lambda shown: shown["mtu"],
    "txqueuelen": lambda shown: shown["txqlen"],
    "altnames": lambda shown: sorted(shown["altnames"]),
    "multicast": lambda shown: "MULTICAST" in shown["flags"],
    "up": lambda shown: "UP" in shown["flags"],
}
"""Options of every kind; their samples are in ``_entry``."""


def test_every_option_has_a_sample() -> None:
    assert COMMON_SHOWN.keys() == {option.key for option in COMMON}
    entry = _entry("dummy", 0, "h")
    asked = {option.key: entry.get(option.key, option.default) for option in COMMON}
    assert {o.key for o in COMMON if asked[o.key] == o.default} <= {"up"}
    for kind in KINDS.values():
        assert SHOWN[kind.name].keys() == {option.key for option in kind.options}
        for option in kind.options:
            values = [s[option.key] for s in SAMPLES[kind.name] if option.key in s]
            assert [v for v in values if v != option.default], f"{kind.name}.{option.key}"
            if isinstance(option, Choice):
                assert set(values) == set(option.choices), f"{kind.name}.{option.key}"


def _mac(number: int, end: str) -> str:
    return f"02:00:00:00:{'0a' if end == 'h' else '0b'}:{number:02x}"


def _entry(kind: str, number: int, end: str) -> dict[str, Any]:
    """A link with all that any link can have, and the options of a sample."""
    options = SAMPLES[kind][number]
    entry: dict[str, Any] = {
        "kind": kind,
        "mtu": 1400,
        "txqueuelen": 77,
        "multicast": not KINDS[kind].multicast,
        "altnames": [f"{kind}-{number}-{end}-with-a-name-of-more-than-15-bytes", f"z{number}{end}"],
        "addresses": [
            f"10.{number}.{ord(end)}.1/24",
            f"2001:db8:{number}:{ord(end)}::1/64",
        ],
        **options,
    }
    if KINDS[kind].mac(options) != "fixed":
        entry["mac"] = _mac(number, end)
    if KINDS[kind].has_parent:
        entry["parent"] = f"{end}{number}"
    return entry


def _topology(kind: str, without: Collection[str] = ()) -> vlanlink.Topology:
    """Each sample twice: on the host, on one end of a pair, and in a namespace, on the other."""
    links: dict[str, Any] = {}
    inside: dict[str, Any] = {}
    for number in range(len(SAMPLES[kind])):
        links[f"k{number}"] = _entry(kind, number, "h")
        entry = _entry(kind, number, "n")
        if KINDS[kind].has_peer:
            entry.pop("kind")
            links[f"k{number}"]["peer"] = {"name": f"k{number}", "namespace": "web", **entry}
        else:
            inside[f"k{number}"] = entry
    for entry in (*links.values(), *inside.values()):
        for key in without:
            entry.pop(key, None)
    return vlanlink.load(
        {
            "topology": {"name": "kinds"},
            "links": links,
            "namespaces": {"web": {"interfaces": inside}},
        }
    )


def _multicast_routes(world: World) -> set[str]:
    """The links with an IPv6 multicast route, which a work queue adds once there is a carrier."""
    return {route["dev"] for route in world.json("-6 route show table local type multicast")}


@pytest.mark.sensitive
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.needs(kind)) for kind in KINDS]
)
def test_every_option_goes_to_the_kernel_and_back(world: World, kind: str) -> None:
    numbers = range(len(SAMPLES[kind]))
    if KINDS[kind].has_parent:
        pairs = [f"link add h{n} type veth peer name n{n}" for n in numbers]
        # No link-local address: a test need not wait until it is no longer tentative.
        ends = [f"{e}{n}" for n in numbers for e in "hn"]
        quiet = [f"link set {end} addrgenmode none" for end in ends]
        world.batch("\n".join([*pairs, *quiet, *(f"link set {end} up" for end in ends)]))
        until(lambda: _multicast_routes(world) >= set(ends), "the kernel adds multicast routes")
    before = dump(world)
    topology = _topology(kind)
    lacking = _unknown_options(kind)
    if lacking:
        with pytest.raises(vlanlink.PrivilegeError) as caught:
            vlanlink.up(topology)
        said = [diagnostic.message for diagnostic in caught.value.diagnostics]
        assert all(any(key in message for message in said) for key in lacking), said
        same(world, before)
        topology = _topology(kind, without=lacking)
    vlanlink.up(topology)
    assert vlanlink.plan(topology).operations == ()
    state = vlanlink.snapshot()
    for namespace, end in ((HOST, "h"), ("web", "n")):
        shown = {link["ifname"]: link for link in world.json("addr", namespace)}
        for number in numbers:
            seen = state.link(LinkName(namespace, f"k{number}"))
            assert seen is not None
            assert (seen.kind, seen.owner, seen.up) == (kind, "kinds", True)
            _compare_options(kind, number, seen.settings, shown[f"k{number}"], lacking)
            _compare_common(kind, number, end, seen, shown[f"k{number}"])
    vlanlink.down("kinds")
    same(world, before)


def _unknown_options(kind: str) -> set[str]:
    """What this kernel passes over in silence, so that vlanlink must refuse it."""
    release = tuple(int(number) for number in os.uname().release.split(".")[:2])
    return {key for key, since in SINCE.get(kind, {}).items() if release < since}


def _compare_options(
    kind: str, number: int, settings: Mapping[str, Any], shown: dict[str, Any], lacking: set[str]
) -> None:
    assert shown["linkinfo"]["info_kind"] == kind
    sample = vlanlink.load(
        {"topology": {"name": "x"}, "links": {"x": {"parent": "p", **_entry(kind, number, "h")}}}
        if KINDS[kind].has_parent
        else {"topology": {"name": "x"}}
    )
    for option in KINDS[kind].options:
        if option.key in lacking:
            assert option.key not in settings
            continue
        wanted = SAMPLES[kind][number].get(option.key, option.default)
        if option.key in SAMPLES[kind][number]:
            canonical = sample.links["x"].options[option.key]
            assert settings[option.key] == canonical, option.key
        else:
            assert settings[option.key] == option.default, option.key
        by_ip = SHOWN[kind][option.key](shown["linkinfo"].get("info_data", {}))
        assert (by_ip or wanted) == wanted, option.key
        assert bool(by_ip) == bool(wanted), option.key


def _compare_common(kind: str, number: int, end: str, seen: Any, shown: dict[str, Any]) -> None:
    entry = _entry(kind, number, end)
    wanted = {"up": True, "mac": shown["address"], **entry}
    for key, by_ip in COMMON_SHOWN.items():
        value = seen.settings[key]
        listed = list(value) if isinstance(value, tuple) else value
        assert listed == by_ip(shown) == wanted[key], key
    held = [f"{a['local']}/{a['prefixlen']}" for a in shown["addr_info"] if a["scope"] != "link"]
    assert held == entry["addresses"]
    assert [a.text for a in seen.addresses if not a.link_local] == entry["addresses"]
    if "parent" in entry:
        assert seen.parent == LinkName(HOST, entry["parent"])
    assert shown["ifalias"] == "vlanlink:kinds"
