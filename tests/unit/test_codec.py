"""Operations to bytes and back; the readers: the codec, pyroute2's own classes, struct."""

import ipaddress
import re
import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ifinfmsg.plugins.ipvlan import ipvlan as plain_ipvlan
from pyroute2.netlink.rtnl.ifinfmsg.plugins.vlan import vlan as plain_vlan
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from tests.unit import encoded_by_pyroute2
from tests.unit.golden import Case, case_names
from tests.unit.options import common, macs, options, values
from vlanlink.host import is_topology_name
from vlanlink.kernel import netlink
from vlanlink.kernel.marks import PROTOCOL, Marks
from vlanlink.kernel.netlink import decode_link
from vlanlink.kernel.netlink.bridges import open_vlans
from vlanlink.kernel.netlink.constants import AF_BRIDGE
from vlanlink.kernel.netlink.encode import (
    UnknownSettingError,
    bare_link,
    encode,
    mark_loopback,
    remove_group,
)
from vlanlink.kinds import COMMON, KINDS, InterfaceFlag, Kind, Number, Option
from vlanlink.kinds.common import TOKEN
from vlanlink.model import HOST, Address, Link, LinkName, Route, Setting, self_vlan
from vlanlink.planning.operations import (
    AddAddress,
    AddRoute,
    MakeLink,
    MakeNamespace,
    Operation,
    RemoveAddress,
    RemoveFile,
    RemoveLink,
    RemoveNamespace,
    RemoveRoute,
    SetLink,
    WriteFile,
    WriteSysctl,
)

FILES = {"web": 7, "lab": 8}
MARKS = Marks(1)
NO_MESSAGES = (MakeNamespace, RemoveFile, RemoveNamespace, WriteFile, WriteSysctl)

kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))


def messages(operation: Operation, files: dict[str, int] = FILES) -> list[bytes]:
    return [bytes(message) for message in encode(operation, files, MARKS)]


def only(operation: Operation) -> bytes:
    (message,) = messages(operation)
    return message


def parsed(cls: Any, message: bytes) -> Any:
    found = cls(message)
    found.decode()
    return found


def make(kind: Kind, settings: dict[str, Setting], **more: Any) -> MakeLink:
    parent = LinkName(HOST, "eth0") if kind.has_parent else None
    link = Link("l0", kind.name, parent=parent, settings=settings, owner="office", index=10_000)
    link = replace(link, parent_index=5 if parent else 0, **more)
    peer = replace(link, name="l1", index=10_001) if kind.has_peer else None
    return MakeLink(namespace=link.namespace, link=link, peer=peer)


# -- TLVs, read by hand --------------------------------------------------------------------------

