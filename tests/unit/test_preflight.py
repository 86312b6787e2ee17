"""What doctor makes of facts: those that no test machine has."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.golden import read_state
from vlanlink.desired.context import Context
from vlanlink.desired.resolve import resolve
from vlanlink.kernel.facts import DockerNetwork, MachineFacts, Nic
from vlanlink.kernel.inspection import Places, kinds, nics, vendor
from vlanlink.kinds import KINDS
from vlanlink.preflight import analyse
from vlanlink.preflight.report import Finding, Report
from vlanlink.preflight.topology import TopologyNeeds
from vlanlink.topology import parse

ROOT = Path(__file__).parents[2]
TOPOLOGY = """
[topology]
name = "office"
[networks.pub]
kind = "macvlan"
parent = "eth0.50"
OPTIONS
[namespaces.web.interfaces.eth0]
network = "pub"
addresses = ["2001:db8::1/64"]
"""
STATE: dict[str, Any] = {"host": {"links": {"eth0": {}}}}
READY = MachineFacts(read_state(STATE), kernel=(6, 1), identity="0123456789abcdef" * 2)


def asked(facts: MachineFacts, options: str = "", text: str = TOPOLOGY) -> TopologyNeeds:
    topology = parse(text.replace("OPTIONS", options), file="office.toml")
    found = resolve(topology, facts.state, Context(identity=facts.identity))
    wanted = {link.key: link for link in found.desired.links() if link.owner == "office"}
    return TopologyNeeds(topology, wanted)


def codes(report: Report) -> list[tuple[str, str]]:
    return [(finding.code, finding.severity) for finding in report.findings]


def only(report: Report) -> Finding:
    assert len(report.findings) == 1, report.findings
    return report.findings[0]


def test_a_machine_that_is_ready() -> None:
    assert analyse(READY).findings == ()
    assert analyse(READY, asked(READY)).findings == ()


@pytest.mark.parametrize(
    ("nic", "firmware", "said"),
    [
        (Nic("hv_netvsc"), "Microsoft Corporation Virtual Machine", "MacAddressSpoofing"),
        (Nic("vmxnet3"), "VMware, Inc. VMware7,1", "forged transmits"),
        (Nic("e1000"), "VMware, Inc. VMware Virtual Platform", "forged transmits"),
        (Nic("ena"), "Amazon EC2 m5.metal", "ipvlan"),
        (Nic("virtio_net"), "Google Google Compute Engine", "ipvlan"),
        (Nic("virtio_net"), "OpenStack Foundation OpenStack Nova", "allowed-address"),
        (Nic("iavf", virtual_function=True), "Dell Inc.", "trust on"),
        (Nic("virtio_net"), "QEMU Standard PC", None),
        (Nic("e1000e"), "LENOVO", None),
        (Nic("igb"), "Google Chromebook", None),
    ],
)
def test_nics_that_may_drop_foreign_macs(nic: Nic, firmware: str, said: str | None) -> None:
    facts = replace(READY, nics={"eth0": nic}, vendor=firmware)
    for_all, for_one = analyse(facts), analyse(facts, asked(facts))
    if said is None:
        assert codes(for_all) == codes(for_one) == []
        return
    assert codes(for_all) == [("foreign-macs", "note")]
    assert codes(for_one) == [("foreign-macs", "warning")]
    assert said in str(only(for_one).command)
    assert "web/eth0" in only(for_one).why
    other = TOPOLOGY.replace('"macvlan"', '"ipvlan"')
    assert analyse(facts, asked(facts, text=other)).findings == ()


@pytest.mark.parametrize(
    ("change", "code", "severity"),
    [
        ({"kernel": (5, 4)}, "kernel-old", "warning"),
        ({"kernel": (5, 10)}, "kernel-no-address-marks", "note"),
        ({"missing_capabilities": ("CAP_NET_ADMIN",)}, "privilege-missing", "failure"),
        (
            {"missing_capabilities": ("CAP_NET_ADMIN",), "root": False},
            "privilege-user",
            "note",
        ),
        ({"kinds": {"vlan": "missing"}}, "kind-missing", "warning"),
        ({"identity": "0" * 32}, "machine-id", "warning"),
        (
            {"state": read_state({"host": {"links": {"wlan0": {"wifi_client": True}}}})},
            "parent-wifi",
            "note",
        ),
        (
            {"state": read_state({"host": {"links": {"eth0": {"master": "br0"}}}})},
            "parent-is-port",
            "note",
        ),
    ],
)
def test_a_machine_in_general(change: Mapping[str, Any], code: str, severity: str) -> None:
    assert codes(analyse(replace(READY, **change))) == [(code, severity)]


def test_a_kind_that_nothing_needs_is_no_matter() -> None:
    facts = replace(READY, kinds=dict.fromkeys(("vlan", "ipvlan"), "missing"))
    found = only(analyse(facts, asked(facts)))
    assert (found.code, found.severity) == ("kind-missing", "failure")
    assert "8021q" in found.what


def test_an_option_that_came_later() -> None:
    facts = replace(READY, kernel=(5, 10))
    report = analyse(facts, asked(facts, "bc_queue_len = 5000"))
    assert ("option-too-new", "failure") in codes(report)
    assert report.findings[0].to_dict()["line"] == 7
    default = analyse(facts, asked(facts, "bc_queue_len = 1000"))
    assert ("option-too-new", "failure") in codes(default)  # written, so `up` refuses it
    left_out = analyse(facts, asked(facts))
    assert codes(left_out) == [("kernel-no-address-marks", "note")]


def test_addresses_of_a_family_that_the_kernel_lacks() -> None:
    gone = {"disable_ipv6": None, "accept_ra": None, "accept_dad": None}
    state = read_state({"host": {"links": {"lo": {"kind": "loopback", **gone}, "eth0": gone}}})
    facts = replace(READY, state=state)
    assert ("no-ipv6", "failure") in codes(analyse(facts, asked(facts)))


@pytest.mark.parametrize(
    ("options", "severity"), [({"mode": "l2"}, "note"), ({"mode": "l3"}, "warning")]
)
def test_an_ipvlan_network_of_docker_in_another_mode(
    options: dict[str, str], severity: str
) -> None:
    network = DockerNetwork("theirs", "ipvlan", "eth0", options)
    facts = replace(READY, docker=(network,))
    text = TOPOLOGY.replace('"macvlan"', '"ipvlan"').replace("eth0.50", "eth0")
    assert codes(analyse(facts, asked(facts, text=text))) == [("docker-network", severity)]


def test_macs_written_in_the_file_need_no_machine_id() -> None:
    facts = replace(READY, identity="")
    assert codes(analyse(facts, asked(facts))) == [("machine-id", "warning")]
    written = TOPOLOGY.replace('network = "pub"', 'network = "pub"\nmac = "02:42:ac:10:03:0f"')
    assert analyse(facts, asked(facts, text=written)).findings == ()


def test_the_worst_comes_first() -> None:
    facts = replace(READY, kernel=(5, 10), identity="", kinds={"vlan": "missing"})
    severities = [finding.severity for finding in analyse(facts, asked(facts)).findings]
    assert severities == ["failure", "warning", "note"]


def test_every_finding_is_documented() -> None:
    rooms = (ROOT / "vlanlink/preflight").glob("*.py")
    said = {
        code for room in rooms for code in re.findall(r'Finding\(\s*"([\w-]+)"', room.read_text())
    }
    rows = set(
        re.findall(r"^\| `([\w-]+)` \|", (ROOT / "docs/doctor.md").read_text(), re.MULTILINE)
    )
    assert said == rows


# -- what is read ----------------------------------------------------------------------------------


def test_modules_are_looked_up_and_not_loaded(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("os.uname", lambda: type("U", (), {"release": "6.1.0"}))
    files = tmp_path / "modules" / "6.1.0"
    files.mkdir(parents=True)
    (files / "modules.builtin").write_text("kernel/drivers/net/dummy.ko\n")
    (files / "modules.dep").write_text(
        "kernel/net/8021q/8021q.ko.xz: kernel/net/802/mrp.ko.xz\n"
        "kernel/drivers/net/ipvlan/ipvlan.ko:\nkernel/drivers/net/macvtap.ko: k/macvlan.ko\n"
    )
    (tmp_path / "loaded" / "veth").mkdir(parents=True)
    places = replace(Places(), modules=tmp_path / "modules", loaded=tmp_path / "loaded")
    found = kinds(places, _may_not)
    assert found == {
        "dummy": "there",
        "vlan": "loadable",
        "ipvlan": "loadable",
        "veth": "there",
    }
    assert KINDS.keys() - found.keys() == {"macvlan"}, "only known for certain by asking"


def _may_not(_: object) -> None:
    raise PermissionError


def test_firmware_and_managers_that_are_not_there(tmp_path: Path) -> None:
    places = Places(*(tmp_path / "none" for _ in Places.__dataclass_fields__))
    assert vendor(places) == ""
    assert nics(READY.state.host.links.values(), places, managed=True)["lo"].managers == ()
    (tmp_path / "sys_vendor").write_text("QEMU\n")
    assert vendor(replace(places, firmware=tmp_path)) == "QEMU"


def test_two_nics_with_one_mac() -> None:
    links = {"eth0": {"mac": "52:54:00:00:00:01"}, "eth1": {"mac": "52:54:00:00:00:01"}}
    twin = replace(READY, state=read_state({"host": {"links": links}}))
    for report in (analyse(twin), analyse(twin, asked(twin))):
        found = next(one for one in report.findings if one.code == "mac-twice")
        assert "eth0 and eth1 have the same MAC, 52:54:00:00:00:01" in str(found)
    links["eth1"]["mac"] = "52:54:00:00:00:02"
    other = replace(READY, state=read_state({"host": {"links": links}}))
    assert analyse(other).findings == ()


ROUTER = """
[topology]
name = "office"
[networks.lan]
kind = "macvlan"
parent = "eth0"
[namespaces.pfsense.interfaces.eth0]
network = "lan"
addresses = ["192.0.2.1/24"]
"""


def test_the_hosts_router_is_its_own_endpoint() -> None:
    host = {
        "links": {"eth0": {"addresses": ["192.0.2.5/24"]}},
        "routes": ["default via 192.0.2.1 dev eth0 foreign"],
    }
    facts = replace(READY, state=read_state({"host": host}))
    found = only(analyse(facts, asked(facts, text=ROUTER)))
    assert (found.code, found.severity) == ("own-router", "warning")
    assert "router 192.0.2.1 is its own endpoint pfsense/eth0" in str(found)
    assert "via 192.0.2.1 dev shim0 onlink src 192.0.2.5" in str(found)
    elsewhere = ROUTER.replace("192.0.2.1/", "192.0.2.9/")
    assert analyse(facts, asked(facts, text=elsewhere)).findings == ()
