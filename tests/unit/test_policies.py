"""Rules and packet filters as values; whatever bytes come, a value or an OSError comes out."""

import errno
import os
import struct
from contextlib import suppress
from pathlib import Path
from socket import AF_INET6
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlanlink.desired.links import link_local_of
from vlanlink.kernel import policy
from vlanlink.kernel.modules import presence
from vlanlink.kernel.netlink.nftables import FilterChain, read_filters
from vlanlink.kernel.netlink.rules import Rule, before_main, read_rules
from vlanlink.kernel.netlink.socket import Socket


class Answering:
    """A socket whose dumps have these bodies."""

    def __init__(self, *bodies: bytes) -> None:
        self.messages = [bytes(16) + body for body in bodies]

    def dump(self, _: bytearray) -> list[bytes]:
        """The same for every request."""
        return self.messages


def answering(*bodies: bytes) -> Socket:
    return cast("Socket", Answering(*bodies))


def attribute(number: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), number) + value + bytes(-len(value) % 4)


def rule(priority: int, text: str = "from all lookup 7", *, local: bool = False) -> Rule:
    return Rule(4, priority, text, is_local=local)


def test_rules_before_the_one_that_sends_everything_to_main() -> None:
    local = rule(0, "from all lookup local", local=True)
    main = Rule(4, 32766, "from all lookup main", is_main=True)
    vpn = Rule(4, 32764, "from all lookup main suppress_prefixlength 0", is_main=True)
    assert before_main([main, local], 4) == ()
    assert before_main([rule(9), main, local], 4) == (rule(9),)
    assert before_main([rule(9), main, local], 6) == ()
    assert before_main([main, rule(32765), vpn, rule(8)], 4) == (rule(8),)
    vrf = Rule(4, 1000, "from all lookup 0", of_vrf=True)
    assert before_main([vrf, main], 4) == ()


def test_a_rule_as_ip_prints_it() -> None:
    header = struct.pack("=8BI", 2, 0, 8, 0, 0, 0, 0, 1, 2)
    values = attribute(2, bytes((10, 0, 0, 0))) + attribute(6, struct.pack("=I", 100))
    values += attribute(3, b"eth0\0") + attribute(15, struct.pack("=I", 200))
    found = read_rules(answering(header + values))
    assert str(found[0]) == "100: not from 10.0.0.0/8 iif eth0 lookup 200"


@pytest.mark.parametrize(("found", "asked"), [("loadable", []), ("there", [12]), (None, [12])])
def test_reading_the_filters_loads_no_module(
    monkeypatch: pytest.MonkeyPatch, found: str | None, asked: list[int]
) -> None:
    protocols: list[int] = []

    def refuse(protocol: int = 0) -> None:
        protocols.append(protocol)
        raise OSError(errno.EPERM, "refused")

    monkeypatch.setattr(policy, "presence", {"nf_tables": found}.get)
    monkeypatch.setattr(policy, "Socket", refuse)
    policy.read_policy()
    assert protocols == [0, *asked]


def test_modules_that_are_there_or_can_be_loaded(tmp_path: Path) -> None:
    files, loaded = tmp_path / "modules" / os.uname().release, tmp_path / "loaded"
    files.mkdir(parents=True)
    assert presence("nf_tables", tmp_path / "modules", loaded) is None
    (files / "modules.dep").write_text("kernel/net/netfilter/nf_tables.ko.xz: kernel/x.ko.xz\n")
    assert presence("nf_tables", tmp_path / "modules", loaded) == "loadable"
    (loaded / "nf_tables").mkdir(parents=True)
    assert presence("nf_tables", tmp_path / "modules", loaded) == "there"


class WithoutIpv6(Answering):
    """As a kernel with ipv6.disable=1, or one that refuses to tell."""

    def __init__(self, number: int, *bodies: bytes) -> None:
        super().__init__(*bodies)
        self.number = number

    def dump(self, message: bytearray) -> list[bytes]:
        """An error for IPv6."""
        if message[16] == AF_INET6:
            raise OSError(self.number, "refused")
        return self.messages


def test_without_ipv6_the_rules_of_ipv4_are_read() -> None:
    header = struct.pack("=8BI", 2, 0, 0, 0, 7, 0, 0, 1, 0)
    without = cast("Socket", WithoutIpv6(errno.EAFNOSUPPORT, header))
    assert [str(one) for one in read_rules(without)] == ["0: from all lookup 7"]
    with pytest.raises(OSError, match="refused"):
        read_rules(cast("Socket", WithoutIpv6(errno.EPERM, header)))


def test_a_rule_for_some_packets_is_not_the_one_for_main() -> None:
    header = struct.pack("=8BI", 2, 0, 0, 0, 254, 0, 0, 1, 0)
    every, ssh = read_rules(answering(header, header + attribute(24, struct.pack("=HH", 22, 22))))[
        :2
    ]
    assert (str(ssh), ssh.is_main) == ("0: from all dport 22 lookup main", False)
    assert (str(every), every.is_main) == ("0: from all lookup main", True)


def test_each_filter_has_its_command() -> None:
    chain = FilterChain("input", "inet", "t", "c", policy_drops=True)
    assert chain.opening("m0") == "nft insert rule inet t c iifname m0 accept"
    assert chain.opening("br-1.50") == "nft insert rule inet t c iifname br-1.50 accept"
    assert chain.opening("4g") == "nft insert rule inet t c iifname '\"4g\"' accept"
    assert chain.concerns(4)
    assert chain.concerns(6)
    legacy = FilterChain("input", "ip6", "filter", "INPUT", program="ip6tables-legacy")
    assert legacy.opening("m0") == "ip6tables-legacy -I INPUT -i m0 -j ACCEPT"
    assert legacy.opening("a;b") == "ip6tables-legacy -I INPUT -i 'a;b' -j ACCEPT"
    assert (legacy.concerns(4), legacy.concerns(6)) == (False, True)


def test_the_link_local_address_of_a_mac() -> None:
    assert link_local_of("02:42:ac:10:03:09") == "fe80::42:acff:fe10:309"


@given(st.lists(st.binary(max_size=120), max_size=4))
def test_any_bytes_are_a_value_or_an_error(bodies: list[bytes]) -> None:
    with suppress(OSError):
        read_rules(answering(*bodies))
    with suppress(OSError):
        read_filters(answering(*bodies))