HEADER = 16
BODY = {16: 16, 17: 16, 19: 16, 20: 8, 21: 8, 24: 12, 25: 12, 108: 16, 109: 16}


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and value of each attribute in a stretch of bytes (struct nlattr)."""
    while data:
        length, number = struct.unpack_from("=HH", data)
        yield number & 0x3FFF, data[4:length]
        data = data[(length + 3) & ~3 :]


def top(message: bytes) -> dict[int, bytes]:
    (kind,) = struct.unpack_from("=H", message, 4)
    return dict(attributes(message[HEADER + BODY[kind] :]))


def info_data(message: bytes) -> dict[int, bytes]:
    """IFLA_LINKINFO, IFLA_INFO_DATA."""
    return dict(attributes(dict(attributes(top(message)[18]))[2]))


# -- kinds ---------------------------------------------------------------------------------------


@kinds
@given(data=st.data())
def test_options_round_trip(kind: Kind, data: st.DataObject) -> None:
    asked = data.draw(options(kind))
    seen = decode_link(only(make(kind, {**asked})))
    assert seen.kind == kind.name
    assert {key: seen.settings[key] for key in asked} == asked


@kinds
@given(data=st.data())
def test_options_of_a_living_link_round_trip(kind: Kind, data: st.DataObject) -> None:
    asked = {key: value for key, value in data.draw(options(kind)).items() if _live(kind, key)}
    old = {key: data.draw(values(option)) for key in asked if (option := kind.option(key))}
    operation = set_link(kind.name, {**asked}, old={**old}, options={**asked})
    found = messages(operation)
    seen = decode_link(found[0]).settings if found else {}
    for key, value in asked.items():
        assert left(seen.get(key, ())) == value, key  # no message where nothing changes


def left(value: Setting) -> object:
    """What a list comes to: pairs that are mapped to 0 are taken away."""
    if not isinstance(value, tuple):
        return value
    return tuple(item for item in value if not isinstance(item, tuple) or item[1])


def _option(kind: Kind, key: str) -> Option | None:
    return next((option for option in (*kind.options, *COMMON) if option.key == key), None)


def _live(kind: Kind, key: str) -> bool:
    option = _option(kind, key)
    return option is not None and option.live


def set_link(kind: str, new: dict[str, Setting], **more: Any) -> SetLink:
    empty: dict[str, Any] = {"old": {}, "namespace": HOST, "name": "l0", "index": 10_000}
    return SetLink(kind=kind, new=new, **(empty | more))


@kinds
def test_numbers_at_their_bounds_round_trip(kind: Kind) -> None:
    needed: dict[str, Setting] = {"id": 1} if kind.option("id") else {}
    for option in (*kind.options, *COMMON):
        if isinstance(option, Number):
            for value in (option.minimum, option.maximum):
                seen = decode_link(only(make(kind, {**needed, option.key: value})))
                assert seen.settings[option.key] == value


def plain(cls: Any, message: bytes) -> Any:
    """What one of pyroute2's own classes reads in IFLA_INFO_DATA."""
    data = dict(attributes(top(message)[18]))[2]
    found = cls(struct.pack("=HH", len(data) + 4, 2) + data)
    found.decode()
    return found


def test_vlan_as_pyroute2_reads_it() -> None:
    settings: dict[str, Setting] = {
        "id": 4094,
        "protocol": "802.1ad",
        "gvrp": True,
        "reorder_hdr": False,
        "ingress_qos": ((1, 5),),
        "egress_qos": ((2, 6),),
    }
    found = plain(plain_vlan, only(make(KINDS["vlan"], settings)))
    assert found.get_attr("IFLA_VLAN_ID") == 4094
    assert found.get_attr("IFLA_VLAN_PROTOCOL") == 0x88A8
    assert found.get_attr("IFLA_VLAN_FLAGS")["flags"] == 2
    assert found.get_attr("IFLA_VLAN_FLAGS")["mask"] == 3
    ingress = found.get_attr("IFLA_VLAN_INGRESS_QOS").get_attr("IFLA_VLAN_QOS_MAPPING")
    egress = found.get_attr("IFLA_VLAN_EGRESS_QOS").get_attr("IFLA_VLAN_QOS_MAPPING")
    assert (ingress["from"], ingress["to"], egress["from"], egress["to"]) == (1, 5, 2, 6)


def test_macvlan_as_pyroute2_reads_it() -> None:
    mac = "02:00:00:00:00:30"
    message = only(make(KINDS["macvlan"], {"mode": "source", "source_macs": (mac,)}))
    found = plain(ifinfmsg.ifinfo.macvlan_data, message)
    assert found.get_attr("IFLA_MACVLAN_MODE") == "source"
    assert found.get_attr("IFLA_MACVLAN_MACADDR_MODE") == "set"
    entries = found.get_attr("IFLA_MACVLAN_MACADDR_DATA")
    assert entries.get_attr("IFLA_MACVLAN_MACADDR") == mac


def test_ipvlan_as_pyroute2_reads_it() -> None:
    found = plain(plain_ipvlan, only(make(KINDS["ipvlan"], {"mode": "l3", "flag": "vepa"})))
    assert found.get_attr("IFLA_IPVLAN_MODE") in (1, "l3")


def test_what_pyroute2_does_not_know_is_sent_all_the_same() -> None:
    message = only(make(KINDS["macvlan"], {"mode": "bridge", "bc_queue_len": 5000}))
    assert struct.unpack("=I", info_data(message)[7]) == (5000,)
    message = only(make(KINDS["ipvlan"], {"mode": "l3s", "flag": "private"}))
    assert info_data(message) == {1: struct.pack("=H", 2), 2: struct.pack("=H", 1)}


