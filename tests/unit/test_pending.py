"""Changes that wait for confirmation: their files, and what systemd is told of them."""

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from vlanlink.boot import systemctl
from vlanlink.boot.systemctl import systemd_runs_here
from vlanlink.commit_confirm.timer import new_pending, timer_command
from vlanlink.errors import PrivilegeError
from vlanlink.host import Host
from vlanlink.store.files import Store
from vlanlink.store.leases import Leases
from vlanlink.store.pending import PendingCommit, PendingFile, now
from vlanlink.store.record import Record

LEASES = Leases({("pub", "web", "eth0"): ("192.0.2.5",)})
TEXT = '[topology]\nname = "office"\n'


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host("/run/netns/lab", run_directory=tmp_path / "run", machine_id="m")


@pytest.fixture
def store(host: Host) -> Store:
    return Store(host, 1)


def _pending(host: Host, before: Record | None = None, *, marked: bool = False) -> PendingCommit:
    return new_pending(host, before or Record("office"), LEASES, marked=marked, seconds=60)


def test_what_is_written_is_read(host: Host, store: Store) -> None:
    pending = _pending(host, Record("office", text=TEXT, file="/etc/office.toml"))
    assert 0 < pending.left <= 60
    with store.write_pending(pending) as file:
        assert (file.pending, file.outcome) == (pending, None)
        assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    (again,) = store.waiting()
    with again:
        assert again.pending == pending
    assert Store(host, 2).waiting() == []
    assert store.records() == []


def test_every_process_that_has_it_open_learns_what_became_of_it(host: Host, store: Store) -> None:
    with store.write_pending(_pending(host)) as mine, PendingFile(mine.path) as theirs:
        theirs.settle("confirmed")
        assert mine.outcome == "confirmed"
        assert store.waiting() == []
        assert os.listdir(host.run_directory) == []


def test_a_file_that_is_lost_is_no_confirmation(host: Host, store: Store) -> None:
    with store.write_pending(_pending(host)) as file:
        file.path.unlink()
        assert file.outcome is None
        file.settle("reverted")
        assert file.outcome == "reverted"


def test_a_settled_file_that_a_kill_left_waits_for_nothing(host: Host, store: Store) -> None:
    with store.write_pending(_pending(host)) as file:
        text = file.path.read_text()
        file.settle("confirmed")
    file.path.write_text(f"{text}\nconfirmed")
    assert store.waiting() == []


@pytest.mark.parametrize("text", ["", "{", "[]", "5", '{"version": 9}', "[" * 100_000, "\x00"])
def test_a_file_that_can_not_be_read_waits_for_nothing(host: Host, store: Store, text: str) -> None:
    store.write_pending(_pending(host)).close()
    next(host.run_directory.iterdir()).write_text(text)
    assert store.waiting() == []


def test_what_was_before(host: Host) -> None:
    assert _pending(host).text == ""
    assert _pending(host, Record("office")).text == ""  # down, but a namespace stayed
    before = _pending(host, Record("office", text=TEXT, file="/etc/office.toml"), marked=True)
    assert (before.text, before.file) == (TEXT, "/etc/office.toml")


@pytest.mark.parametrize(
    ("record", "why"),
    [
        pytest.param(None, "the copy of its file is lost or empty", id="lost"),
        pytest.param(Record("office"), "the copy of its file is lost or empty", id="built in code"),
        pytest.param(
            Record("office", text="[netwroks.x]\n"), "the copy of office has errors", id="newer"
        ),
    ],
)
def test_what_can_not_be_gone_back_to(host: Host, record: Record | None, why: str) -> None:
    with pytest.raises(PrivilegeError, match=why) as caught:
        _pending(host, record, marked=True)
    assert caught.value.exit_code == 4


def test_what_systemd_is_told(host: Host) -> None:
    pending = _pending(host)
    assert timer_command(pending, Path("/run/vlanlink/office@1.pending")) == [
        "systemd-run",
        "--quiet",
        "--collect",
        f"--unit=vlanlink-revert-office-{pending.token}",
        "--description=vlanlink: roll back office unless confirmed",
        "--on-active=60s",
        "--timer-property=AccuracySec=100ms",
        "--",
        sys.executable,
        "-P",
        "-m",
        "vlanlink.reverter",
        "/run/vlanlink/office@1.pending",
        pending.token,
    ]


def test_systemd_is_asked_only_where_it_is_the_init(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemctl, "_BOOTED", tmp_path / "none")
    assert not systemd_runs_here(Host())
    monkeypatch.setattr(systemctl, "_BOOTED", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not systemd_runs_here(Host())


def test_the_clock_has_no_say(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    before = now()
    monkeypatch.setattr("time.time", lambda: 0.0)
    pending = _pending(host)
    assert pending.deadline >= before + 60
    assert json.loads(json.dumps(pending.to_dict()))["deadline"] == pending.deadline
