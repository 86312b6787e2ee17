"""Edits that went wrong once, by kind: pairs of files, judged by the property of ``edit_bench``.

``place = "p0/pid"`` stands for the pid of a process in a namespace of the bench. What is said of
refused edits, and what takes a router, stands in ``test_edit_refusals`` and ``test_edit_faults``.
"""

import tomllib
from typing import Any

import pytest

from tests.kernel.edit_bench import went_well
from tests.kernel.edit_grammar import QUICK, Pair, ask_lan

NETWORK = """
[networks.n]
kind = "macvlan"
parent = "{parent}"
subnets = [{{ subnet = "10.77.0.0/24", gateway = "10.77.0.1" }}, {{ subnet = "2001:db8:77::/64" }}]
"""


def network(parent: str = "eth0", *endpoints: str) -> str:
    return NETWORK.format(parent=parent) + "".join(endpoints)


def web(place: str = "", more: str = "", *, name: str = "web", host: int = 21) -> str:
    """An endpoint in a namespace of its own, or in one that is there."""
    where = f'place = "{place}"' if place else ""
    return f"""
[namespaces.{name}]
{where}
[namespaces.{name}.interfaces.eth0]
network = "n"
addresses = ["10.77.0.{host}", "2001:db8:77::{host}"]
{more}
"""


def mac(number: int) -> str:
    return f'mac = "02:00:00:00:00:0{number}"'


def link(name: str, more: str, kind: str = "macvlan") -> str:
    parent = 'parent = "eth0"' if kind in ("macvlan", "vlan") else ""
    return f'[links.{name}]\nkind = "{kind}"\n{parent}\n{more}\n'


def pair(name: str, peer: str, more: str = "") -> str:
    return link(name, f'peer = {{ name = "{peer}" }}\n{more}', "veth")


def vlan(name: str, number: int, more: str = "") -> str:
    return link(name, f"id = {number}\n{more}", "vlan")


SHIM = """
[networks.n]
kind = "macvlan"
parent = "eth0"
subnets = [{{ subnet = "192.0.2.0/24", ip_range = "192.0.2.192/26" }}]
shim = {shim}
[namespaces.b.interfaces.eth0]
network = "n"
addresses = ["192.0.2.200"]
"""


def shim(written: str, *more: str) -> str:
    return SHIM.format(shim=written) + "".join(more)


def on_vlan(parent: str, *links: str) -> str:
    return "".join(links) + network(parent, web())


def handed_on(x: int, y: int) -> str:
    return on_vlan("x", vlan("x", x), vlan("y", y)).replace("10.77.", f"10.{x}.")


def case(name: str, before: str, after: str, *needs: str, asks: bool = False) -> Any:
    """``asks``: the LAN is asked about addresses."""
    marks = [pytest.mark.needs(*needs)] if needs else []
    return pytest.param(before, after, asks, id=name.replace(" ", "-"), marks=marks)


IN_PROCESS = '[namespaces.web]\nplace = "p0/pid"\n'
DEFAULTS = '[namespaces.web.sysctls]\n"net.ipv4.conf.default.arp_ignore" = 1\n'
OF_LINK = '"net.ipv4.conf.eth0.arp_ignore" = 2\n'


def sysctls(**values: int) -> str:
    """Those of web: ``ipv6__default__hop_limit`` is net.ipv6.conf.default.hop_limit."""
    words = (key.split("__") for key in values)
    keys = [f"net.{family}.conf.{of}.{key}" for family, of, key in words]
    rows = [f'"{key}" = {value}' for key, value in zip(keys, values.values(), strict=True)]
    return "[namespaces.web.sysctls]\n" + "\n".join(rows) + "\n"


ON_HOST = '[host]\nsysctls = { "net.ipv4.conf.default.log_martians" = 1 }\n'
ON_V0 = '[links.m0]\nkind = "macvlan"\nparent = "v0"\naddresses = ["10.31.0.1/24"]\n'
ON_L2 = '[links.l0]\nkind = "macvlan"\nparent = "l2"\naddresses = ["10.32.0.1/24"]\n'
BY_L3 = '[host]\nroutes = [{ to = "10.98.0.0/16", dev = "l3" }]\n'


def two_macs(*names: str) -> str:
    return "[namespaces.web]\n" + "".join(
        f'[namespaces.web.interfaces.{name}]\nkind = "macvlan"\nparent = "eth0"\n{mac(number)}\n'
        for number, name in enumerate(names, 1)
    )


