"""Faults in front of the real kernel: an operation that is refused, an answer that is lost.

``Fault`` answers one operation itself with an error and lets the others through, including those
of the same send, as the kernel does.
"""

import errno
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from vlanlink.kernel import execution, procfs
from vlanlink.kernel.netlink.constants import DELLINK
from vlanlink.kernel.netlink.socket import Refusal, Socket
from vlanlink.kernel.netns.namespaces import Namespaces
from vlanlink.reconcile import apply
from vlanlink.reconcile.apply import undo

ERRNOS = (errno.EBUSY, errno.ENOMEM, errno.EPERM, errno.ENOBUFS)
LOST = (errno.ETIMEDOUT, errno.ENOBUFS)
"""No answer at all, and answers that overrun the socket buffer."""


@dataclass
class Fault:
    """Refuses operation ``number``, counted from 0, and every retry of it."""

    number: int
    errno: int
    seen: int = 0
    refused: list[str] = field(default_factory=list)
    _victim: bytes | None = None

    @property
    def takes_away(self) -> bool:
        """True if it may delete or restore something, which has no line in the file."""
        words = ("remove", "write", *(f"message {number}" for number in (17, 21, 25)))
        return self.refused[0].startswith(words)

    def strikes(self, what: str) -> bool:
        """Count an operation. True if it is the one to refuse."""
        self.seen += 1
        if self.seen - 1 == self.number:
            self.refused.append(what)
            return True
        return False

    def strikes_messages(self, messages: Sequence[bytearray]) -> list[bool]:
        """Count the messages of a send; True for the one to refuse, also when it is retried alone.

        The deletion of a link group passes: if it is refused, vlanlink deletes each link by itself
        (test_sharing.py).
        """
        if is_of_a_group(messages[0]):
            return [False]
        contents = [bytes(message[:8] + message[16:]) for message in messages]
        if contents == [self._victim]:
            return [True]
        struck = [self.strikes(f"message {int.from_bytes(m[4:6], 'little')}") for m in messages]
        if True in struck:
            self._victim = contents[struck.index(True)]
        return struck

    def undone(self, *words: Any) -> tuple[str, ...]:
        """Let undo send the refused message: it may have to."""
        self._victim = None
        return undo(*words)

    def check(self, what: str) -> None:
        if self.strikes(what):
            raise OSError(self.errno, os.strerror(self.errno))


def is_of_a_group(message: bytearray) -> bool:
    """True if it deletes links by their group."""
    return struct.unpack_from("=H10xi", message, 4)[0:2] == (DELLINK, 0) and len(message) > 32


@contextmanager
def refusal(number: int, shift: int = 0) -> Iterator[Fault]:
    """Refuse one operation of what is done in the block."""
    one = Fault(number, ERRNOS[(number + shift) % len(ERRNOS)])
    request, make, remove = Socket.request, Namespaces.make, Namespaces.remove
    write = procfs.write

    def faulty_request(self: Socket, messages: Any) -> list[Refusal | None]:
        struck = one.strikes_messages(messages)
        passed = [m for m, hit in zip(messages, struck, strict=True) if not hit]
        answers = iter(request(self, passed) if passed else [])
        return [Refusal(one.errno, "injected") if hit else next(answers) for hit in struck]

    def faulty_make(self: Namespaces, name: str, path: str, first: bytearray) -> None:
        one.check(f"make namespace {name}")
        make(self, name, path, first)

    def faulty_remove(self: Namespaces, name: str) -> None:
        one.check(f"remove namespace {name}")
        remove(self, name)

    def faulty_write(key: str, value: str, root: Path) -> None:
        one.check(f"write {key}")
        write(key, value, root)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Socket, "request", faulty_request)
        patch.setattr(Namespaces, "make", faulty_make)
        patch.setattr(Namespaces, "remove", faulty_remove)
        patch.setattr(procfs, "write", faulty_write)
        patch.setattr(apply, "undo", one.undone)
        # Undo may have to wait while the kernel cleans up a namespace; our EBUSY never ends.
        patch.setattr(execution, "BUSY_SECONDS", 1.0)
        patch.setattr(execution, "IN_USE_SECONDS", 1.0)
        yield one


@contextmanager
def lost_answer(number: int, shift: int = 0) -> Iterator[Fault]:
    """Lose the answer to one send. The kernel did all of it or, for ETIMEDOUT, nothing."""
    one = Fault(number, LOST[(number + shift) % len(LOST)])
    request = Socket.request

    def deaf_request(self: Socket, messages: Any) -> list[Refusal | None]:
        if not one.strikes(f"message {int.from_bytes(messages[0][4:6], 'little')}"):
            return request(self, messages)
        if one.errno != errno.ETIMEDOUT:
            request(self, messages)
        raise OSError(one.errno, os.strerror(one.errno))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Socket, "request", deaf_request)
        yield one
