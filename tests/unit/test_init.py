"""init: the first topology for machines of every sort is right, explained, and fits the machine."""

import ipaddress
from pathlib import Path
from typing import Any

import pytest

import vlanlink
from tests.unit.golden import read_state
from vlanlink.cli import main as command
from vlanlink.cli.main import main
from vlanlink.desired.context import Context
from vlanlink.desired.resolve import resolve
from vlanlink.kernel.facts import MachineFacts, Nic
from vlanlink.preflight import first
from vlanlink.topology import parse

MAC = "52:54:00:12:34:56"


def link(**more: Any) -> dict[str, Any]:
    return {"mac": MAC, "up": True, **more}


def machine(
    links: dict[str, Any],
    routes: tuple[str, ...] = (),
    vendor: str = "",
    **drivers: str,
) -> MachineFacts:
    state = read_state({"host": {"links": links, "routes": routes}})
    nics = {name: Nic(driver=driver) for name, driver in drivers.items()}
    return MachineFacts(state, kernel=(6, 1), nics=nics, vendor=vendor)


DEFAULT = ("default via 192.168.1.1 dev eth0",)
AT_HOME = machine(
    {"eth0": link(addresses=["192.168.1.7/24"]), "eth1": link()}, DEFAULT, eth0="e1000e"
)


def written(
    facts: MachineFacts, parent: str | None = None, kind: str | None = None
) -> tuple[str, vlanlink.Topology]:
    """The text and the topology, which has no warning and no conflict on the machine."""
    text = first.text(facts, "lan", parent, kind)
    topology = parse(text, file="lan.toml")
    assert topology.warnings == ()
    found = resolve(topology, facts.state, Context(identity="0" * 32))
    assert found.conflicts == ()
    assert vlanlink.formatted("lan.toml", text=text) == text
    return text, topology


def test_a_host_on_a_lan() -> None:
    text, topology = written(AT_HOME)
    assert "# eth0: e1000e, 192.168.1.7/24, default route\n" in text
    network = topology.networks["lan"]
    assert (network.kind, network.parent) == ("macvlan", "eth0")
    (subnet,) = network.subnets or ()
    assert str(subnet.subnet) == "192.168.1.0/24"
    assert str(subnet.gateway) == "192.168.1.1"
    assert str(subnet.ip_range) == "192.168.1.192/26"
    assert list(topology.namespaces) == ["web", "db"]


def test_every_line_is_explained() -> None:
    lines = written(AT_HOME)[0].splitlines()
    keys = [line for line in lines if " = " in line and not line.startswith(("#", " "))]
    assert [line for line in keys if "  # " not in line] == ["subnets = [", 'network = "lan"']


@pytest.mark.parametrize(
    ("facts", "parent", "kind", "why"),
    [
        (machine({"wlan0": link(wifi_client=True)}), "wlan0", "ipvlan", "Wi-Fi"),
        (
            machine({"eth0": link()}, DEFAULT, vendor="Hetzner", eth0="virtio_net"),
            "eth0",
            "ipvlan",
            "Hetzner Cloud",
        ),
        (machine({"ens3": link(kind="device")}), "ens3", "macvlan", "MAC of its own"),
        (
            machine({"eth0": link(master="br0"), "br0": link(kind="bridge")}),
            "br0",
            "macvlan",
            "br0 has no address here",
        ),
        (
            machine({"tun0": {"kind": "tun", "up": True}}),
            None,
            "macvlan",
            "nothing leaves the host",
        ),
        (
            machine(
                {
                    "docker0": link(kind="bridge", addresses=["172.17.0.1/16"]),
                    "eth0": link(addresses=["10.0.0.5/8"]),
                }
            ),
            "eth0",
            "macvlan",
            "the LAN of eth0 (10.0.0.5/8)",
        ),
    ],
    ids=["wifi", "cloud", "bare", "port", "none", "docker"],
)
def test_parents_and_kinds(facts: MachineFacts, parent: str | None, kind: str, why: str) -> None:
    text, topology = written(facts)
    network = topology.networks["lan"]
    assert (network.parent, network.kind) == (parent, kind)
    assert why in text


@pytest.mark.parametrize("address", [f"192.0.2.{n}/{p}" for p in (24, 26, 28) for n in (1, 7, 254)])
def test_the_range_is_free_of_the_host(address: str) -> None:
    facts = machine({"eth0": link(addresses=[address])})
    (subnet,) = written(facts)[1].networks["lan"].subnets or ()
    host = ipaddress.ip_interface(address)
    assert str(subnet.subnet) == str(host.network)
    assert subnet.ip_range is None or host.ip not in subnet.ip_range


def test_a_prefix_without_room_is_no_lan() -> None:
    facts = machine(
        {"eth0": link(addresses=["203.0.113.5/32"])},
        ("192.168.218.0/24 dev eth0",),
    )
    (subnet,) = written(facts)[1].networks["lan"].subnets or ()
    assert str(subnet.subnet) == "192.168.219.0/24"


def test_as_asked_for() -> None:
    text, topology = written(AT_HOME, "eth1.50", "ipvlan")
    assert topology.networks["lan"].parent == "eth1.50"
    assert "eth1.50 has no address here" in text
    assert 'gateway = "192.168.1.1"' in written(AT_HOME, "eth0")[0]
    with pytest.raises(vlanlink.UsageError, match="no link eth7"):
        first.text(AT_HOME, "lan", "eth7")
    with pytest.raises(vlanlink.UsageError, match="a network's kind is not bridge"):
        first.text(AT_HOME, "lan", None, "bridge")
    port = machine({"eth0": link(master="br0"), "br0": link(kind="bridge")})
    with pytest.raises(vlanlink.ConflictError, match="eth0 is a port of br0"):
        first.text(port, "lan", "eth0")


def test_names_that_exist_are_passed_over() -> None:
    topology = parse(first.text(AT_HOME, "lan", taken=["web", "web1", "db2"]), file="lan.toml")
    assert list(topology.namespaces) == ["web2", "db"]


# -- the verb ----------------------------------------------------------------------------------


def test_it_never_overwrites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "_prepare", lambda: None)
    asked: list[str] = []

    def made(name: str, *_: object) -> str:
        asked.append(name)
        return "# first\n"

    monkeypatch.setattr(vlanlink, "first_topology", made)
    assert main(["init"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "  sudo vlanlink up"
    assert Path("vlanlink.toml").read_text() == "# first\n"
    assert main(["init"]) == 2
    assert "vlanlink.toml exists" in capsys.readouterr().err
    assert main(["init", "-o", "office.toml"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "  sudo vlanlink up office.toml"
    assert main(["init", "-o", "-"]) == 0
    assert capsys.readouterr().out == "# first\n"
    assert asked == ["lan", "office", "lan"]
