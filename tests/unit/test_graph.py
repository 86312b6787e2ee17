"""Pictures: well-formed, complete, escaped, nothing from elsewhere.

``--browser PROGRAM`` renders the page in a headless Chromium and uses its search.
"""

import os
import re
import subprocess
from ipaddress import ip_address
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import vlanlink
from vlanlink.cli import main as command
from vlanlink.pictures.svg import MOST

ROOT = Path(__file__).parents[2]
ALL = sorted(
    p for p in (ROOT / "examples").glob("*.toml") if p.stem not in ("19-mistakes", "21-many")
)
HOST = vlanlink.Host(machine_id="0123456789abcdef0123456789abcdef")
PICTURES = {"02-three-networks": "three-networks", "04-trunk-two-kinds": "trunk", "21-many": "many"}
MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")


def drawn(text: str) -> vlanlink.Graph:
    return vlanlink.graph(vlanlink.load("x.toml", text=text), HOST)


def words(document: str) -> list[str]:
    """Every text of a picture; a malformed one fails here."""
    root = ET.fromstring(document)
    skipped = {"style", "script"}
    return [
        text
        for element in root.iter()
        if element.tag.rpartition("}")[2] not in skipped
        for text in (element.text, element.tail)
        if text and text.strip()
    ]


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_every_endpoint_stands_in_it_once(path: Path) -> None:
    topology = vlanlink.load(path)
    found = vlanlink.graph(topology, HOST)
    written = {
        address
        for space in topology.namespaces.values()
        for one in space.interfaces.values()
        for address in one.addresses or ()
        if address[0].isdigit() and "/" not in address
    }
    for document in (found.svg, found.html):
        said = words(document)
        assert written <= {word.partition("/")[0] for word in said}
        addresses = [w for w in said if re.fullmatch(r"[0-9a-f.:]+/\d+", w)]
        assert len(set(addresses)) == len(addresses)
        macs = [mac for word in said for mac in MAC.findall(word)]
        assert len(set(macs)) == len(macs)
        for name in topology.namespaces:
            assert any(word.startswith(name) for word in said)
    assert "http" not in re.sub(r'xmlns="[^"]*"', "", found.svg + found.html)
    assert not re.search(r"\b(src|href|url)\b", found.svg + found.html)


def many(count: int) -> str:
    head = '[networks.lan]\nkind = "macvlan"\nparent = "eth0"\n'
    head += 'subnets = [{ subnet = "10.0.0.0/16", gateway = "10.0.0.1" }]\n[namespaces]\n'
    return head + "".join(f'n{i}.interfaces.eth0.network = "lan"\n' for i in range(count))


def test_500_endpoints_are_cut_in_the_picture_and_folded_in_the_page() -> None:
    found = drawn(many(500))
    said = words(found.svg)
    assert "+460 more" in said
    assert sum(MAC.search(word) is not None for word in said) == MOST
    page = ET.fromstring(found.html)
    rows = page.findall(".//{*}tbody/{*}tr")
    assert len(rows) == 500
    assert sum("more" in row.get("class", "").split() for row in rows) == 460
    assert [b.text for b in page.findall(".//{*}button")] == ["+460 more"]
    assert len(found.tree().branches[0].branches[0].branches) == 500
    assert found.tree(40).branches[0].branches[0].branches[-1].text == "+460 more"


def test_names_are_escaped() -> None:
    found = drawn(
        '[networks."<n&\'"]\nkind = "macvlan"\nparent = "eth0"\n'
        'subnets = [{ subnet = "10.0.0.0/24" }]\n'
        '[namespaces."<script>alert(1)<!--]]>&amp;".interfaces.eth0]\nnetwork = "<n&\'"\n'
        '[host.sysctls]\n"net.ipv4.ip_forward" = "1 <i>"\n'
    )
    for document in (found.svg, found.html):
        said = words(document)
        assert any(word.startswith("<script>alert(1)<!--]]>&amp;") for word in said)
        assert "<n&'" in said
        assert all(word.strip().isprintable() for word in said)


def test_a_veth_pair_a_router_a_dummy_and_the_host() -> None:
    found = drawn(
        '[links.v0]\nkind = "veth"\naddresses = ["10.5.0.1/30"]\n'
        'peer = { name = "v1", namespace = "web", addresses = ["10.5.0.2/30"] }\n'
        '[namespaces.web]\nsysctls = { "net.ipv4.ip_forward" = 1 }\n'
        '[networks.quiet]\nkind = "ipvlan"\nsubnets = [{ subnet = "10.9.0.0/24" }]\n'
        '[namespaces.web.interfaces.eth0]\nnetwork = "quiet"\n'
        '[host]\nroutes = [{ to = "10.9.0.0/24", dev = "v0", via = "10.5.0.2" }]\n'
    )
    for document in (found.svg, found.html):
        said = words(document)
        assert {"veth pairs", "host/v0", "web/v1 (router)", "web (router)"} <= {
            word.strip() for word in said
        }
        assert any("dummy: nothing leaves the host" in word for word in said)
        assert any("route 10.9.0.0/24 dev v0" in word for word in said)


@pytest.mark.parametrize("example", PICTURES)
def test_the_pictures_of_the_documentation(example: str) -> None:
    found = vlanlink.graph(vlanlink.load(ROOT / f"examples/{example}.toml"), HOST).svg
    path = ROOT / f"docs/pictures/{PICTURES[example]}.svg"
    if os.environ.get("VLANLINK_GOLDEN_UPDATE"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(found)
    assert path.read_text() == found


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_prepare", lambda: None)
    monkeypatch.setattr(vlanlink, "revert_overdue", lambda: ())
    file = str(ROOT / "examples/02-three-networks.toml")
    assert command.main(["graph", file]) == 0
    tree = capsys.readouterr().out
    assert "\n    eth0.50  VLAN 50\n      vlan3  macvlan bridge  172.16.3.0/24, gateway" in tree
    for suffix in ("svg", "html"):
        target = tmp_path / f"x.{suffix}"
        assert command.main(["graph", file, "-o", str(target)]) == 0
        assert "kodexplorer1" in words(target.read_text())
    assert command.main(["graph", file, "-o", str(tmp_path / "x.png")]) == 2
    assert "ends in neither .svg nor .html" in capsys.readouterr().err


def test_the_search_in_a_browser(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    browser = pytestconfig.getoption("--browser")
    if not browser:
        pytest.skip("needs --browser PROGRAM")
    page = tmp_path / "page.html"
    page.write_text(drawn(many(500)).html)
    options = ["--headless", "--no-sandbox", f"--user-data-dir={tmp_path}", "--dump-dom"]
    address = f"{page.as_uri()}#10.0.1.2"
    done = subprocess.run([browser, *options, address], capture_output=True, text=True, check=True)
    shown = re.findall(r'<tr role="row" class="[^"]*">(.*?)</tr>', done.stdout)
    first = ip_address("10.0.0.2")
    wanted = [f"n{n}" for n in range(500) if "10.0.1.2" in str(first + n)]
    assert [re.sub("<.*?>", " ", row).split()[0] for row in shown] == wanted
    assert f"{len(shown)} of 500 endpoints" in done.stdout
    assert "hidden=" in done.stdout
