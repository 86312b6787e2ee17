"""What a path can lead to, short of a topology."""

import os
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from vlanlink.errors import Diagnostic, TopologyError
from vlanlink.topology import load, parse
from vlanlink.topology.load import LARGEST


def refused(path: Path, text: str | None = None) -> Diagnostic:
    with pytest.raises(TopologyError) as caught:
        load(path, text=text)
    assert caught.value.exit_code == 2
    return caught.value.diagnostics[0]


def test_a_file_without_a_table_is_refused(tmp_path: Path) -> None:
    one = refused(tmp_path / "office.v2.toml", "# nothing\n")
    assert one.message == "the file has no table"
    assert one.hint == "to take a topology down, run: vlanlink down office.v2"
    assert "down NAME" in str(refused(Path("-"), ""))


def test_a_topology_is_named_by_its_file(tmp_path: Path) -> None:
    file = tmp_path / "office.v2.toml"
    file.write_text("[links]\n")
    topology = load(file)
    assert topology.name == "office.v2"
    assert not topology.networks
    assert topology.source is not None
    assert topology.source.file == str(file)


def test_a_stem_that_is_no_name(tmp_path: Path) -> None:
    file = tmp_path / "my office.toml"
    file.write_text("[links]\n")
    one = refused(file)
    assert '"my office"' in one.message
    assert one.hint == "write name = … under [topology]"
    file.write_text('[topology]\nname = "office"\n')
    assert load(file).name == "office"


def test_text_read_elsewhere() -> None:
    assert load("-", text='[topology]\nname = "piped"').name == "piped"
    assert "no name" in refused(Path("-"), "[links]").message


def test_a_name_at_the_top(tmp_path: Path) -> None:
    assert refused(tmp_path / "a.toml", 'name = "x"').hint == "write it under [topology]"


def test_a_missing_file(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "gone.toml").message