def test_only_what_was_asked_for_is_sent() -> None:
    message = only(make(KINDS["vlan"], {"id": 5}))
    assert set(info_data(message)) == {1}
    assert set(top(message)) == {3, 5, 18, 27}  # IFNAME, LINK, LINKINFO, GROUP
    message = only(make(KINDS["dummy"], {}))
    assert dict(attributes(top(message)[18])) == {1: b"dummy\0"}


def test_pairs_that_are_not_wanted_any_more_are_mapped_to_0() -> None:
    old: dict[str, Setting] = {"egress_qos": ((1, 2), (3, 4))}
    new: dict[str, Setting] = {"egress_qos": ((3, 5),)}
    (message,) = messages(set_link("vlan", new, old=old, options=new))
    assert decode_link(message).settings["egress_qos"] == ((1, 0), (3, 5))


def test_a_list_of_macs_is_replaced_or_flushed() -> None:
    for new, command in (((), 2), (("02:00:00:00:00:01",), 3)):
        wish: dict[str, Setting] = {"source_macs": new}
        (message,) = messages(
            set_link("macvlan", wish, old=wish, options={**wish, "mode": "source"})
        )
        assert struct.unpack("=I", info_data(message)[3]) == (command,)
        assert decode_link(message).settings["mode"] == "source"  # always sent: the default is not
        assert (5 in info_data(message)) == bool(new)


# -- links ---------------------------------------------------------------------------------------


def test_a_link_is_made_marked_in_its_namespace_with_its_number() -> None:
    settings: dict[str, Setting] = {"mode": "bridge", "mtu": 1400, "mac": "02:42:00:00:00:01"}
    operation = make(KINDS["macvlan"], settings, namespace="web")
    assert operation.socket == HOST
    found = parsed(ifinfmsg, only(operation))
    assert found["header"]["type"] == 16
    assert found["header"]["flags"] == 0x1 | 0x4 | 0x200 | 0x400  # REQUEST ACK EXCL CREATE
    assert found["index"] == 10_000
    assert found["flags"] == 0
    assert found.get_attr("IFLA_IFNAME") == "l0"
    assert found.get_attr("IFLA_LINK") == 5
    assert found.get_attr("IFLA_MTU") == 1400
    assert found.get_attr("IFLA_ADDRESS") == "02:42:00:00:00:01"
    assert found.get_attr("IFLA_GROUP") == MARKS.group("office")
    assert found.get_attr("IFLA_NET_NS_FD") == 7


def test_no_mac_is_sent_where_the_parent_has_the_say() -> None:
    for name, mode in (("macvlan", "passthru"), ("ipvlan", "l2")):
        settings: dict[str, Setting] = {"mode": mode, "mac": "02:42:00:00:00:01"}
        assert 1 not in top(only(make(KINDS[name], settings)))


def test_a_pair_is_made_by_one_request() -> None:
    link = Link("v0", "veth", "web", owner="office", index=10_000)
    link = replace(link, settings={"mtu": 1400}, peer=LinkName("lab", "v1"))
    peer = Link("v1", "veth", "lab", owner="office", index=10_001)
    peer = replace(peer, settings={"mac": "02:42:00:00:00:02"}, peer=link.key)
    operation = MakeLink(namespace="web", link=link, peer=peer)
    assert operation.socket == "web"
    outer = top(only(operation))
    assert 28 not in outer  # made where it is asked for: no IFLA_NET_NS_FD
    assert struct.unpack("=I", outer[4]) == (1400,)
    inner = dict(attributes(dict(attributes(outer[18]))[2]))[1]  # VETH_INFO_PEER
    assert struct.unpack_from("=i", inner, 4) == (10_001,)
    there = dict(attributes(inner[16:]))
    assert there[3] == b"v1\0"
    assert there[1].hex(":") == "02:42:00:00:00:02"
    assert struct.unpack("=I", there[28]) == (8,)
    assert struct.unpack("=I", there[27]) == (MARKS.group("office"),)


@given(up=st.booleans(), mtu=st.integers(68, 65535), mac=macs)
def test_settings_of_a_living_link(up: bool, mtu: int, mac: str) -> None:
    new: dict[str, Setting] = {"up": up, "mtu": mtu, "mac": mac}
    seen = decode_link(only(set_link("dummy", new, owner="office")))
    assert {key: seen.settings[key] for key in new} == new
    assert (seen.group, seen.alias, seen.index) == (
        MARKS.group("office"),
        MARKS.alias("office"),
        10_000,
    )