PAIRS = [
    # 1: namespaces given by pid and path
    case(
        "to another process",
        network("eth0", web("p0/pid")),
        network("eth0", web("p1/pid")),
    ),
    case(
        "to another process with another mac",
        network("eth0", web("p0/pid")),
        network("eth0", web("p1/pid", mac(9))),
    ),
    case(
        "from a process to a namespace of ours",
        network("eth0", web("p0/pid")),
        network("eth0", web()),
    ),
    case(
        "from a namespace of ours to a process",
        network("eth0", web()),
        network("eth0", web("p0/pid")),
    ),
    case(
        "from a process to the path of another",
        network("eth0", web("p0/pid")),
        network("eth0", web("p1/path")),
    ),
    case(
        "from a process to its path",
        network("eth0", web("p0/pid")),
        network("eth0", web("p0/path")),
    ),
    case(
        "the process leaves the file",
        network("eth0", web("p0/pid"), web(name="b", host=22)),
        network("eth0", web(name="b", host=22)),
    ),
    case(
        "two processes swap",
        network("eth0", web("p0/pid"), web("p1/pid", name="b", host=22)),
        network("eth0", web("p1/pid"), web("p0/pid", name="b", host=22)),
    ),
    case(
        "a process under another name",
        network("eth0", web("p0/pid")),
        network("eth0", web("p0/pid", name="b")),
    ),
    case(
        "from a namespace that is there to a process",
        network("eth0", web(name="kept")),
        network("eth0", web("p0/pid", name="b")),
    ),
    # 2: parents that get another name, id, or are made anew
    case(
        "implicit to explicit vlan",
        on_vlan("eth0.50"),
        on_vlan("v50", vlan("v50", 50)),
        "vlan",
        asks=True,
    ),
    case(
        "explicit to implicit vlan",
        on_vlan("v50", vlan("v50", 50)),
        on_vlan("eth0.50"),
        "vlan",
        asks=True,
    ),
    case(
        "a vlan is renamed",
        on_vlan("v50", vlan("v50", 50)),
        on_vlan("lan50", vlan("lan50", 50)),
        "vlan",
        asks=True,
    ),
    case(
        "vlan ids are handed on",
        handed_on(50, 60),
        handed_on(60, 70),
        "vlan",
        asks=True,
    ),
    case("vlan ids are swapped", handed_on(50, 60), handed_on(60, 50), "vlan", asks=True),
    case(
        "vlan names are swapped",
        on_vlan("x", vlan("x", 50), vlan("y", 60)),
        on_vlan("x", vlan("x", 60), vlan("y", 50)),
        "vlan",
        asks=True,
    ),
    case(
        "a parent shrinks under links that leave",
        pair("v0", "v1") + network("v0", web()),
        pair("v0", "v1", "mtu = 1400") + ON_V0 + "[namespaces.web]\n",
        asks=True,
    ),
    case(
        "another peer and a network on it",
        pair("v0", "v1"),
        pair("v0", "v9") + network("v0", web()),
        asks=True,
    ),
    case(
        "another kind and a network on it",
        link("v0", ""),
        pair("v0", "v1") + network("v0", web()),
        asks=True,
    ),
    case(
        "the peer turned and a network on it",
        pair("v0", "v1"),
        pair("v1", "v0") + network("v1", web()),
    ),
    case(
        "a parent is renamed with what is on it",
        pair("v0", "v1") + network("v0", web()),
        pair("v5", "v1") + network("v5", web()),
    ),
    # 3: values that are handed on
    case(
        "macs swapped",
        network("eth0", web("", mac(1)), web("", mac(2), name="b", host=22)),
        network("eth0", web("", mac(2)), web("", mac(1), name="b", host=22)),
    ),
    case(
        "a mac handed on",
        network("eth0", web("", mac(1)), web("", mac(2), name="b", host=22)),
        network("eth0", web("", mac(2)), web("", mac(3), name="b", host=22)),
    ),
    case(
        "macs in a ring",
        "".join(link(f"l{n}", mac(n + 1)) for n in range(3)),
        "".join(link(f"l{n}", mac((n + 1) % 3 + 1)) for n in range(3)),
    ),
    case(
        "a mac moves to the host",
        network("eth0", web("", mac(1))),
        link("l0", mac(1)) + network("eth0", web("", mac(2))),
    ),
    case(
        "altnames swapped",
        link("l0", 'altnames = ["wan", "x"]') + link("l1", 'altnames = ["lan"]'),
        link("l0", 'altnames = ["lan", "x"]') + link("l1", 'altnames = ["wan"]'),
    ),
    case(
        "an altname handed on",
        link("l0", 'altnames = ["wan"]') + link("l1", 'altnames = ["lan"]'),
        link("l0", 'altnames = ["lan"]') + link("l1", 'altnames = ["dmz"]'),
    ),
    case(
        "an altname becomes a name",
        link("l0", 'altnames = ["wan"]'),
        link("l0", "") + link("wan", ""),
    ),
    case(
        "a name becomes an altname",
        link("l0", "") + link("wan", ""),
        link("l0", 'altnames = ["wan"]'),
    ),
    case(
        "addresses swapped",
        network("eth0", web(), web(name="b", host=22)),
        network("eth0", web(host=22), web(name="b", host=21)),
    ),
    # 6: shims
    case(
        "a shim and an own address in its range that goes",
        shim("true", IN_RANGE := link("mv0", 'addresses = ["192.0.2.230/24"]')),
        shim("true"),
    ),
    case("a shim and an own address in its range that comes", shim("true"), shim("true", IN_RANGE)),
    case(
        "a shim with an address is renamed",
        shim('{ name = "shim0", addresses = ["192.0.2.250"] }'),
        shim('{ name = "shimX", addresses = ["192.0.2.250"] }'),
    ),
    case("a shim on", shim("false"), shim("true")),
    case("a shim off", shim("true"), shim("false")),
    # 9: addresses and the routes that they carry
    case(
        "the first of two addresses goes",
        network("eth0", web().replace('21", "', '21", "10.77.0.31", "', 1)),
        network("eth0", web(host=31).replace("::31", "::21")),
    ),
    case(
        "the only address becomes another",
        network("eth0", web()),
        network("eth0", web(host=22)),
    ),
    case(
        "two addresses change places",
        network("eth0", web().replace('21", "', '21", "10.77.0.31", "', 1)),
        network("eth0", web(host=31).replace('31", "', '31", "10.77.0.21", "', 1)).replace(
            "::31", "::21"
        ),
    ),
    # 13: a MAC that changes in place
    case(
        "a mac that changes",
        network("eth0", web("", mac(1))),
        network("eth0", web("", mac(2))),
    ),
    case(
        "a mac on an interface that slaac fills",
        network("eth0", web("", 'ipv6 = "slaac"')),
        network("eth0", web("", f'ipv6 = "slaac"\n{mac(2)}')),
    ),
    # found by random edits
    case(
        "the namespace of a peer becomes a process",
        link("l0", 'peer = { name = "l4", namespace = "web" }', "veth") + "[namespaces.web]\n",
        link("l0", 'peer = { name = "l4", namespace = "web" }', "veth") + IN_PROCESS,
    ),
    case(
        "a process with sysctls under another name",
        network("eth0", web("p0/pid", DEFAULTS)),
        network("eth0", web("p0/pid", DEFAULTS.replace("web", "b"), name="b")),
    ),
    case(
        "a process with sysctls leaves its name to a namespace of ours",
        network("eth0", web("p0/pid", DEFAULTS)),
        network("eth0", web("", DEFAULTS)),
    ),
    case(
        "to another process with the same sysctls",
        network("eth0", web("p0/path", DEFAULTS)),
        network("eth0", web("p1/path", DEFAULTS)),
    ),
    case("an empty namespace becomes a process", "[namespaces.web]\n", IN_PROCESS),
    case(
        "a default sysctl under a link that lives",
        network("eth0", web()),
        network("eth0", web(), DEFAULTS),
    ),
    case(
        "a default sysctl taken from a link that lives",
        network("eth0", web(), DEFAULTS),
        network("eth0", web()),
    ),
    case(
        "a default sysctl under a link without addresses",
        two_macs("eth0", "eth1"),
        two_macs("eth0", "eth1") + DEFAULTS,
    ),
    case(
        "a default sysctl in the place of a links own",
        network("eth0", web(), DEFAULTS + OF_LINK),
        network("eth0", web(), DEFAULTS),
    ),
    case(
        "a links own sysctl goes with the default",
        network("eth0", web(), DEFAULTS + OF_LINK),
        network("eth0", web()),
    ),
    case(
        "a link made anew keeps its own sysctl",
        network("eth0", web(), DEFAULTS + OF_LINK),
        network("eth1", web(), DEFAULTS + OF_LINK),
    ),
    case(
        "ipv6 defaults under a link that lives",
        network("eth0", web()),
        network("eth0", web(), sysctls(ipv6__default__hop_limit=9, ipv6__default__accept_ra=2)),
    ),
    case(
        "other ipv6 defaults under a link that lives",
        network("eth0", web(), sysctls(ipv6__default__hop_limit=9, ipv6__default__forwarding=1)),
        network("eth0", web(), sysctls(ipv6__default__hop_limit=8)),
    ),
    case(
        "forwarding of new links under forwarding of all",
        network("eth0", web()),
        network("eth0", web(), sysctls(ipv4__all__forwarding=1, ipv4__default__forwarding=0)),
    ),
    case(
        "ipv6 off for all and on for a link",
        network("eth0", web()),
        network("eth0", web(), sysctls(ipv6__all__disable_ipv6=1)),
    ),
    case(
        "ipv6 no longer off for all",
        network("eth0", web(), sysctls(ipv6__all__disable_ipv6=1)),
        network("eth0", web()),
    ),
    case(
        "ipv6 on for all and off for a link",
        network("eth0", web().replace(', "2001:db8:77::21"', ""))
        + sysctls(ipv6__all__disable_ipv6=1),
        network("eth0", web().replace(', "2001:db8:77::21"', "")),
    ),
    case(
        "no link-local addresses",
        network("eth0", web()),
        network("eth0", web(), sysctls(ipv6__all__addr_gen_mode=1)),
    ),
    case(
        "link-local addresses again",
        network("eth0", web(), sysctls(ipv6__default__addr_gen_mode=1)),
        network("eth0", web()),
    ),
    case(
        "slaac by other defaults",
        network("eth0", web("", 'ipv6 = "slaac"')),
        network("eth0", web("", 'ipv6 = "slaac"'), sysctls(ipv6__default__autoconf=0)),
    ),
    case(
        "a default of the host under a link that lives",
        network("eth0", link("l0", 'addresses = ["10.31.0.1/24"]')),
        network("eth0", link("l0", 'addresses = ["10.31.0.1/24"]'), ON_HOST),
    ),
    case(
        "a default of the host taken from a link that lives",
        network("eth0", link("l0", 'addresses = ["10.31.0.1/24"]'), ON_HOST),
        network("eth0", link("l0", 'addresses = ["10.31.0.1/24"]')),
    ),
    case(
        "all addresses under a route of the host",
        pair("l3", "l4", 'addresses = ["10.31.0.2/24", "10.31.0.1/24"]') + BY_L3,
        pair("l3", "l4", 'addresses = ["10.32.0.1/24"]') + BY_L3,
    ),
    case(
        "names of interfaces swapped with their macs",
        two_macs("eth0", "eth1"),
        two_macs("eth1", "eth0"),
    ),
    case(
        "a network moves off a pair that changes its peer",
        pair("l0", "l4") + network("l0", web()),
        pair("l0", "l1") + network("eth0", web()),
    ),
    case(
        "a network moves onto a pair that changes its peer",
        pair("l0", "l4") + network("eth0", web()),
        pair("l0", "l1") + network("l0", web()),
        asks=True,
    ),
    case(
        "an address goes from a parent to what is on it",
        pair("l2", "l5", 'addresses = ["10.32.0.1/24"]'),
        pair("l2", "l5") + ON_L2,
    ),
    case(
        "static to slaac",
        network("eth0", web()),
        network("eth0", web("", 'ipv6 = "slaac"')),
    ),
]


def tables(text: str) -> dict[str, Any]:
    found = {"networks": {}, "links": {}, "namespaces": {}, "host": {}} | tomllib.loads(text)
    return found | {"topology": {"name": "edited"}}


@pytest.mark.needs("macvlan")
@pytest.mark.parametrize(("before", "after", "asks"), PAIRS)
def test_an_edit_comes_to_what_the_file_says(before: str, after: str, *, asks: bool) -> None:
    found = Pair(tables(before), tables(after), ())
    for one in (found.before, found.after):
        ask_lan(one, QUICK if asks else False)
    went_well(found)
