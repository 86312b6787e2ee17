"""A plan as the orders that floor.c carries out: the same messages, encoded beforehand."""

from __future__ import annotations

import struct
from collections import defaultdict
from typing import TYPE_CHECKING

from _bench.scene import NETNS
from vlanlink.kernel.execution import BATCH, batches
from vlanlink.kernel.marks import Marks
from vlanlink.kernel.netlink.encode import encode, mark_loopback
from vlanlink.kernel.netns.identity import identify
from vlanlink.model import HOST
from vlanlink.planning.operations import MakeNamespace, WriteSysctl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vlanlink import Plan

_NAMESPACE, _SYSCTL, _SEND = 1, 2, 3
_BASE = 100
_ORDER = struct.Struct("=IIII")


def orders(plan: Plan) -> bytes:
    """All that the plan does, in its order."""
    return b"".join(_orders(plan))


def _orders(plan: Plan) -> Iterator[bytes]:
    numbers: dict[str, int] = defaultdict(lambda: len(numbers))
    assert numbers[HOST] == 0
    marks = Marks(identify(None))
    for batch in batches(plan.operations, BATCH):
        first = batch[0]
        match first:
            case MakeNamespace():
                where = numbers[first.namespace]
                yield _order(_NAMESPACE, where, f"{NETNS / first.namespace}\0".encode())
                yield _order(_SEND, where, bytes(mark_loopback(first.owner, marks)))
            case WriteSysctl():
                text = f"/proc/sys/{first.key}\0{first.new}\0"
                yield _order(_SYSCTL, numbers[first.namespace], text.encode())
            case _:
                files = {name: _BASE + 2 * number for name, number in numbers.items()}
                sent = [m for operation in batch for m in encode(operation, files, marks)]
                yield _order(_SEND, numbers[first.socket], b"".join(sent), len(sent))


def _order(what: int, where: int, data: bytes, count: int = 1) -> bytes:
    return _ORDER.pack(what, where, count, len(data)) + data + bytes(-len(data) % 4)
