"""DHCP messages and what is read in them; pyroute2's classes are the oracle."""

import struct
from ipaddress import ip_interface

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.dhcp.dhcp4msg import dhcp4msg

from tests.unit.dhcp_server import SERVER, SERVER_MAC, Server
from vlanlink.dhcp.frames import build_frame, parse_frame
from vlanlink.dhcp.message import REQUEST, Kind, Message, Option, build, parse
from vlanlink.dhcp.state import packed
from vlanlink.dhcp.terms import MOST_ROUTES, read_terms
from vlanlink.store.dhcp_leases import FOREVER, DhcpLease

MAC = bytes.fromhex("0242ac10030f")
ASKED = Message(REQUEST, 0x1234, MAC, {Option.KIND: bytes([Kind.DISCOVER])})
IPV4 = st.integers(0, 0xFFFFFFFF).map(lambda number: ".".join(map(str, number.to_bytes(4, "big"))))
OPTIONS = st.dictionaries(st.integers(1, 254).filter(lambda n: n != 52), st.binary(max_size=600))


def lease(**options: bytes) -> DhcpLease | str:
    """What is read in an OFFER with options by their names."""
    server = Server(options={int(Option[name]): value for name, value in options.items()})
    return read_terms(server.reply(Kind.OFFER, ASKED), SERVER_MAC, 100.0)


def good(**options: bytes) -> DhcpLease:
    found = lease(**options)
    assert isinstance(found, DhcpLease), found
    return found


@given(st.integers(0, 0xFFFFFFFF), OPTIONS, IPV4, IPV4, st.integers(0, 0xFFFF))
def test_a_message_comes_back_as_it_was(
    xid: int, options: dict[int, bytes], client: str, yours: str, seconds: int
) -> None:
    message = Message(2, xid, MAC, options, seconds=seconds, client=client, yours=yours)
    assert parse(build(message)) == message


@given(st.integers(0, 0xFFFFFFFF), IPV4, IPV4)
def test_pyroute2_reads_the_same(xid: int, asked: str, server: str) -> None:
    message = Message(
        REQUEST,
        xid,
        MAC,
        {
            Option.KIND: bytes([Kind.REQUEST]),
            Option.REQUESTED_ADDRESS: packed(asked),
            Option.SERVER: packed(server),
            Option.LARGEST_MESSAGE: (1500).to_bytes(2, "big"),
            Option.PARAMETERS: bytes((1, 121, 3)),
        },
        flags=0x8000,
    )
    read = dhcp4msg(buf=build(message))
    read.decode()
    options = read["options"]
    assert (read["xid"], read["flags"], read["op"]) == (xid, 0x8000, REQUEST)
    assert read["chaddr"] == MAC.hex(":")
    assert (options["requested_ip"], options["server_id"]) == (asked, server)
    assert (options["message_type"], options["max_msg_size"]) == (Kind.REQUEST, 1500)
    assert list(options["parameter_list"]) == [1, 121, 3]


def test_a_frame_comes_back_as_it_was() -> None:
    reply = Server().reply(Kind.OFFER, ASKED)
    frame = bytearray(build_frame(reply, mac=SERVER_MAC, source=SERVER))
    frame[34:38] = struct.pack("!HH", 67, 68)
    assert parse_frame(bytes(frame)) == (SERVER_MAC, reply)
    assert parse_frame(build_frame(reply, mac=SERVER_MAC, source=SERVER)) is None  # to a server


def test_options_overflow_into_the_fields_of_the_boot_file_and_server_name() -> None:
    data = bytearray(build(Message(2, 1, MAC, {Option.OVERLOAD: b"\3", Option.KIND: b"\2"})))
    data[108:115] = bytes((1, 4, 255, 255, 255, 0, 255))
    data[44:51] = bytes((54, 4, 192, 0, 2, 1, 255))
    message = parse(bytes(data))
    assert message is not None
    assert message.options[Option.MASK] == packed("255.255.255.0")
    assert message.options[Option.SERVER] == packed(SERVER)


# -- terms -----------------------------------------------------------------------------------------


def test_a_lease_with_everything() -> None:
    found = good(
        DNS=packed("192.0.2.2") + packed("192.0.2.3"),
        DOMAIN=b"office.example",
        MTU=(1400).to_bytes(2, "big"),
        RENEW_SECONDS=(600).to_bytes(4, "big"),
        REBIND_SECONDS=(1200).to_bytes(4, "big"),
    )
    assert found == DhcpLease(
        "192.0.2.50/24",
        SERVER,
        SERVER_MAC,
        100.0,
        3600,
        600,
        1200,
        (("0.0.0.0/0", SERVER),),
        ("192.0.2.2", "192.0.2.3"),
        ("office.example",),
        1400,
    )
    assert (found.left(100.0), found.left(3000.0), found.left(9999.0)) == (3600, 700, 0)
    assert (found.left(100.4), found.left(3699.9)) == (3600, 1)  # the kernel counts whole seconds


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"MASK": packed("0.0.0.0")}, "its netmask is 00000000"),
        ({"MASK": packed("255.0.255.0")}, "its netmask is ff00ff00"),
        ({"MASK": b"\xff"}, "its netmask is ff"),
        ({"SERVER": b"-"}, "it names no server"),
        ({"SERVER": packed("224.0.0.1")}, "it names no server"),
        ({"SERVER": b"\1\2"}, "it names no server"),
        ({"LEASE_SECONDS": b"-"}, "it has no lease time"),
        ({"LEASE_SECONDS": bytes(4)}, "it has no lease time"),
    ],
)
def test_an_offer_that_can_not_be_used(options: dict[str, bytes], why: str) -> None:
    assert lease(**options) == why


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1", "224.0.0.5", "255.255.255.255"])
def test_an_address_that_no_host_has(address: str) -> None:
    offer = Server(address=address).reply(Kind.OFFER, ASKED)
    assert read_terms(offer, SERVER_MAC, 0.0) == f"{address} is not a host address"


