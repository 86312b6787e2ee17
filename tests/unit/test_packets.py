"""Frames as bytes. Those called golden were written by a Linux 6.18 kernel, seen with tcpdump."""

import struct
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlanlink.kernel.packet import packets
from vlanlink.kernel.packet.packets import Advertisement, Arp, Echo, Frame, Solicitation

HOST, STATION, ENDPOINT = "02:00:00:00:00:aa", "02:42:ac:10:03:09", "02:42:ac:10:03:0f"


def dump(text: str) -> bytes:
    return bytes.fromhex(text)


ARP_REQUEST = dump("""
    ffff ffff ffff 0200 0000 00aa 0806 0001 0800 0604 0001 0200 0000 00aa ac10 030f
    0000 0000 0000 ac10 0309""")
ARP_REPLY = dump("""
    0200 0000 00aa 0242 ac10 0309 0806 0001 0800 0604 0002 0242 ac10 0309 ac10 0309
    0200 0000 00aa ac10 030f""")
ARP_ANNOUNCEMENT = dump("""
    ffff ffff ffff 0242 ac10 030f 0806 0001 0800 0604 0001 0242 ac10 030f ac10 030f
    0000 0000 0000 ac10 030f""")
SOLICITATION = dump("""
    3333 ff00 0009 0200 0000 00aa 86dd 6000 0000 0020 3aff 2001 0db8 abc8 0000 0000
    0000 0000 0015 ff02 0000 0000 0000 0000 0001 ff00 0009 8700 c3ca 0000 0000 2001
    0db8 abc8 0000 0000 0000 0000 0009 0101 0200 0000 00aa""")
ANSWER = dump("""
    0200 0000 00aa 0242 ac10 0309 86dd 6000 0000 0020 3aff 2001 0db8 abc8 0000 0000
    0000 0000 0009 2001 0db8 abc8 0000 0000 0000 0000 0015 8800 d79b 6000 0000 2001
    0db8 abc8 0000 0000 0000 0000 0009 0201 0242 ac10 0309""")
ADVERTISEMENT = dump("""
    3333 0000 0001 0242 ac10 030f 86dd 6000 0000 0020 3aff 2001 0db8 abc8 0000 0000
    0000 0000 0015 ff02 0000 0000 0000 0000 0000 0000 0001 8800 f210 2000 0000 2001
    0db8 abc8 0000 0000 0000 0000 0015 0201 0242 ac10 030f""")
# The kernel's duplicate detection, with the nonce option of RFC 7527.
DETECTION = dump("""
    3333 ff00 0015 0200 0000 00aa 86dd 6000 0000 0020 3aff 0000 0000 0000 0000 0000
    0000 0000 0000 ff02 0000 0000 0000 0000 0001 ff00 0015 8700 be2a 0000 0000 2001
    0db8 abc8 0000 0000 0000 0000 0015 0e01 03c1 1f84 b183""")
ROUTER_SOLICITATION = dump("""
    3333 0000 0002 0200 0000 00aa 86dd 6000 0000 0010 3aff fe80 0000 0000 0000 0000
    00ff fe00 00aa ff02 0000 0000 0000 0000 0000 0000 0002 8500 79da 0000 0000 0101
    0200 0000 00aa""")
# By hand: as above, without the option. The sum of all else was ~be2a = 41d5; the option's four
# words (e2c9) and 8 of the length are gone: 41d5 + ~e2d1 = 5f03, and ~5f03 = a0fc.
DETECTION_WITHOUT_NONCE = dump("""
    3333 ff00 0015 0200 0000 00aa 86dd 6000 0000 0018 3aff 0000 0000 0000 0000 0000
    0000 0000 0000 ff02 0000 0000 0000 0000 0001 ff00 0015 8700 a0fc 0000 0000 2001
    0db8 abc8 0000 0000 0000 0000 0015""")
ARP_PROBE = dump("""
    ffff ffff ffff 0200 0000 00aa 0806 0001 0800 0604 0001 0200 0000 00aa 0000 0000
    0000 0000 0000 ac10 030f""")