def test_up_is_left_alone_where_it_is_not_asked_for() -> None:
    found = parsed(ifinfmsg, only(set_link("dummy", {"mtu": 1400})))
    assert (found["flags"], found["change"]) == (0, 0)
    found = parsed(ifinfmsg, only(set_link("dummy", {"up": False})))
    assert (found["flags"], found["change"]) == (0, 1)
    assert found.get_attr("IFLA_GROUP") is None


@given(
    old=st.sets(st.sampled_from(["a", "b", "c"])),
    new=st.sets(st.sampled_from(["b", "c", "d" * 99])),
)
def test_altnames(old: set[str], new: set[str]) -> None:
    wish: dict[str, Setting] = {"altnames": tuple(sorted(new))}
    operation = set_link("dummy", wish, old={"altnames": tuple(sorted(old))})
    there = set(old)
    for message in messages(operation):
        found = parsed(ifinfmsg, message)
        names = set(found.get_attr("IFLA_PROP_LIST").get_attrs("IFLA_ALT_IFNAME"))
        assert found["index"] == 10_000
        if found["header"]["type"] == 109:
            there -= names
        else:
            assert found["header"]["type"] == 108
            there |= names
    assert there == new


def test_a_link_is_removed_by_its_number() -> None:
    operation = RemoveLink(namespace="web", name="l0", kind="dummy", index=10_000)
    found = parsed(ifinfmsg, only(operation))
    assert (found["header"]["type"], found["index"], found["attrs"]) == (17, 10_000, [])


@pytest.mark.parametrize("name", case_names())
def test_golden_operations_are_encoded_whole(name: str) -> None:
    """What a plan says that it sets is in its messages, also what goes back to a default."""
    for operation in Case(name).todo.operations:
        if isinstance(operation, SetLink):
            judge_set_link(operation)


def judge_set_link(operation: SetLink) -> None:
    seen: dict[str, Setting] = {}
    for message in messages(operation):
        kind = struct.unpack_from("=H", message, 4)[0]
        if message[HEADER] == AF_BRIDGE:
            vlans = {self_vlan(vlan): kind == 19 for vlan in open_vlans(message)[1]}
            assert vlans.keys() <= operation.new.keys()
            seen |= vlans
        elif kind in (16, 19):
            found = {k: v for k, v in decode_link(message).settings.items() if v is not None}
            parts = top(message)
            (mask,) = struct.unpack_from("=I", message, HEADER + 12)
            keys = set(operation.new) & _option_keys(operation) if 18 in parts else set()
            keys |= {option.key for option in COMMON if option.attribute in parts}
            keys |= {o.key for o in COMMON if isinstance(o, InterfaceFlag) and o.bit & mask}
            seen |= {key: found[key] for key in keys}
    for key in set(operation.new) - {"altnames", TOKEN}:  # the oracle judges that one
        assert left(seen[key]) == operation.new[key], f"{operation.describe()}: {key}"


def _option_keys(operation: SetLink) -> set[str]:
    kind = KINDS.get(operation.kind)
    return {option.key for option in kind.options} if kind else set()


# -- addresses and routes ------------------------------------------------------------------------

interfaces = st.one_of(
    st.builds(lambda ip, n: f"{ip}/{n}", st.ip_addresses(v=4), st.integers(0, 32)),
    st.builds(lambda ip, n: f"{ip}/{n}", st.ip_addresses(v=6), st.integers(0, 128)),
)


@given(text=interfaces)
def test_addresses_round_trip(text: str) -> None:
    address = Address(text)
    operation = AddAddress(namespace="web", dev="eth0", index=12, address=address)
    message = only(operation)
    index, seen = netlink.decode_address(message, protocols=True)
    assert (index, seen, seen.ours) == (12, address, True)
    found = parsed(ifaddrmsg, message)
    assert found["header"]["type"] == 20
    assert found["prefixlen"] == int(text.partition("/")[2])
    for name in ("IFA_LOCAL", "IFA_ADDRESS"):
        assert str(ipaddress.ip_address(found.get_attr(name))) == address.bare
    assert found.get_attr("IFA_PROTO") == PROTOCOL
    # No duplicate detection by the kernel: it would hold the address back for a second.
    assert found.get_attr("IFA_FLAGS") == (2 if address.family == 6 else 0)


