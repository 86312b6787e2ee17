"""Reading ends, however much others write meanwhile."""

import os
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from vlanlink.kernel.netns import strangers
from vlanlink.kernel.packet import arp_nd


class Flooded:
    """A socket that always has another packet."""

    def __init__(self, *_: object) -> None:
        self.received = 0

    def __enter__(self) -> "Flooded":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def setsockopt(self, *_: object) -> None:
        pass

    def recv(self, _size: int) -> bytes:
        self.received += 1
        assert self.received < 1 << 20, "it reads without end"
        return b"x"


def test_a_flood_of_arp_does_not_keep_a_probe_from_being_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "socket", Flooded)
    with arp_nd._packet_socket([]) as opened:
        assert opened


def test_of_a_users_mounts_a_bounded_number_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0

    def mounts(process: str) -> Iterator[tuple[str, str]]:
        nonlocal read
        yield "net:[7]", f"/run/netns/{process}"
        while process != "self":
            read += 1
            assert read < 1 << 20, "it reads without end"
            yield "/", "/mnt"

    def status(path: str) -> Any:
        return SimpleNamespace(st_ino=len(path))

    with monkeypatch.context() as patched:
        patched.setattr(strangers, "_mounts", mounts)
        patched.setattr(os, "listdir", lambda _: ["1"])
        patched.setattr(os, "stat", status)
        found = list(strangers._mounted())
    assert found == [(7, "/run/netns/self"), (7, "/proc/1/root/run/netns/1")]
