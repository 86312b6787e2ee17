"""Whoever reads the output, and however: work goes on, and nobody waits for the lock."""

import os
import pty
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.command_line import VLANLINK
from tests.kernel.lan import Lan
from tests.kernel.topologies import small
from tests.kernel.world import World, until
from vlanlink.reconcile.session import open_session

pytestmark = pytest.mark.needs("macvlan")

FILE = "/run/office.toml"
TOPOLOGY = small("office", a="", b="")
OTHER = '[topology]\nname = "other"\n[links.x0]\nkind = "macvlan"\nparent = "eth0"\n'


@dataclass
class Reader:
    """Where the output goes, and how it gets on from there in the end."""

    stream: int
    go_on: Callable[[], None] = lambda: None
    terminal: bool = False


@contextmanager
def never() -> Iterator[Reader]:
    """A pipe that is full, until ``go_on``."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    os.set_blocking(writer, True)
    threads = []

    def drain() -> None:
        thread = threading.Thread(target=_read_all, args=(reader,))
        thread.start()
        threads.append(thread)

    yield Reader(writer, drain)
    os.close(writer)
    for thread in threads:
        thread.join()
    os.close(reader)


def _read_all(reader: int, size: int = 65536) -> None:
    with suppress(OSError):
        while os.read(reader, size):
            pass


@contextmanager
def slowly() -> Iterator[Reader]:
    """A full pipe, read a byte at a time."""
    with never() as found:
        found.go_on()
        yield Reader(found.stream)


@contextmanager
def closed() -> Iterator[Reader]:
    """A pipe without a reader."""
    reader, writer = os.pipe()
    os.close(reader)
    yield Reader(writer)
    os.close(writer)


@contextmanager
def full() -> Iterator[Reader]:
    """A full disk."""
    stream = os.open("/dev/full", os.O_WRONLY)
    yield Reader(stream)
    os.close(stream)


@contextmanager
def stopped() -> Iterator[Reader]:
    """A terminal after Ctrl-S; ``go_on`` is Ctrl-Q."""
    master, slave = pty.openpty()
    os.write(master, b"\x13")
    shown: list[bytes] = []

    def read() -> None:
        with suppress(OSError):  # EIO: the last process has closed it
            while data := os.read(master, 4096):
                shown.append(data)

    thread = threading.Thread(target=read)
    thread.start()
    yield Reader(slave, lambda: _type(master, b"\x11"), terminal=True)
    _type(master, b"\x11")
    os.close(slave)
    thread.join()
    os.close(master)


def _type(master: int, key: bytes) -> None:
    os.write(master, key)


READERS = (never, slowly, closed, full, stopped)
HOLDS = (never, stopped)
"""What is printed at the end is waited for, as any program does."""


def started(world: World, reader: Reader, *words: str) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [VLANLINK, *words],
        stdin=reader.stream if reader.terminal else subprocess.DEVNULL,
        stdout=reader.stream,
        stderr=reader.stream,
        env={**os.environ, "TERM": "xterm"},
    )
    world.started.append(process)
    return process


def lock_is_free() -> None:
    other = vlanlink.load("/run/other.toml", text=OTHER)
    vlanlink.up(other, lock_timeout=20)
    vlanlink.down(other, lock_timeout=20)


@pytest.mark.parametrize("json", ["", "--json"])
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_work_goes_on_whoever_reads(
    lan: Lan, reader: Callable[[], AbstractContextManager[Reader]], json: str
) -> None:
    world = lan.world
    Path(FILE).write_text(TOPOLOGY)
    for verb in ("up", "down"):
        with reader() as found:
            process = started(world, found, verb, FILE, *json.split())
            if verb == "up":
                until(lambda: {"a", "b"} <= world.namespaces(), "both namespaces")
                until(lambda: "eth0" in world.names("b"), "the last link")
            else:
                until(lambda: not world.namespaces(), "nothing is left")
            lock_is_free()
            if reader in HOLDS:
                assert process.poll() is None
            found.go_on()
            assert process.wait(30) == 0


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_a_watch_repairs_whoever_reads(
    lan: Lan, reader: Callable[[], AbstractContextManager[Reader]]
) -> None:
    world = lan.world
    Path(FILE).write_text(TOPOLOGY)
    with reader() as found:
        process = started(world, found, "watch", FILE)
        until(lambda: {"a", "b"} <= world.namespaces(), "both namespaces")
        for _ in range(3):
            until(lambda: "eth0" in world.names("a"), "the link")
            world.ip("-n a link delete eth0")
            until(lambda: world.addresses("eth0", "a") if "eth0" in world.names("a") else (), "it")
            lock_is_free()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0  # though nobody reads


def test_a_terminal_that_goes_away_costs_no_result(lan: Lan) -> None:
    Path(FILE).write_text(TOPOLOGY)
    master, slave = pty.openpty()
    with open_session(None) as session, session.locked():
        process = subprocess.Popen(
            ["sh", "-c", f"trap '' HUP; exec {VLANLINK} up {FILE} --json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=slave,
            env={**os.environ, "TERM": "xterm"},
        )
        os.close(slave)
        lan.world.started.append(process)
        os.read(master, 1)  # its progress
        os.close(master)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert b'"topology": "office"' in out
    assert "eth0" in lan.world.names("b")
