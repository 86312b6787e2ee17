"""One at a time: who holds the lock is told, and nobody who is gone holds it."""

import fcntl
import multiprocessing
import os
import sys
import threading
from pathlib import Path

import pytest

from vlanlink.store.lock import (
    Holder,
    LockedError,
    LockLostError,
    hold_directory,
    locked,
    locked_directory,
)

LONG = 30.0


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "lock"


def test_one_at_a_time(lock: Path) -> None:
    refused = pytest.raises(LockedError)
    with locked(lock, 0), refused, locked(lock, 0.1):
        pytest.fail("two hold the lock")
    with locked(lock, 0):
        pass


def test_the_holder_is_named(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/vlanlink", "up", "my \x1b[31moffice.toml"])
    with pytest.raises(LockedError) as caught, locked(lock, 0), locked(lock, 0):
        pytest.fail("two hold the lock")
    holder = caught.value.holder
    assert holder is not None
    assert (holder.pid, holder.command) == (os.getpid(), r"vlanlink up $'my \x1b[31moffice.toml'")
    assert str(caught.value) == f"another vlanlink process holds the lock: {holder}"
    assert str(Holder(5, "vlanlink down x", "12:00")) == "pid 5 (vlanlink down x), since 12:00"


@pytest.mark.parametrize("text", ["", "5", "{", '{"pid": 5}', "\x00", "[" * 4000, "\udcff"])
def test_a_holder_who_does_not_say_who_it_is(lock: Path, text: str) -> None:
    with locked(lock, 0):
        lock.write_text(text, errors="surrogateescape")
        with (
            pytest.raises(LockedError, match=r"^another vlanlink process holds the lock$"),
            locked(lock, 0),
        ):
            pytest.fail("two hold the lock")


def test_nobody_waits_long_for_a_directory(tmp_path: Path) -> None:
    with locked_directory(tmp_path):
        descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
        hold_directory(descriptor, 0.1)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    hold_directory(descriptor, 0)
    other = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    with pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)
    os.close(other)


def test_a_long_name_before_leaves_nothing_behind(
    lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["vlanlink", "up", "long" * 20])
    with locked(lock, 0):
        pass
    monkeypatch.setattr(sys, "argv", ["vlanlink", "ls"])
    with pytest.raises(LockedError, match="vlanlink ls"), locked(lock, 0), locked(lock, 0):
        pytest.fail("two hold the lock")


def test_who_failed_is_named_no_longer(lock: Path) -> None:
    with pytest.raises(RuntimeError), locked(lock, 0):
        raise RuntimeError
    assert lock.read_bytes() == b""


def test_the_next_one_waits_and_knows_for_whom(lock: Path) -> None:
    order: list[str] = []
    held, waits = threading.Event(), threading.Event()
    told: list[Holder | None] = []

    def first() -> None:
        with locked(lock, 0):
            held.set()
            waits.wait(LONG)
            order.append("first")

    def on_held(holder: Holder | None) -> None:
        told.append(holder)
        waits.set()

    thread = threading.Thread(target=first)
    thread.start()
    held.wait(LONG)
    with locked(lock, LONG, on_held):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]
    assert [holder.pid for holder in told if holder] == [os.getpid()]


def _hold_and_die(lock: Path) -> None:
    with locked(lock, 0):
        os._exit(0)


def test_a_holder_that_dies_frees_the_lock(lock: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_hold_and_die, args=(lock,))
    process.start()
    process.join()
    with locked(lock, 0):
        pass


def test_a_lock_that_was_removed_while_it_was_waited_for_is_none(lock: Path) -> None:
    """Whoever waited for the old file would not be alone with those who find the new one."""

    def on_held(_: Holder | None) -> None:
        lock.unlink()
        waits.set()

    held, waits = threading.Event(), threading.Event()

    def first() -> None:
        with locked(lock, 0):
            held.set()
            waits.wait(LONG)

    thread = threading.Thread(target=first)
    thread.start()
    held.wait(LONG)
    with locked(lock, LONG, on_held), pytest.raises(LockedError), locked(lock, 0):
        pytest.fail("two hold the lock")
    thread.join()


def test_a_link_is_not_followed(lock: Path, tmp_path: Path) -> None:
    lock.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"), locked(lock, 0):
        pytest.fail("followed")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("how", ["removed", "replaced", "linked", "the directory"])
def test_a_lock_whose_file_goes_is_lost(tmp_path: Path, how: str) -> None:
    (tmp_path / "run").mkdir()
    lock = tmp_path / "run" / "lock"
    with locked(lock, 0) as held:
        held.check()
        lock.rename(lock.with_name("old"))
        match how:
            case "replaced":
                lock.touch(0o600)
            case "linked":
                lock.symlink_to(lock.with_name("old"))
            case "the directory":
                lock.parent.rename(tmp_path / "gone")
        with pytest.raises(LockLostError, match="was removed or replaced"):
            held.check()