@given(text=interfaces)
def test_an_address_that_is_given_back_bears_no_mark(text: str) -> None:
    address = Address(text)
    operation = AddAddress(namespace="", dev="eth0", index=12, address=address, restored=True)
    _, seen = netlink.decode_address(only(operation), protocols=True)
    assert (seen, seen.ours) == (address, False)


@given(text=interfaces)
def test_addresses_are_removed_by_what_they_are(text: str) -> None:
    operation = RemoveAddress(namespace="web", dev="eth0", index=12, address=Address(text))
    message = only(operation)
    assert parsed(ifaddrmsg, message)["header"]["type"] == 21
    index, seen = netlink.decode_address(message, protocols=True)
    assert (index, seen.text) == (12, text)


@pytest.mark.parametrize(
    ("text", "other", "sent"),
    [
        ("10.0.0.1/24", None, "10.0.0.255"),
        ("10.0.0.1/24", "10.0.0.0", "10.0.0.0"),
        ("10.0.0.1/24", "", None),
        ("10.0.0.1/31", None, None),
        ("10.0.0.1/32", None, None),
        ("2001:db8::1/64", None, None),
    ],
)
def test_an_ipv4_address_has_the_broadcast_address_of_its_subnet(
    text: str, other: str | None, sent: str | None
) -> None:
    address = Address(text, other)
    message = only(AddAddress(namespace="web", dev="eth0", index=12, address=address))
    assert parsed(ifaddrmsg, message).get_attr("IFA_BROADCAST") == sent
    assert netlink.decode_address(message, protocols=True) == (12, address)


def _route(draw: st.DrawFn) -> Route:
    version: Literal[4, 6] = draw(st.sampled_from([4, 6]))
    ips = st.ip_addresses(v=version).map(str)
    bits = 32 if version == 4 else 128
    network = ipaddress.ip_network(
        (draw(st.ip_addresses(v=version)), draw(st.integers(0, bits))), False
    )
    number = st.integers(0, 0xFFFFFFFF)
    return Route(
        to=str(network),
        dev="eth0",
        via=draw(st.none() | ips),
        metric=draw(number),
        src=draw(st.none() | ips),
        table=draw(st.integers(1, 254) | st.integers(256, 0xFFFFFFFF)),
        onlink=draw(st.booleans()),
    )


@given(route=st.composite(_route)())
def test_routes_round_trip(route: Route) -> None:
    message = only(AddRoute(namespace="web", route=route, index=12))
    seen = netlink.decode_route(message, {12: "eth0"})
    assert seen == route
    assert seen is not None
    assert seen.ours
    found = parsed(rtmsg, message)
    assert found["header"]["type"] == 24
    assert found["dst_len"] == int(route.to.partition("/")[2])
    assert found["scope"] == (253 if route.via is None and route.family == 4 else 0)
    removal = parsed(rtmsg, only(RemoveRoute(namespace="web", route=route, index=12)))
    assert removal["header"]["type"] == 25
    assert removal["proto"] == PROTOCOL  # of two equal routes ours goes
    for name in ("RTA_DST", "RTA_OIF", "RTA_GATEWAY", "RTA_TABLE", "RTA_PRIORITY", "RTA_PREFSRC"):
        assert removal.get_attr(name) == found.get_attr(name)


def test_routes_of_no_concern_are_not_seen() -> None:
    def seen(names: dict[int, str], **body: int) -> Route | None:
        route = Route("10.0.0.0/8", "eth0", table=body.pop("rta_table", 254))
        message = bytearray(only(AddRoute(namespace="", route=route, index=12)))
        for at, value in body.items():
            struct.pack_into("=B", message, {"type": 23, "protocol": 21}[at], value)
        return netlink.decode_route(bytes(message), names)

    assert seen({12: "eth0"}) is not None
    assert seen({}) is None
    assert seen({12: "eth0"}, type=2) is None  # RTN_LOCAL
    assert seen({12: "eth0"}, rta_table=255) is not None  # ours
    assert seen({12: "eth0"}, rta_table=255, protocol=2) is None  # the kernel's


