"""What the service manager is told: sd_notify(3)."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from vlanlink.cli.sd_notify import Service


class Manager:
    """The other end."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0"))
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        found = []
        while True:
            try:
                found += self.socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return found


@pytest.fixture(params=["path", "abstract"])
def manager(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Manager]:
    address = {"path": str(tmp_path / "s"), "abstract": f"@vlanlink-{os.getpid()}"}[request.param]
    found = Manager(address)
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    yield found
    found.socket.close()


def test_ready_when_it_is_up(manager: Manager) -> None:
    service = Service()
    service.report("blocked", "waiting")
    assert manager.heard() == ["STATUS=waiting"]
    service.report("up", "office is up")
    assert manager.heard() == ["STATUS=office is up", "READY=1"]
    service.report("repaired", "office repaired")
    assert manager.heard() == ["STATUS=office repaired"]
    service.close()
    assert manager.heard() == ["STOPPING=1"]
    assert "NOTIFY_SOCKET" not in os.environ


def test_without_repair_ready_whatever_is_found(manager: Manager) -> None:
    Service(ready_at_once=True).report("down", "down")
    assert manager.heard() == ["STATUS=down", "READY=1"]


def test_a_reload_ends_with_what_comes_of_it(manager: Manager) -> None:
    service = Service()
    service.report("up", "up")
    manager.heard()
    service.report("reloaded", "again")
    status, reloading, since = manager.heard()
    assert (status, reloading) == ("STATUS=again", "RELOADING=1")
    assert since.removeprefix("MONOTONIC_USEC=").isdigit()
    service.report("blocked", "waiting")
    assert manager.heard() == ["STATUS=waiting", "READY=1"]


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [
        ("2000000", None, 1.0),
        ("2000000", "own", 1.0),
        ("2000000", "1", None),
        (None, None, None),
        ("soon", None, None),
    ],
)
def test_signs_of_life(
    manager: Manager,
    monkeypatch: pytest.MonkeyPatch,
    usec: str | None,
    pid: str | None,
    seconds: float | None,
) -> None:
    for name, value in (("WATCHDOG_USEC", usec), ("WATCHDOG_PID", pid)):
        if value:
            monkeypatch.setenv(name, str(os.getpid()) if value == "own" else value)
        else:
            monkeypatch.delenv(name, raising=False)
    service = Service()
    assert service.beat_seconds == seconds
    service.beat()
    assert manager.heard() == (["WATCHDOG=1"] if seconds else [])


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for address in (None, "/nonexistent/socket"):
        if address:
            monkeypatch.setenv("NOTIFY_SOCKET", address)
        Service().report("up", "up")
