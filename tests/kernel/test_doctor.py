"""``doctor``: each finding made true on a real kernel, and nothing changed by the look."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.access import AS_USER, let_everyone_in
from tests.kernel.command_line import VLANLINK
from tests.kernel.examples import DIRECTORY
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from vlanlink.cli.main import main
from vlanlink.preflight.report import Finding, Report

pytestmark = pytest.mark.needs("macvlan")

FILE = "/run/office.toml"
TOPOLOGY = """
[topology]
name = "office"
[networks.pub]
kind = "macvlan"
parent = "eth0"
subnets = [{ subnet = "172.16.86.0/24" }, { subnet = "2001:db8:86::/64" }]
[namespaces.one.interfaces.eth0]
network = "pub"
addresses = ["172.16.86.10", "2001:db8:86::10"]
"""
ROUTER = """
[networks.back]
kind = "macvlan"
parent = "eth0"
subnets = [{ subnet = "10.1.0.0/24", gateway = "10.1.0.1" }]
[namespaces.gate]
SYSCTLS
interfaces.eth0 = { network = "back", addresses = ["10.1.0.1"] }
interfaces.eth1 = { network = "pub", addresses = ["172.16.86.11"] }
"""
HOST = vlanlink.Host(machine_id="0123456789abcdef0123456789abcdef")


def load(text: str = TOPOLOGY) -> vlanlink.Topology:
    return vlanlink.load(FILE, text=text)


def examined(text: str | None = TOPOLOGY) -> Report:
    return vlanlink.doctor(load(text) if text else None, host=HOST)


def only(report: Report, code: str) -> Finding:
    """The one finding of that code."""
    found = [finding for finding in report.findings if finding.code == code]
    assert len(found) == 1, report.findings
    return found[0]


def codes(report: Report) -> list[str]:
    return [f.code for f in report.findings if not f.code.startswith(("kind", "kernel"))]


def test_a_machine_that_is_ready(lan: Lan) -> None:
    before = dump(lan.world)
    for text in (TOPOLOGY, (DIRECTORY / "01-macvlan.toml").read_text()):
        report = examined(text)
        assert (report.ok, codes(report)) == (True, [])
    assert codes(examined(None)) == []
    vlanlink.up(load())
    assert codes(examined()) == []
    vlanlink.down("office")
    same(lan.world, before)


@pytest.mark.parametrize(
    ("words", "said", "command"),
    [
        ("link add br0 type bridge\nlink set eth0 master br0", "a port of br0", "use br0"),
        ("link set eth0 down\nlink set eth0 name eth7", "parent eth0 does not exist", "eth7"),
        (
            "link add m0 link eth0 type macvlan mode passthru",
            "the only link on its parent",
            "another",
        ),
    ],
)
def test_what_up_refuses_is_said_at_its_place(
    lan: Lan, words: str, said: str, command: str
) -> None:
    lan.world.batch(words)
    report = examined()
    assert not report.ok
    found = only(report, "refused")
    assert (found.severity, said in found.what) == ("failure", True), found
    assert command in str(found.command)
    assert found.to_dict()["file"] == FILE
    assert found.to_dict()["line"] in (6, 8)


def test_a_port_of_a_bridge_is_told_without_a_file(lan: Lan) -> None:
    lan.world.batch("link add br0 type bridge\nlink set eth0 master br0")
    # br0 itself carries nothing, and eth0 is a veth here: it counts once something is on it
    assert codes(examined(None)) == []
    lan.world.batch("link set eth0 nomaster\nlink add m0 link eth0 type macvlan mode bridge")
    lan.world.ip("link set eth0 down")
    assert only(examined(None), "parent-down").command == "ip link set eth0 up"


def test_a_parent_that_is_down_is_set_up_by_up(lan: Lan) -> None:
    lan.world.ip("link set eth0 down")
    report = examined()
    assert only(report, "parent-down").severity == "note"
    assert report.ok


def test_a_parent_without_carrier(lan: Lan) -> None:
    lan.world.ip("link set port1 down", "switch")
    report = examined()
    assert only(report, "parent-no-carrier").severity == "failure"
    assert "eth0 has no carrier" in only(report, "parent-no-carrier").what


def test_a_small_mtu_has_no_ipv6(lan: Lan) -> None:
    lan.world.ip("link set eth0 mtu 1279")
    assert only(examined(), "mtu-small").severity == "failure"
    four = TOPOLOGY.replace(', "2001:db8:86::10"', "")
    assert only(examined(four), "mtu-small").severity == "note"
    lan.world.ip("link set eth0 mtu 1280")
    assert codes(examined()) == []


def test_promiscuous_by_hand_and_not_by_a_capture(lan: Lan) -> None:
    lan.capture("", "eth0", "icmp")
    assert lan.world.link("eth0")["promiscuity"] == 1
    assert codes(examined()) == []
    lan.world.ip("link set eth0 promisc on")
    found = only(examined(), "promiscuous")
    lan.world.run(str(found.command))
    assert codes(examined()) == []


def test_two_nics_in_one_subnet(lan: Lan) -> None:
    world = lan.world
    lan.trunk("eth1", mac="02:00:00:00:00:bb")
    world.batch("addr add 172.16.86.2/24 dev eth0\naddr add 172.16.86.3/24 dev eth1")
    world.run("sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.all.arp_ignore=0")
    report = examined(None)
    assert sorted(codes(report)) == ["arp-flux", "rp-filter"]
    for code in ("arp-flux", "rp-filter"):
        world.run(str(only(report, code).command))
    assert codes(examined(None)) == []


def test_a_host_that_answers_no_arp(lan: Lan) -> None:
    lan.world.ip("addr add 172.16.86.2/24 dev eth0")
    lan.world.run("sysctl -qw net.ipv4.conf.eth0.arp_ignore=8")
    lan.station("peer", "172.16.86.3/24")
    lan.world.does_not_reach("peer", "172.16.86.2")
    lan.world.run(str(only(examined(), "arp-ignore").command))
    assert codes(examined()) == []
    lan.world.reaches("peer", "172.16.86.2")


def test_a_router_that_does_not_forward(lan: Lan) -> None:
    lan.world.run("sysctl -qw net.ipv4.ip_forward=0")
    found = only(examined(TOPOLOGY + ROUTER.replace("SYSCTLS", "")), "no-forwarding")
    assert found.severity == "failure"
    assert "namespace gate has the gateway 10.1.0.1" in found.what
    text = TOPOLOGY + ROUTER.replace("SYSCTLS", "")
    assert codes(examined(f"{text}\n{found.command}\n")) == []
    written = '"net.ipv4.conf.all.rp_filter" = 2\n"net/ipv4/ip_forward" = 0\n'
    table = "[namespaces.gate.sysctls]\n" + written
    again = only(examined(text + table), "no-forwarding")
    topology = load(f"{text}\n{again.command}\n")
    assert vlanlink.doctor(topology, host=HOST).findings == ()
    assert topology.namespaces["gate"].sysctls["net.ipv4.conf.all.rp_filter"] == "2"


def test_a_host_that_holds_a_gateway_and_does_not_forward(lan: Lan) -> None:
    text = TOPOLOGY.replace('.0/24"', '.0/24", gateway = "172.16.86.1"')
    lan.world.ip("addr add 172.16.86.1/24 dev eth0")
    lan.world.run("sysctl -qw net.ipv4.ip_forward=0")
    found = only(examined(text), "no-forwarding")
    assert "the host has the gateway" in found.what
    assert codes(examined(f"{text}\n{found.command}\n")) == []
    lan.world.run("sysctl -qw net.ipv4.ip_forward=1")
    assert codes(examined(text)) == []


@pytest.mark.needs("ipvlan")
def test_a_macvlan_of_somebody_else_on_the_parent_of_an_ipvlan(lan: Lan) -> None:
    lan.world.ip("link add m0 link eth0 type macvlan mode bridge")
    text = TOPOLOGY.replace('"macvlan"', '"ipvlan"')
    assert "a parent carries either macvlan or ipvlan links" in only(examined(text), "refused").what


def test_more_macs_than_a_nic_filters(lan: Lan) -> None:
    lines = [f"link add m{i} link eth0 type macvlan mode bridge" for i in range(33)]
    lan.world.batch("\n".join(lines[:31]))
    assert codes(examined()) == []
    lan.world.batch("\n".join(lines[31:]))
    assert "33 MACs" in only(examined(None), "many-macs").what
    assert "34 MACs" in only(examined(), "many-macs").what


@pytest.mark.parametrize(
    ("file", "text", "who"),
    [
        ("/run/NetworkManager/devices", "[device]\nmanaged=true\n", "NetworkManager"),
        (
            "/run/systemd/netif/links",
            "# private\nADMIN_STATE=configured\nNETWORK_FILE=/run/a.network\n",
            "systemd-networkd",
        ),
    ],
)
def test_a_manager_of_our_links(lan: Lan, file: str, text: str, who: str) -> None:
    links = '[links.m0]\nkind = "macvlan"\nparent = "eth0"\n'
    vlanlink.up(load(TOPOLOGY + links))
    Path(file).mkdir(parents=True)
    numbers = {name: lan.world.link(name)["ifindex"] for name in ("m0", "eth0")}
    for number in numbers.values():
        (Path(file) / str(number)).write_text(text)
    found = only(examined(TOPOLOGY + links), "managed-by-another")
    assert found.what == f"{who} manages m0, which vlanlink made"
    (Path(file) / str(numbers["m0"])).write_text("[device]\nmanaged=false\n")
    assert codes(examined(TOPOLOGY + links)) == []


@contextmanager
def _docker(rows: object) -> Iterator[None]:
    """A daemon that knows one answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(rows).encode()
            self.send_response(200 if self.path == "/networks" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Be quiet."""

        def address_string(self) -> str:
            return "local"

    with socketserver.UnixStreamServer("/run/docker.sock", Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            Path("/run/docker.sock").unlink()


def _network(driver: str, **options: str) -> dict[str, object]:
    return {"Name": "theirs", "Driver": driver, "Options": {"parent": "eth0", **options}}


@pytest.mark.parametrize(
    ("row", "severity", "why"),
    [
        (_network("macvlan", macvlan_mode="bridge"), "note", "its own range"),
        (_network("macvlan", macvlan_mode="passthru"), "warning", "the only link on its parent"),
        (_network("ipvlan"), "warning", "either macvlan or ipvlan"),
    ],
)
def test_a_network_of_docker_on_the_parent(
    lan: Lan, row: dict[str, object], severity: str, why: str
) -> None:
    del lan
    with _docker([{"Name": "bridge", "Driver": "bridge", "Options": None}, row]):
        found = only(examined(), "docker-network")
    assert found.severity == severity
    assert why in found.why
    assert codes(examined()) == []


def test_an_odd_daemon_is_no_matter(lan: Lan) -> None:
    del lan
    with _docker({"message": "what?"}):
        assert codes(examined()) == []


def test_a_machine_without_a_name(lan: Lan) -> None:
    del lan
    for name in ("", "uninitialized", "0" * 32):
        report = vlanlink.doctor(load(), host=vlanlink.Host(machine_id=name))
        assert only(report, "machine-id").severity == "warning"


def test_drivers_are_what_ethtool_says(lan: Lan) -> None:
    """No real NIC is at hand: a veth has a driver, lo has none."""
    from tests.kernel.wire import a_machine

    lan.world.ip("link add m0 link eth0 type macvlan mode bridge")
    with a_machine() as machine:
        nics = machine.facts(machine.snapshot()).nics
    assert {name: nic.driver for name, nic in nics.items()} == {
        "lo": "",
        "eth0": "veth",
        "m0": "macvlan",
    }


# -- as a user runs it -----------------------------------------------------------------------------


def test_in_json(lan: Lan, capsys: pytest.CaptureFixture[str]) -> None:
    Path(FILE).write_text(TOPOLOGY)
    assert main(["doctor", FILE, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    lan.world.batch("link set eth0 down\nlink set eth0 name eth7")
    assert main(["doctor", FILE, "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert (found["topology"], found["ok"]) == ("office", False)
    assert found["findings"][0] == {
        "code": "refused",
        "severity": "failure",
        "what": "parent eth0 does not exist on this machine",
        "why": "up refuses the topology on this machine",
        "command": 'did you mean "eth7"? existing links: eth7',
        "file": FILE,
        "line": 6,
        "column": 10,
        "path": "networks.pub.parent",
    }
    assert main(["doctor", FILE]) == 3
    out = capsys.readouterr().out
    assert out.startswith(f"failure  parent eth0 does not exist on this machine ({FILE}:6)\n")
    assert '→ did you mean "eth7"? existing links: eth7' in out


def test_of_a_user_and_of_a_root_without_power(lan: Lan) -> None:
    world = lan.world
    let_everyone_in()
    world.ip("netns add other")
    Path(FILE).write_text(TOPOLOGY)
    world.ip("link set eth0 promisc on")
    for words in ([VLANLINK, "doctor"], [VLANLINK, "doctor", FILE]):
        weak = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"]
        done = world.run([*weak, *words, "--json"], check=False)
        assert done.returncode == 3, done.stderr
        assert json.loads(done.stdout)["findings"][0]["code"] == "privilege-missing"
        done = world.run([*AS_USER, *words, "--json"], check=False)
        assert done.stdout, done.stderr
        found = [one["code"] for one in json.loads(done.stdout)["findings"]]
        assert (done.returncode, done.stderr) == (0, "")
        assert "privilege-user" in found
        assert ("promiscuous" in found) == (FILE in words)