GOLDEN = {
    "request": (ARP_REQUEST, packets.arp_request(HOST, "172.16.3.15", "172.16.3.9")),
    "reply": (
        ARP_REPLY,
        packets.build(
            Frame(HOST, STATION, Arp(packets.REPLY, STATION, "172.16.3.9", HOST, "172.16.3.15"))
        ),
    ),
    "announcement": (ARP_ANNOUNCEMENT, packets.arp_announcement(ENDPOINT, "172.16.3.15")),
    "probe": (ARP_PROBE, packets.arp_probe(HOST, "172.16.3.15")),
    "solicitation": (
        SOLICITATION,
        packets.build(
            Frame(
                "33:33:ff:00:00:09",
                HOST,
                Solicitation("2001:db8:abc8::15", "ff02::1:ff00:9", "2001:db8:abc8::9", HOST),
            )
        ),
    ),
    "advertisement": (
        ADVERTISEMENT,
        packets.neighbour_advertisement(ENDPOINT, "2001:db8:abc8::15"),
    ),
    "detection": (DETECTION_WITHOUT_NONCE, packets.neighbour_probe(HOST, "2001:db8:abc8::15")),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_frames_are_what_the_kernel_writes(name: str) -> None:
    golden, built = GOLDEN[name]
    assert built.hex(" ") == golden.hex(" ")


def test_an_answer_is_read_field_by_field() -> None:
    assert packets.parse(ANSWER) == Frame(
        HOST,
        STATION,
        Advertisement(
            "2001:db8:abc8::9",
            "2001:db8:abc8::15",
            "2001:db8:abc8::9",
            STATION,
            solicited=True,
            override=True,
        ),
    )


def test_padding_and_a_vlan_tag_left_in_place_do_not_matter() -> None:
    padded = ARP_REPLY + bytes(18)
    tagged = padded[:12] + dump("8100 0032") + padded[12:]
    assert packets.parse(ARP_REPLY) == packets.parse(padded) == packets.parse(tagged)
    assert packets.parse(ADVERTISEMENT + bytes(4)) == packets.parse(ADVERTISEMENT)


@pytest.mark.parametrize(
    ("frame", "address", "mac"),
    [
        (ARP_REQUEST, "172.16.3.15", HOST),
        (ARP_REPLY, "172.16.3.9", STATION),
        (ARP_ANNOUNCEMENT, "172.16.3.15", ENDPOINT),
        (ARP_PROBE, "172.16.3.15", HOST),
        (SOLICITATION, "2001:db8:abc8::15", HOST),
        (ANSWER, "2001:db8:abc8::9", STATION),
        (ADVERTISEMENT, "2001:db8:abc8::15", ENDPOINT),
        (DETECTION, "2001:db8:abc8::15", HOST),
        (DETECTION_WITHOUT_NONCE, "2001:db8:abc8::15", HOST),
    ],
)
def test_who_claims_which_address(frame: bytes, address: str, mac: str) -> None:
    parsed = packets.parse(frame)
    assert parsed is not None
    assert packets.claim(parsed) == (address, mac)


def test_a_reply_from_nobody_claims_nothing() -> None:
    assert packets.claim(Frame(HOST, STATION, Arp(2, STATION, "0.0.0.0", HOST, "10.0.0.1"))) is None


def with_sum(frame: bytes) -> bytes:
    """The frame with the ICMPv6 checksum that it should have."""
    source, destination, body = frame[22:38], frame[38:54], frame[54:]
    blank = body[:2] + b"\0\0" + body[4:]
    total = packets.checksum(
        source + destination + struct.pack("!II", len(blank), 58) + blank
    ).to_bytes(2, "big")
    return frame[:54] + body[:2] + total + body[4:]


def changed(frame: bytes, offset: int, value: str) -> bytes:
    data = dump(value)
    return frame[:offset] + data + frame[offset + len(data) :]


INVALID = {
    "nothing": b"",
    "a header alone": ARP_REPLY[:14],
    "ARP cut short": ARP_REPLY[:-1],
    "ARP of another hardware": changed(ARP_REPLY, 14, "0006"),
    "ARP for another protocol": changed(ARP_REPLY, 16, "86dd"),
    "reverse ARP": changed(ARP_REPLY, 20, "0003"),
    "another EtherType": changed(ARP_REPLY, 12, "0800"),
    "a tag and nothing after it": ARP_REPLY[:12] + dump("8100 0032"),
    "IPv6 cut short": ANSWER[:50],
    "IPv6 shorter than it says": ANSWER[:-1],
    "not IPv6": changed(ANSWER, 14, "4000"),
    "another protocol": changed(ANSWER, 20, "11"),
    "passed on by a router": changed(ANSWER, 21, "fe"),
    "a wrong checksum": changed(ANSWER, 56, "0000"),
    "another code": with_sum(changed(ANSWER, 55, "01")),
    "a multicast target": with_sum(changed(ANSWER, 62, "ff02")),
    "an option without length": with_sum(changed(ANSWER, 79, "00")),
    "an option longer than all": with_sum(changed(ANSWER, 79, "02")),
    "half an option": with_sum(changed(ANSWER, 18, "0019")[:79]),
    "solicited, to all": with_sum(changed(ADVERTISEMENT, 58, "60")),
    "from nobody, with a MAC": with_sum(changed(DETECTION, 78, "01")),
    "from nobody, to one": with_sum(changed(DETECTION, 38, "2001")),
    "a router solicitation": ROUTER_SOLICITATION,
}


@pytest.mark.parametrize("name", INVALID)
def test_what_is_invalid_is_none(name: str) -> None:
    assert packets.parse(INVALID[name]) is None


def test_the_tool_that_makes_invalid_frames_makes_valid_ones_too() -> None:
    for frame in (ANSWER, ADVERTISEMENT, DETECTION):
        assert with_sum(frame) == frame


macs = st.binary(min_size=6, max_size=6).map(packets.mac_text)
ipv4 = st.ip_addresses(v=4).map(str)
ipv6 = (
    st.ip_addresses(v=6)
    .filter(lambda a: not a.is_multicast and int(a) >= 1 << 64)  # text in one canonical form
    .map(str)
)
arps = st.builds(Arp, st.sampled_from((1, 2)), macs, ipv4, macs, ipv4)
solicitations = st.builds(Solicitation, ipv6, ipv6, ipv6, st.none() | macs)
advertisements = st.builds(
    Advertisement,
    ipv6,
    ipv6,
    ipv6,
    st.none() | macs,
    router=st.booleans(),
    solicited=st.booleans(),
    override=st.booleans(),
)
frames = st.builds(Frame, macs, macs, arps | solicitations | advertisements)


@given(frames)
def test_what_is_built_is_read_back(frame: Frame) -> None:
    assert packets.parse(packets.build(frame)) == frame


@given(st.ip_addresses(v=6).map(str), macs)
def test_every_ipv6_probe_goes_to_the_group_of_its_address(address: str, mac: str) -> None:
    frame = packets.parse(packets.neighbour_probe(mac, address))
    if IPv6Address(address).is_multicast:
        assert frame is None
        return
    assert frame is not None
    assert isinstance(frame.packet, Solicitation)
    group = IPv6Address(frame.packet.destination)
    assert int(group) & 0xFFFFFF == int(IPv6Address(address)) & 0xFFFFFF
    assert frame.destination_mac == "33:33:" + group.packed[12:].hex(":")


@given(st.binary(max_size=120))
def test_garbage_is_never_an_exception(data: bytes) -> None:
    packets.parse(data)
    packets.parse(data[:12] + dump("86dd") + data[12:])
    for family in (4, 6):
        packets.parse_echo(family, data)


@given(frames, st.data())
def test_a_broken_frame_is_never_an_exception(frame: Frame, data: st.DataObject) -> None:
    whole = bytearray(packets.build(frame))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    parsed = packets.parse(bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    if parsed:
        packets.claim(parsed)


# An echo request of `ping`, from behind its IPv6 header, with the addresses that its sum covers.
ECHO = dump("""
    8000 0443 73b5 0001 3a76 016b 0000 0000 50b6 0900 0000 0000 1011 1213 1415 1617 1819 1a1b
    1c1d 1e1f 2021 2223 2425 2627 2829 2a2b 2c2d 2e2f 3031 3233 3435 3637""")


def test_echo() -> None:
    parsed = packets.parse_echo(6, ECHO)
    assert parsed == Echo(128, 0x73B5, 1, ECHO[8:])
    assert packets.echo(6, parsed) == changed(ECHO, 2, "0000")
    request = packets.echo(4, Echo(8, 0x1234, 7, b"abc"))
    assert request == dump("0800 2162 1234 0007 616263")
    header = dump("4500 0023 0000 0000 4001 0000 0a00 0001 0a00 0002")
    assert packets.parse_echo(4, header + request) == Echo(8, 0x1234, 7, b"abc")
    assert packets.parse_echo(4, header + changed(request, 0, "03")) is None


@given(st.binary(max_size=80))
def test_data_with_its_own_checksum_sums_to_nothing(data: bytes) -> None:
    even = data + bytes(len(data) % 2)
    assert packets.checksum(even + packets.checksum(even).to_bytes(2, "big")) == 0


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(ValueError, match="not a MAC address: 02:00"):
        packets.arp_probe("02:00", "10.0.0.1")
    with pytest.raises(OSError, match="illegal IP address"):
        packets.arp_probe(HOST, "10.0.0.300")


def test_addresses_come_in_canonical_text() -> None:
    frame = packets.parse(packets.arp_probe(HOST.upper(), "10.0.0.1"))
    assert frame is not None
    assert frame.source_mac == HOST
    assert isinstance(frame.packet, Arp)
    assert IPv4Address(frame.packet.target) == IPv4Address("10.0.0.1")
