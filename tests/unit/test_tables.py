"""Tables at 60, 80 and 120 columns and in a pipe: tests/cases/terminal.

``VLANLINK_GOLDEN_UPDATE=1`` writes them again.
"""

import io
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import vlanlink
from tests.unit.test_output import Terminal
from vlanlink.cli import main as command
from vlanlink.cli import tables
from vlanlink.cli import verify as verify_verb
from vlanlink.cli.main import main
from vlanlink.inventory import EndpointStatus, HostLink, Lease, NetworkDetail, NetworkSummary
from vlanlink.planning.operations import RemoveLink
from vlanlink.planning.plan import Plan

CASES = Path(__file__).parents[1] / "cases/terminal"
WIDTHS = (60, 80, 120, None)
"""None: a pipe."""
SUBNETS = ("172.16.3.0/24", "2001:db8:abc8::/64", "2001:db8:1234:5678:9abc::/96")
ENDS = tuple(
    EndpointStatus(space, "eth0", f"02:42:ac:10:03:0{n}", (f"172.16.3.{n}/24", *more))
    for n, space, more in (
        (1, "web", ("2001:db8:abc8::42/64",)),
        (2, "database-of-the-shop", ("2001:db8:1234:5678:9abc:def0:1234:5678/96",)),
        (3, "bare", ()),
    )
)
ENDS = (*ENDS[:2], replace(ENDS[2], by_dhcp=ENDS[2].addresses))
HOST_LINKS = (
    HostLink("eth0.50", "parent", "vlan", "52:54:00:12:34:56", ("172.16.3.5/24",)),
    HostLink("pub-shim-3a4b5c", "shim", "macvlan", "02:42:ac:10:03:ff", ("169.254.7.7/32",)),
)
FACTS: tuple[dict[str, Any], ...] = (
    {
        "subnet": "172.16.3.0/24",
        "gateway": "172.16.3.1",
        "ip_range": "172.16.3.128/25",
        "aux_addresses": {"printer": "172.16.3.200"},
    },
    {"subnet": SUBNETS[1], "gateway": None, "ip_range": None, "aux_addresses": {}},
)
NETWORKS = (
    NetworkDetail(
        NetworkSummary("office", "pub", "macvlan", "bridge", "eth0.50", SUBNETS[:2], 3),
        FACTS,
        ENDS,
        HOST_LINKS,
    ),
    NetworkDetail(
        NetworkSummary("warehouse", "storage", "ipvlan", "l3s", None, SUBNETS, 0), (), (), ()
    ),
)
LEASES = tuple(
    Lease("office", "pub", "eth0.50", end.namespace, "eth0", text.partition("/")[0], n == 0)
    for end in ENDS
    for n, text in enumerate(end.addresses)
)
GONE = (RemoveLink(namespace="web", name="eth0", kind="macvlan", index=7),)
STATUSES = (
    vlanlink.Status("office", "up", Plan("office")),
    vlanlink.Status("shop", "drifted", Plan("shop", GONE)),
    vlanlink.Status("warehouse", "down", Plan("warehouse", GONE)),
)
WORDS = {
    "ls": "ls",
    "ls-endpoints": "ls --endpoints",
    "inspect": "inspect pub",
    "leases": "leases",
    "status": "status",
}
TOKEN = re.compile(r"[0-9a-f]+(?::+[0-9a-f]*)+(?:/\d+)?|\d+\.\d+\.\d+\.\d+(?:/\d+)?")
"""Addresses, MACs and prefixes."""


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    def inspect(name: str | None = None) -> Any:
        return NETWORKS if name is None else NETWORKS[0]

    monkeypatch.setattr(command, "_prepare", lambda: None)
    monkeypatch.setattr(command, "_revert_overdue", lambda: None)
    monkeypatch.setattr(vlanlink, "inspect", inspect)
    monkeypatch.setattr(vlanlink, "file_problems", lambda: ())
    monkeypatch.setattr(vlanlink, "leases", lambda *_, **__: LEASES)
    monkeypatch.setattr(vlanlink, "status", lambda: STATUSES)
    monkeypatch.setenv("NO_COLOR", "1")


def shown(words: str, width: int | None, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a verb prints at a width."""
    stream = io.StringIO() if width is None else Terminal()
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setenv("COLUMNS", str(width or 40))
    main(words.split())
    return stream.getvalue()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", WORDS)
def test_as_before(name: str, width: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(WORDS[name], width, monkeypatch)
    file = CASES / f"{name}-{width or 'pipe'}.txt"
    if os.environ.get("VLANLINK_GOLDEN_UPDATE"):
        file.write_text(text)
    assert text == file.read_text()
    assert width is None or all(len(line) <= width for line in text.splitlines())
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [*range(40, 130), None])
def test_inspect_loses_nothing_at_any_width(
    width: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = shown("inspect pub", width, monkeypatch)
    values = {value for end in ENDS for value in (end.namespace, end.mac, *end.addresses)}
    values |= {value for link in HOST_LINKS for value in (link.name, link.mac, *link.addresses)}
    assert all(value in text for value in values if value)


@pytest.mark.parametrize("width", range(40, 130))
@pytest.mark.parametrize("name", WORDS)
def test_addresses_macs_and_prefixes_are_whole(
    name: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = set(TOKEN.findall(shown(WORDS[name], None, monkeypatch)))
    assert set(TOKEN.findall(shown(WORDS[name], width, monkeypatch))) <= whole


def test_states_are_coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm")
    text = shown("status", 80, monkeypatch)
    for colour, state in (("32", "up"), ("33", "drifted"), ("31", "down")):
        assert re.search(rf"\x1b\[{colour}m{state} *\x1b\[0m", text)


def test_a_text_column_is_cut_before_one_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setenv("COLUMNS", "40")
    columns = (tables.Column("from"), tables.Column("why", drop=1, text=True))
    tables.print_table(columns, [("web", "word " * 12)])
    assert stream.getvalue().splitlines()[1] == "web   " + ("word " * 7)[:33] + "…"


def test_all_failing_pairs_are_named() -> None:
    row = {"expected": "reachable", "measured": "unreachable", "kind": "same network"}
    rows: list[dict[str, object]] = [
        {
            **row,
            "cause": None,
            "facts": ["x"],
            "from": f"a{n}",
            "to": "b",
            "address": f"192.0.2.{n}",
        }
        for n in range(30)
    ]
    text = "\n".join(line for _, line in verify_verb._differences(rows))
    assert all(f"a{n} → b 192.0.2.{n}" in text for n in range(30))
