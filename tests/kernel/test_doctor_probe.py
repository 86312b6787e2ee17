"""``doctor --probe``: what the LAN says, without a change; without it nothing is sent."""

import json
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.access import AS_USER, let_everyone_in
from tests.kernel.command_line import VLANLINK
from tests.kernel.judge import dump, same
from tests.kernel.lan import HOST_MAC, Lan
from tests.kernel.test_beside import HEAD, MAC, ROUTER, one, stranger
from tests.kernel.wire import ready
from vlanlink.cli.main import main
from vlanlink.preflight.report import Report

pytestmark = pytest.mark.needs("macvlan")
FILE = "/run/office.toml"


def asked(body: str, head: str = HEAD) -> Report:
    return vlanlink.doctor(vlanlink.load(FILE, text=head + body), probe=True)


def found(report: Report) -> list[tuple[str, str, str]]:
    """Without what the machine that runs the tests may have."""
    codes = {"refused", "gateway-silent", "lan-hosts", "lan-unasked"}
    return [(f.code, f.severity, f.what) for f in report.findings if f.code in codes]


def test_what_is_free_has_no_findings(lan: Lan) -> None:
    lan.station("router", *ROUTER)
    ready(lan)
    before = dump(lan.world)
    assert found(asked(one("auto"))) == []
    same(lan.world, before)


@pytest.mark.parametrize("beside", [False, True])
def test_what_stations_and_siblings_have(lan: Lan, *, beside: bool) -> None:
    if beside:
        stranger(lan.world, "10.77.0.2/24", "fd77::2/64")
    else:
        lan.station("printer", "10.77.0.2/24", "fd77::2/64", mac=MAC)
    lan.station("router", *ROUTER)
    ready(lan)
    before = dump(lan.world)
    report = asked(one("10.77.0.2", "fd77::2"))
    assert not report.ok
    assert found(report) == [
        ("refused", "failure", f"{address} is in use on the LAN of eth0 by {MAC}")
        for address in ("10.77.0.2", "fd77::2")
    ]
    assert report.findings[0].place is not None
    assert report.findings[0].place.line == 11
    have = f"hosts on the LAN of eth0 have 10.77.0.2 ({MAC}), fd77::2 ({MAC})"
    report = asked(one("auto"))
    assert report.ok
    assert found(report) == [("lan-hosts", "note", have)]
    same(lan.world, before)


def test_gateways_that_nobody_has(lan: Lan) -> None:
    lan.station("router", ROUTER[0])
    ready(lan)
    silent = "nobody on the LAN of eth0 answers for the gateway fd77::1"
    assert found(asked(one("auto"))) == [("gateway-silent", "warning", silent)]
    own = one("10.77.0.1", "fd77::1")  # an endpoint that is the router
    assert found(asked(own.replace("10.77.0.1", "10.77.0.9"))) == []
    lan.world.ip("addr add fd77::1/64 dev eth0 nodad")  # the host is the router
    assert found(asked(one("auto"))) == []


def test_a_parent_that_is_not_there_yet_is_not_asked(lan: Lan) -> None:
    lan.world.ip("link set eth0 down")
    said = "the LAN of eth0 was not asked: that link is missing or has no carrier"
    assert found(asked(one("auto"))) == [("lan-unasked", "note", said)]


def test_nothing_is_sent_without_it(lan: Lan) -> None:
    lan.station("ear", "10.77.0.99/24")
    ready(lan)
    seen = lan.capture("ear", "eth0", "arp or icmp6")
    topology = vlanlink.load(FILE, text=HEAD + one("auto"))
    vlanlink.doctor(topology)
    lan.world.ip("addr add 10.77.0.98/24 dev eth0")
    lan.world.reaches("", "10.77.0.99")
    seen.saw("who-has 10.77.0.99")
    assert "tell 0.0.0.0" not in seen.text()
    vlanlink.doctor(topology, probe=True)
    seen.saw(f"{HOST_MAC} > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806), length 42: "
             "Request who-has 10.77.0.2 tell 0.0.0.0")  # fmt: skip


def test_as_a_command(lan: Lan, capsys: pytest.CaptureFixture[str]) -> None:
    lan.station("printer", "10.77.0.2/24", mac=MAC)
    lan.station("router", *ROUTER)
    ready(lan)
    Path(FILE).write_text(HEAD + one("10.77.0.2"))
    assert main(["doctor", FILE]) == 0
    capsys.readouterr()
    assert main(["doctor", "--probe", FILE, "--json"]) == 3
    first = json.loads(capsys.readouterr().out)["findings"][0]
    assert (first["code"], first["line"]) == ("refused", 11)
    assert main(["doctor", "--probe"]) == 2
    assert "vlanlink doctor --probe FILE" in capsys.readouterr().err


def test_it_takes_privilege(lan: Lan) -> None:
    let_everyone_in()
    Path(FILE).write_text(HEAD + one("auto"))
    done = lan.world.run([*AS_USER, VLANLINK, "doctor", "--probe", FILE], check=False)
    assert done.returncode == 4, done.stderr
    assert "asking the LAN whether an address is taken takes CAP_NET_ADMIN" in done.stderr