@pytest.mark.parametrize("address", ["192.0.2.0", "192.0.2.255"])
def test_the_edges_of_a_subnet(address: str) -> None:
    offer = Server(address=address).reply(Kind.OFFER, ASKED)
    why = f"{address} is the first or last address of 192.0.2.0/24"
    assert read_terms(offer, SERVER_MAC, 0.0) == why


def test_a_server_without_a_mask_means_that_of_the_class() -> None:
    assert good(MASK=b"-").address == "192.0.2.50/24"


@pytest.mark.parametrize(("renew", "rebind"), [(0, 0), (1200, 600), (4000, 5000)])
def test_times_out_of_order_are_those_of_the_rfc(renew: int, rebind: int) -> None:
    found = good(RENEW_SECONDS=renew.to_bytes(4, "big"), REBIND_SECONDS=rebind.to_bytes(4, "big"))
    assert (found.renew, found.rebind) == (1800, 3150)


def test_a_lease_for_ever() -> None:
    found = good(LEASE_SECONDS=b"\xff" * 4)
    assert found.seconds == FOREVER
    assert found.left(1e9) is None


def test_classless_routes_replace_the_routers() -> None:
    found = good(
        CLASSLESS_ROUTES=bytes((8, 10)) + packed("192.0.2.9") + bytes((24, 10, 9, 8, 0, 0, 0, 0))
    )
    assert found.routes == (("10.0.0.0/8", "192.0.2.9"), ("10.9.8.0/24", None))
    broken = good(CLASSLESS_ROUTES=bytes((8, 10, 1)))
    assert broken.routes == (("0.0.0.0/0", SERVER),)
    assert good(CLASSLESS_ROUTES=b"").routes == broken.routes


def test_a_route_to_its_own_subnet_is_there_with_the_address() -> None:
    subnet = ip_interface(good().address).network
    size = (subnet.prefixlen + 7) // 8
    for via in ("0.0.0.0", SERVER):
        to = bytes([subnet.prefixlen]) + subnet.network_address.packed[:size]
        found = good(CLASSLESS_ROUTES=to + packed(via) + bytes((8, 10)) + packed("192.0.2.9"))
        assert found.routes == (("10.0.0.0/8", "192.0.2.9"),)


def test_lists_are_cut_to_a_length() -> None:
    many = b"".join(bytes((24, 10, at, 0)) + packed("192.0.2.9") for at in range(200))
    found = good(CLASSLESS_ROUTES=many, DNS=packed("192.0.2.7") * 60)
    assert len(found.routes) == MOST_ROUTES
    assert len(found.dns) == 3


@pytest.mark.parametrize(
    ("domain", "search"),
    [
        (b"office.example\0", ("office.example",)),
        (b"a.example b.example", ("a.example", "b.example")),
        (b"x\nnameserver 10.0.0.1", ("x", "nameserver", "10.0.0.1")),
        (b"bad;rm -rf", ()),
        (b"\xff\xfe", ()),
        (b"-a.example", ()),
        (b"a" * 64, ()),
    ],
)
def test_domains_follow_the_grammar_of_names(domain: bytes, search: tuple[str, ...]) -> None:
    assert good(DOMAIN=domain).search == search


def test_the_search_list_is_compressed_like_dns() -> None:
    office = b"\6office\7example\0"
    found = good(SEARCH=office + b"\3lab\xc0\x07", DOMAIN=b"ignored.example")
    assert found.search == ("office.example", "lab.example")
    assert good(SEARCH=b"\xc0\x00").search == ()  # a pointer to itself


@pytest.mark.parametrize("mtu", [0, 68, 575])
def test_an_mtu_below_that_of_ipv4_is_ignored(mtu: int) -> None:
    assert good(MTU=mtu.to_bytes(2, "big")).mtu is None


# -- whatever comes --------------------------------------------------------------------------------


@given(st.binary(max_size=1600))
def test_any_bytes_are_a_message_or_none(data: bytes) -> None:
    parse_frame(data)
    message = parse(data)
    if message is not None:
        read_terms(message, SERVER_MAC, 0.0)


@given(st.dictionaries(st.sampled_from(list(Option)), st.binary(max_size=300)), IPV4)
def test_any_options_are_a_lease_or_a_reason(options: dict[int, bytes], yours: str) -> None:
    found = read_terms(Message(2, 1, MAC, options, yours=yours), SERVER_MAC, 0.0)
    if isinstance(found, DhcpLease):
        assert 0 < int(found.address.partition("/")[2]) <= 32
        assert found.renew <= found.rebind <= found.seconds
        assert DhcpLease.__eq__(found, found)
        text = "".join((*found.dns, *found.search))
        assert text.isprintable()
        assert " " not in text


@given(st.data())
def test_a_damaged_message_is_a_message_or_none(data: st.DataObject) -> None:
    reply = Server(options={Option.SEARCH: b"\3lab\xc0\x00", Option.OVERLOAD: b"\3"})
    frame = bytearray(build_frame(reply.reply(Kind.ACK, ASKED), mac=SERVER_MAC, source=SERVER))
    frame[36:38] = (68).to_bytes(2, "big")
    for _ in range(data.draw(st.integers(1, 8))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    found = parse_frame(bytes(frame[: data.draw(st.integers(0, len(frame)))]))
    if found:
        read_terms(found[1], found[0], 0.0)
