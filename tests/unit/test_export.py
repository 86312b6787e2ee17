"""``export``: networkd files, conflists, scripts, and what each can't say."""

import configparser
import json
import subprocess
from pathlib import Path

import pytest

import vlanlink
from tests.json_schema import judge
from vlanlink.cli import main as command

EXAMPLES = Path(__file__).parents[2] / "examples"
ALL = sorted(
    path for path in EXAMPLES.glob("*.toml") if path.stem not in ("19-mistakes", "21-many")
)
HOST = vlanlink.Host(machine_id="0123456789abcdef0123456789abcdef")


def exported(name: str, to: str, **options: bool) -> vlanlink.Exported:
    topology = vlanlink.load(EXAMPLES / f"{name}.toml")
    return vlanlink.export(topology, to, HOST, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_every_example_in_every_format(path: Path) -> None:
    for undo in (False, True):
        (text,) = exported(path.stem, "iproute2", undo=undo).files.values()
        subprocess.run(["sh", "-n"], input=text, text=True, check=True)
    for name, text in exported(path.stem, "networkd").files.items():
        found = configparser.RawConfigParser(strict=False)
        found.read_string(text)
        assert found.sections()
        assert name.endswith((".netdev", ".network", ".conf"))
    conflists = exported(path.stem, "cni").files
    topology = vlanlink.load(path)
    assert len(conflists) == len(topology.networks)
    for text in conflists.values():
        document = json.loads(text)
        assert document["plugins"][0]["type"] in ("macvlan", "ipvlan")


def test_a_trunk_for_networkd() -> None:
    files = exported("04-trunk-two-kinds", "networkd").files
    assert files["50-eth0.50.netdev"] == "[NetDev]\nName=eth0.50\nKind=vlan\n\n[VLAN]\nId=50\n"
    parent = files["eth0.network.d/trunk-two-kinds.conf"]
    assert parent == "[Network]\nVLAN=eth0.50\nVLAN=eth0.60\n"


def test_what_networkd_can_not_say_is_said_by_line() -> None:
    found = exported("18-router-host", "networkd")
    assert [(one.line, one.message.partition(":")[0]) for one in found.warnings] == [
        (35, "namespace web is not exported"),
        (39, "namespace db is not exported"),
        (13, "sysctl net.ipv4.ip_forward is not exported"),
        (None, "the file for eth0 is a drop-in for eth0.network"),
    ]


def test_a_range_without_the_addresses_of_others() -> None:
    (text,) = exported("03-ip-range", "cni").files.values()
    (ranges,) = json.loads(text)["plugins"][0]["ipam"]["ranges"]
    assert [(one["rangeStart"], one["rangeEnd"]) for one in ranges] == [
        ("192.168.32.128", "192.168.32.128"),
        ("192.168.32.130", "192.168.32.254"),
    ]
    assert {one["gateway"] for one in ranges} == {"192.168.32.254"}


def test_conflists_follow_each_other_and_files_have_headings() -> None:
    text = exported("02-three-networks", "cni").text
    first, end = json.JSONDecoder().raw_decode(text)
    assert first["name"] == "three-networks-vlan2"
    assert json.JSONDecoder().raw_decode(text[end:].lstrip())[0]["name"] == "three-networks-vlan3"
    assert exported("02-three-networks", "networkd").text.startswith(
        "# 50-eth0.50.netdev\n[NetDev]"
    )


def test_words_are_quoted() -> None:
    text = '[links."a$(id)"]\nkind = "dummy"\n'
    topology = vlanlink.load("x.toml", text=text)
    found = vlanlink.export(topology, "iproute2", HOST).text
    assert "'a$(id)'" in found
    assert "link add name a$" not in found


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_prepare", lambda: None)
    monkeypatch.setattr(vlanlink, "revert_overdue", lambda: ())
    file = str(EXAMPLES / "02-three-networks.toml")
    assert command.main(["export", file, "--to", "networkd", "-o", str(tmp_path / "new")]) == 0
    said = capsys.readouterr()
    assert "namespace nginx is not exported" in said.err
    assert all(Path(line).exists() for line in said.out.splitlines())
    assert command.main(["export", file, "--to", "cni", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    judge("export", document)
    assert len(document["files"]) == 3
    assert command.main(["export", file, "--to", "cni", "--undo"]) == 2
    assert command.main(["export", file, "--to", "netplan"]) == 2
    assert "unknown value of --to: netplan" in capsys.readouterr().err