# -- dumps ---------------------------------------------------------------------------------------


def test_dumps_are_asked_for_as_pyroute2_would() -> None:
    ask = encoded_by_pyroute2.request
    mask: list[tuple[str, Any]] = [("IFLA_EXT_MASK", 8)]  # RTEXT_FILTER_SKIP_STATS
    assert netlink.dump_links() == ask(ifinfmsg, 18, 0x301, {}, mask)
    assert netlink.dump_addresses() == ask(ifaddrmsg, 22, 0x301, {}, [])
    for family, number in ((4, 2), (6, 10)):
        body = {"family": number, "type": 1}  # RTN_UNICAST
        assert netlink.dump_routes(family) == ask(rtmsg, 26, 0x301, body, [])


# -- as pyroute2 encodes them ----------------------------------------------------------------------


def by_pyroute2(operation: Operation, files: dict[str, int] = FILES) -> list[bytes]:
    return encoded_by_pyroute2.encode(operation, files, MARKS)


@pytest.mark.parametrize("name", case_names())
def test_golden_operations_are_encoded_as_pyroute2_does(name: str) -> None:
    operations = Case(name).todo.operations
    netlink = [op for op in operations if not isinstance(op, NO_MESSAGES)]
    spaces = {op.namespace for op in netlink} | {HOST}
    files = {space: 100 + number for number, space in enumerate(sorted(spaces))}
    for operation in netlink:
        sent = messages(operation, files)
        assert sent == by_pyroute2(operation, files)


@given(
    name=st.text("abc.-09", min_size=1, max_size=15),
    mac=macs,
    index=st.integers(1, 0x7FFFFFFF),
    interface=interfaces,
    route=st.composite(_route)(),
)
def test_operations_are_encoded_as_pyroute2_does(
    name: str, mac: str, index: int, interface: str, route: Route
) -> None:
    settings: dict[str, Setting] = {"mode": "bridge", "mac": mac}
    made = make(KINDS["macvlan"], settings, namespace="web", name=name, index=index)
    on: dict[str, Any] = {"namespace": "web", "index": index}
    for operation in (
        made,
        replace(set_link("macvlan", {"up": True}, owner="office"), index=index),
        AddAddress(dev="eth0", address=Address(interface), **on),
        RemoveAddress(dev="eth0", address=Address(interface), **on),
        AddRoute(route=route, **on),
        RemoveRoute(route=route, **on),
        RemoveLink(name=name, kind="macvlan", **on),
    ):
        assert messages(operation) == by_pyroute2(operation), operation


@kinds
@given(data=st.data())
def test_links_are_encoded_as_pyroute2_does(kind: Kind, data: st.DataObject) -> None:
    settings: dict[str, Setting] = {**data.draw(options(kind)), **data.draw(common())}
    made = make(kind, settings, namespace=data.draw(st.sampled_from(["web", HOST])))
    asked = {key: value for key, value in settings.items() if _live(kind, key)}
    old = {key: data.draw(values(option)) for key in asked if (option := _option(kind, key))}
    change = set_link(kind.name, asked, old=old, options=settings)
    if data.draw(st.booleans()):
        change = replace(change, owner="office")
    for operation in (made, change):
        assert messages(operation) == by_pyroute2(operation), operation


def test_other_requests_are_encoded_as_pyroute2_does() -> None:
    request = encoded_by_pyroute2.request
    group, alias = MARKS.group("office"), MARKS.alias("office")
    mark = [("IFLA_GROUP", group), ("IFLA_IFALIAS", alias)]
    up = {"index": 1, "flags": 1, "change": 1}
    assert mark_loopback("office", MARKS) == request(ifinfmsg, 19, 0x5, up, mark)
    assert remove_group(group) == request(ifinfmsg, 17, 0x5, {"index": 0}, mark[:1])
    info = {"attrs": [("IFLA_INFO_KIND", "ipvlan")]}
    assert bare_link("ipvlan") == request(ifinfmsg, 16, 0x605, {}, [("IFLA_LINKINFO", info)])


# -- refused, not dropped ------------------------------------------------------------------------