def test_a_directory(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    assert "directory" in refused(tmp_path).message
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_fifo_does_not_block(tmp_path: Path) -> None:
    file = tmp_path / "fifo.toml"
    os.mkfifo(file)
    assert "not a regular file" in refused(file).message


def test_a_device() -> None:
    assert "not a regular file" in refused(Path("/dev/zero")).message


def test_a_path_that_no_file_can_have() -> None:
    assert "can't read" in refused(Path("a\0b.toml")).message


def test_a_file_of_10_mb(tmp_path: Path) -> None:
    file = tmp_path / "large.toml"
    file.write_text("# large\n" * (10 * 1024 * 1024 // 8))
    assert "more than 4 MiB" in refused(file).message


def test_the_largest_file(tmp_path: Path) -> None:
    file = tmp_path / "large.toml"
    file.write_text("[links]\n" + "#" * (LARGEST - 8))
    assert load(file).name == "large"


SHADOW = "root:$6$salt$0a/b=:19000:0:99999:7:::\nbin:*:19000:0:99999:7:::\n"


@pytest.mark.parametrize("end", ["", "\xff"])
def test_nothing_of_a_file_of_something_else_is_shown(tmp_path: Path, end: str) -> None:
    file = tmp_path / "shadow"
    file.write_bytes((SHADOW + end).encode("latin-1"))
    with pytest.raises(TopologyError) as caught:
        load(file)
    assert len(caught.value.diagnostics) == 1
    assert "salt" not in str(caught.value)


def test_no_utf8(tmp_path: Path) -> None:
    file = tmp_path / "latin.toml"
    file.write_bytes(b'[topology]\nname = "b\xe4r"\n')
    one = refused(file)
    assert (one.line, one.column) == (2, 10)
    assert "0xe4" in one.message


@pytest.mark.parametrize("text", ["\0", "a = \0", '[links.a]\nkind = "\0"', "# \0"])
def test_nul(tmp_path: Path, text: str) -> None:
    one = refused(tmp_path / "nul.toml", text)
    assert "\0" not in str(one)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 10_000,
        "a = " + "{ a = " * 10_000,
        "a = " + "[" * 40 + "]" * 40,
        "a." * 20_000 + "b = 1",
        "[" + "a." * 20_000 + "b]",
        "a." * 100 + "b = 1",
        "n = " + "9" * 5000,
    ],
)
def test_depth_and_length_have_bounds(tmp_path: Path, text: str) -> None:
    refused(tmp_path / "deep.toml", text)


def test_controls_do_not_reach_the_terminal() -> None:
    with pytest.raises(TopologyError) as caught:
        parse('[links."a\\u001b[2J"]\nkind = "x\\u009b"')
    assert all(one.isprintable() or one == "\n" for one in str(caught.value))


def test_a_thousand_endpoints_are_checked_in_linear_time() -> None:
    text = (
        '[networks.p]\nkind = "macvlan"\nparent = "eth0"\nsubnets = [{ subnet = "10.0.0.0/8" }]\n'
    )
    text += "".join(
        f'[namespaces.n{at}.interfaces.e]\nnetwork = "p"\n'
        f'addresses = ["10.0.{at // 200}.{at % 200 + 1}"]\n'
        for at in range(1000)
    )
    assert len(parse(text).namespaces) == 1000


def test_reading_a_good_file_loads_no_syntax_tree(tmp_path: Path) -> None:
    file = tmp_path / "good.toml"
    file.write_text('[links.d0]\nkind = "dummy"\n')
    program = (
        "import sys, vlanlink.topology\n"
        f"vlanlink.topology.load({str(file)!r})\n"
        "print([name for name in ('tree_sitter', 'pyroute2', 'rich') if name in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert ran.stdout.strip() == "[]"


def test_a_mapping_without_a_name() -> None:
    with pytest.raises(TopologyError, match="the topology has no name"):
        load({"links": {}})
    with pytest.raises(TopologyError, match="the topology has no name"):
        load({})


ENDLESS: dict[str, Any] = {"topology": {"name": "x"}}
ENDLESS["links"] = ENDLESS


@pytest.mark.parametrize(
    ("mapping", "path"),
    [
        ({"topology": {"name": "x"}, 5: {}}, ("5",)),
        ({"topology": {"name": "x"}, "links": {("a",): {"kind": "dummy"}}}, ("links", "('a',)")),
        ({"topology": {"name": "x"}, "links": {"a": object()}}, ("links", "a")),
        ({"topology": {"name": "x"}, "links": {"a": None}}, ("links", "a")),
        ({"topology": {"name": "x"}, "links": {"a\ud800": {"kind": "dummy"}}}, ("links",)),
        ({"topology": {"name": "x"}, "namespaces": {"a": {"path": "/\ud800"}}},
         ("namespaces", "a", "path")),
        ({"topology": {"name": "x"}, "links": {"a": {"kind": b"dummy"}}}, ("links", "a", "kind")),
        ({"topology": {"name": "x"}, "networks": {
            "a": {"kind": "macvlan", "probe": {"seconds": float("nan")}}}},
         ("networks", "a", "probe", "seconds")),
        ({"topology": {"name": "x"}, "links": {"a": {"kind": "dummy", "altnames": {"b"}}}},
         ("links", "a", "altnames")),
        (ENDLESS, ("links", "links")),
    ],
)  # fmt: skip
def test_a_mapping_that_is_no_topology(mapping: dict[str, Any], path: tuple[str, ...]) -> None:
    with pytest.raises(TopologyError) as caught:
        load(mapping)
    paths = {one.path[: len(path)] for one in caught.value.diagnostics}
    assert path in paths
    assert str(caught.value).isprintable() or "\n" in str(caught.value)


def test_a_mapping_of_python_values() -> None:
    network = ip_network("192.0.2.0/24")
    subnet = {"subnet": network, "gateway": network[1], "aux_addresses": {"nas": network[9]}}
    mapping = {
        "topology": {"name": "x"},
        "networks": {"pub": MappingProxyType({"kind": "macvlan", "subnets": (subnet,)})},
        "namespaces": {"web": {"path": Path("/proc/1/ns/net")}},
    }
    found = load(mapping)
    assert (found.networks["pub"].subnets or ())[0].gateway == network[1]
    assert found.namespaces["web"].path == "/proc/1/ns/net"
