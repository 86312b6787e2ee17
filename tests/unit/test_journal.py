"""logs: entries of the journal, by a journalctl that plays systemd's."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

import vlanlink
from vlanlink.boot import journal
from vlanlink.cli.main import main

ENTRY = {
    "__REALTIME_TIMESTAMP": "1795887300123456",
    "MESSAGE": "office is up: 8 created.",
    "PRIORITY": "6",
    "SYSLOG_IDENTIFIER": "vlanlink",
}
BYTES = {**ENTRY, "MESSAGE": [255, 27, 65], "PRIORITY": None}
OFFICE = vlanlink.Topology(name="office")
"""Known without a look at the machine, as a file is."""
Play = Callable[..., Path]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """A journalctl that prints and exits as told; its arguments are in the file returned."""

    def made(*entries: object, stderr: str = "", code: int = 0) -> Path:
        lines = "\n".join(json.dumps(entry) for entry in entries)
        script = tmp_path / "journalctl"
        script.write_text(
            f"#!/bin/sh\necho \"$*\" >{tmp_path}/told\ncat <<'END'\n{lines}\nEND\n"
            f"echo '{stderr}' >&2\nexit {code}\n"
            if entries
            else f"#!/bin/sh\necho '{stderr}' >&2\nexit {code}\n"
        )
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        return tmp_path / "told"

    return made


def test_entries(play: Play) -> None:
    told = play(ENTRY, BYTES)
    first, second = vlanlink.logs(OFFICE, lines=2)
    assert first == vlanlink.LogEntry(
        datetime(2026, 11, 28, 17, 35, 0, 123456, UTC), "office is up: 8 created.", "vlanlink", 6
    )
    assert (second.message, second.priority) == ("\\xff\x1bA", None)
    words = told.read_text().split()
    assert {"--unit=vlanlink@office.service", "--lines=2"} <= set(words)
    assert "--follow" not in words


@pytest.fixture
def office(tmp_path: Path) -> str:
    (tmp_path / "office.toml").write_text("[topology]\n")
    return f"{tmp_path}/office.toml"


def test_printed(play: Play, office: str, capsys: pytest.CaptureFixture[str]) -> None:
    play(ENTRY, BYTES)
    assert main(["logs", office]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(" vlanlink: office is up: 8 created.")
    assert lines[1].endswith(" vlanlink: \\xff\\x1bA")
    assert main(["logs", office, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["version"], found["topology"]) == (1, "office")
    assert found["entries"][0]["time"] == "2026-11-28T17:35:00.123+00:00"
    told = play(ENTRY, BYTES)
    assert main(["logs", office, "-f", "--json"]) == 0
    assert [json.loads(line)["priority"] for line in capsys.readouterr().out.splitlines()] == [
        6,
        None,
    ]
    assert "--follow" in told.read_text()


def test_no_entries(play: Play, office: str, capsys: pytest.CaptureFixture[str]) -> None:
    play()
    assert main(["logs", office]) == 0
    found = capsys.readouterr()
    assert (found.out, found.err) == (
        "",
        "the journal has no entries of vlanlink@office.service\n",
    )


def test_not_permitted(play: Play) -> None:
    play(stderr="No journal files were opened due to insufficient permissions.", code=1)
    with pytest.raises(vlanlink.PrivilegeError, match="not permitted to read"):
        list(vlanlink.logs(OFFICE))
    play(stderr="Hint: You are currently not seeing messages from other users and the system.")
    with pytest.raises(vlanlink.PrivilegeError):
        list(vlanlink.logs(OFFICE))


def test_failures(play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(stderr="Failed to open journal", code=1)
    with pytest.raises(vlanlink.ConflictError, match="journalctl failed: Failed to open journal"):
        list(vlanlink.logs(OFFICE))
    with pytest.raises(vlanlink.UsageError):
        vlanlink.logs("no name")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(vlanlink.ConflictError, match="journalctl not found"):
        vlanlink.logs(OFFICE)


def test_an_iterator_that_is_closed_ends_journalctl(play: Play) -> None:
    script = play(ENTRY).with_name("journalctl")
    script.write_text(f"#!/bin/sh\necho '{json.dumps(ENTRY)}'\nexec sleep 1000\n")
    entries = vlanlink.logs(OFFICE, follow=True)
    assert next(entries).program == "vlanlink"
    entries.close()


def test_many_complaints_hold_up_nothing(play: Play) -> None:
    script = play(ENTRY).with_name("journalctl")
    complaint = "Journal file is truncated, ignoring it. " * 10
    lines = f"yes '{complaint}' | head -n 1000 >&2"
    script.write_text(f"#!/bin/sh\n{lines}\necho '{json.dumps(ENTRY)}'\n")
    assert [entry.program for entry in vlanlink.logs(OFFICE)] == ["vlanlink"]


def test_a_journalctl_that_does_not_end(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_END_SECONDS", 0.2)
    script = play(ENTRY).with_name("journalctl")
    script.write_text(
        f"#!/bin/sh\ntrap '' TERM\necho '{json.dumps(ENTRY)}'\nexec sleep 1000 >&- 2>&-\n"
    )
    entries = vlanlink.logs(OFFICE)
    assert next(entries).program == "vlanlink"
    with pytest.raises(vlanlink.ConflictError, match=r"did not end within 0.2 s"):
        next(entries)
