"""Resolvers for tests: a DNS server and an nscd that give one answer to every question."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.kernel.world import World

_HEADER = struct.Struct(">HHHHHH")
_A, _ANSWERED = 1, 0x8580
_GETAI, _NSCD_VERSION = 14, 2
_NSCD_REPLY = struct.Struct("=iiiiii")


@contextmanager
def dns_server(world: World, namespace: str, address: str, answer: str) -> Iterator[list[str]]:
    """A server on ``address`` whose every A record is ``answer``; the names it was asked for."""
    asked: list[str] = []
    with world.inside(namespace):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 53))

    def serve_one() -> bool:
        question, client = server.recvfrom(2048)
        if question:
            asked.append(_name(question))
            server.sendto(_answer(question, answer), client)
        return bool(question)

    with _serving(server, serve_one):
        yield asked


def _name(question: bytes) -> str:
    labels, at = [], _HEADER.size
    while question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode())
        at += 1 + question[at]
    return ".".join(labels)


def _answer(question: bytes, answer: str) -> bytes:
    number = _HEADER.unpack_from(question)[0]
    end = question.index(0, _HEADER.size) + 5
    asked = question[_HEADER.size : end]
    (kind,) = struct.unpack(">H", asked[-4:-2])
    records = struct.pack(">HHHIH", 0xC00C, _A, 1, 60, 4) + socket.inet_aton(answer)
    found = kind == _A
    header = _HEADER.pack(number, _ANSWERED, 1, int(found), 0, 0)
    return header + asked + (records if found else b"")


@contextmanager
def nscd(answer: str) -> Iterator[None]:
    """A name service cache that answers every question about hosts (nscd-client.h of glibc)."""
    path = Path("/run/nscd/socket")
    path.parent.mkdir()
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    server.listen()

    def serve_one() -> bool:
        client, _ = server.accept()
        with client:
            request = client.recv(1024)
            if len(request) < 12:
                return False
            kind = struct.unpack_from("=iii", request)[1]
            if kind == _GETAI:
                client.sendall(_cached(answer))
        return True

    with _serving(server, serve_one):
        yield


def _cached(answer: str) -> bytes:
    name = b"cached\0"
    header = _NSCD_REPLY.pack(_NSCD_VERSION, 1, 1, 4, len(name), 0)
    return header + socket.inet_aton(answer) + bytes([socket.AF_INET]) + name


@contextmanager
def _serving(server: socket.socket, serve_one: Callable[[], bool]) -> Iterator[None]:
    """Serve until the block ends; shutting a socket down wakes the thread that reads it."""

    def serve() -> None:
        with suppress(OSError):
            while serve_one():
                pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        with suppress(OSError):  # ENOTCONN, and it wakes the reader all the same
            server.shutdown(socket.SHUT_RDWR)
        thread.join()
        server.close()