def test_a_setting_that_no_attribute_stands_for_is_refused() -> None:
    with pytest.raises(UnknownSettingError, match="macvlan has no id"):
        only(make(KINDS["macvlan"], {"mode": "bridge", "id": 5}))
    with pytest.raises(UnknownSettingError, match="ipvlan has no mtuu"):
        only(set_link("ipvlan", {"mtuu": 1500}))
    with pytest.raises(TypeError, match="mtu can't be 'big'"):
        only(set_link("dummy", {"mtu": "big"}))


def test_what_is_no_netlink_message_is_refused() -> None:
    with pytest.raises(TypeError):
        encode(MakeNamespace(namespace="web", owner="office"), FILES, MARKS)


# -- marks ---------------------------------------------------------------------------------------

names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,62}", fullmatch=True)


@given(name=names, other=names)
def test_marks_round_trip(name: str, other: str) -> None:
    group = MARKS.group(name)
    assert 0 <= group <= 0xFFFFFFFF
    assert MARKS.owner(group, MARKS.alias(name), ()) == (name, True)
    assert MARKS.owner(group, "", [other, name]) in {(name, False), (other, False)}
    unknown = f"?{group & 0xFFFFFF:06x}"
    assert MARKS.owner(group, "", []) == (unknown, True)
    # The alias alone is no mark: anybody can set one.
    assert MARKS.owner(0, MARKS.alias(name), [name]) == (None, True)
    if MARKS.group(other) != group:
        assert MARKS.owner(group, MARKS.alias(other), [name]) == (f"{unknown} {other}", True)


FORGED = (
    ".x",
    "..",
    "../../run/t/secret",
    "a/b",
    "\x1b]0;X\a",
    "a\nb",
    "x.toml",
    "-x",
    "é",
    "?",
    "",
)


@pytest.mark.parametrize("name", FORGED, ids=ascii)
def test_a_name_that_no_topology_can_have_is_none(name: str) -> None:
    owner, whole = MARKS.owner(MARKS.group(name), f"vlanlink:{name}", [])
    assert (owner, whole) == (f"?{MARKS.group(name) & 0xFFFFFF:06x}", True)


@given(
    group=st.integers(0x76000000, 0x76FFFFFF), alias=st.text() | st.text().map("vlanlink:".__add__)
)
def test_whatever_is_written_in_a_mark_no_other_name_comes_of_it(group: int, alias: str) -> None:
    owner, _ = MARKS.owner(group, alias, ["office"])
    assert owner is None or is_topology_name(re.sub(r"^\?[0-9a-f]{6} ?", "", owner) or "none")


@pytest.mark.parametrize("alias", ["do not touch", "vlanlink", " ", "VLANLINK:office"])
def test_a_link_with_an_alias_of_somebodys_own_is_theirs(alias: str) -> None:
    assert MARKS.owner(MARKS.group("office"), alias, ["office"]) == (None, True)


@given(name=names, other=st.integers(0, 1 << 64))
def test_another_hosts_marks_are_kept_as_they_are(name: str, other: int) -> None:
    """Though of one name the topologies are two; who passes such a mark on writes the same."""
    theirs = Marks(other)
    if theirs.group(name) == MARKS.group(name):
        return
    owner, whole = MARKS.owner(theirs.group(name), theirs.alias(name), [name])
    assert (owner, whole) == (f"?{theirs.group(name) & 0xFFFFFF:06x} {name}", True)
    assert MARKS.group(str(owner)) == theirs.group(name)
    assert MARKS.alias(str(owner)) == theirs.alias(name)
    assert theirs.owner(MARKS.group(str(owner)), MARKS.alias(str(owner)), []) == (name, True)


@given(group=st.integers(0, 0xFFFFFFFF))
def test_groups_of_others_are_no_marks(group: int) -> None:
    owner, _ = MARKS.owner(group, "", ())
    assert (owner is None) == (group >> 24 != 0x76)


def test_the_mark_of_a_namespace_stands_on_its_loopback() -> None:
    seen = decode_link(bytes(mark_loopback("office", MARKS)))
    assert (seen.index, seen.group, seen.alias) == (1, MARKS.group("office"), MARKS.alias("office"))
    assert seen.settings["up"] is True
