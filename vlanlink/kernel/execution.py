"""Operations carried out: batches of messages, and the few things that are no message.

What the kernel refuses for a moment only is asked again, within a bound.
"""

import errno
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path

from vlanlink.kernel import netlink, procfs
from vlanlink.kernel.explain import explain
from vlanlink.kernel.features import load_module
from vlanlink.kernel.marks import Marks
from vlanlink.kernel.netlink.constants import IFLA_GROUP, IFLA_PROMISCUITY
from vlanlink.kernel.netlink.encode import encode, mark_loopback, remove_group
from vlanlink.kernel.netlink.socket import Refusal
from vlanlink.kernel.netns.namespaces import Namespaces, prepare_directory
from vlanlink.kinds import KINDS
from vlanlink.model import HOST, State
from vlanlink.planning.operations import (
    MakeLink,
    MakeNamespace,
    Operation,
    Refused,
    RemoveLink,
    RemoveNamespace,
    SetLink,
    WriteSysctl,
)

BATCH = 64
"""Messages in one send, at the most."""
BUSY_SECONDS = 3.0
"""How long a link may be refused because of one that the kernel is still cleaning up."""
CALM_SECONDS = 5.0
"""How long parents that are set down may stay promiscuous for links that are being deleted."""
_POLL_SECONDS = 0.01


class Execution:
    """What carries out operations, in the thread that enters namespaces."""

    def __init__(
        self,
        namespaces: Namespaces,
        netns_directory: Path,
        marks: Marks,
        snapshot: Callable[[], State],
    ) -> None:
        """``snapshot`` tells what is there, where a refusal has to be explained."""
        self._namespaces = namespaces
        self._netns_directory = netns_directory
        self._marks = marks
        self._snapshot = snapshot
        self._prepared = False
        self._doomed: frozenset[int] = frozenset()
        """The links of the host that are to go, until the first of them is asked for."""
        self._gone: frozenset[int] = frozenset()
        """Those that went with it."""
        self._emptied = False
        """Namespaces were removed: the kernel deletes what is in them in the background."""
        self._calm_by: float | None = None

    def expect(self, operations: Sequence[Operation]) -> None:
        """Tell what ``run`` will get batch by batch."""
        self._namespaces.expect(sum(isinstance(one, MakeNamespace) for one in operations))
        going = [one for one in operations if isinstance(one, RemoveLink)]
        on_host = {one.index for one in going if one.namespace == HOST}
        self._doomed = frozenset(on_host | {one.peer_index for one in going} - {0})
        self._gone = frozenset()
        self._emptied, self._calm_by = False, None

    def run(self, batch: Sequence[Operation]) -> None:
        """Carry out a batch of ``batches``. Raises Refused."""
        first = batch[0]
        if not isinstance(first, RemoveNamespace):
            self._namespaces.let_go()
        try:
            match first:
                case MakeNamespace():
                    self._make_namespace(first)
                case RemoveNamespace():
                    self._namespaces.remove(first.namespace)
                    self._emptied = True
                case WriteSysctl():
                    root = self._namespaces.sysctls(first.namespace)
                    procfs.write(first.key, first.new, root)
                case RemoveLink():
                    self._remove_links(batch)
                case _:
                    for index in filter(None, map(_parent_to_set_down, batch)):
                        self._await_calm(index)
                    self._send(batch)
        except OSError as error:
            raise self._refused(first, error.errno or 0, _own_text(error)) from None

    def _make_namespace(self, operation: MakeNamespace) -> None:
        directory = self._netns_directory
        if not self._prepared:  # it goes through all mounts below
            prepare_directory(directory)
            self._prepared = True
        path = os.path.join(directory, operation.namespace)
        first = mark_loopback(operation.owner, self._marks)
        self._namespaces.make(operation.namespace, path, first)

    def _remove_links(self, batch: Sequence[Operation]) -> None:
        """Delete links of one namespace: the host's at once, if they are all that bear a mark.

        The kernel takes some 20 ms for one, mostly waiting, and 0.1 s for a thousand at once.
        """
        links = [one for one in batch if isinstance(one, RemoveLink)]
        if batch[0].namespace == HOST:
            if len(self._doomed) > 1:
                self._gone = self._remove_groups(self._doomed)
            self._doomed = frozenset()
            links = [one for one in links if one.index not in self._gone]
        if links:
            self._send(links)

    def _remove_groups(self, doomed: frozenset[int]) -> frozenset[int]:
        """The links of the host that went with all of their mark."""
        members: dict[int, set[int]] = {}
        with suppress(OSError):  # else one by one
            for index, group in self._numbers_of_links(IFLA_GROUP).items():
                members.setdefault(group, set()).add(index)
        gone: set[int] = set()
        for group, links in members.items():
            if self._marks.is_mark(group) and links <= doomed:
                refused = self._namespaces.socket(HOST).request([remove_group(group)])[0]
                gone |= set() if refused else links  # refused: each is asked for by itself
        return frozenset(gone)

    def _await_calm(self, index: int) -> None:
        """Wait until a parent is promiscuous no longer for links of namespaces that went.

        What a device that is down by then was asked for stays until it is up again
        (__dev_set_rx_mode in net/core/dev.c).
        """
        if not self._emptied:
            return
        if self._calm_by is None:
            self._calm_by = time.monotonic() + CALM_SECONDS
        with suppress(OSError):
            while self._numbers_of_links(IFLA_PROMISCUITY).get(index):
                if time.monotonic() > self._calm_by:
                    break
                time.sleep(_POLL_SECONDS)

    def _numbers_of_links(self, attribute: int) -> dict[int, int]:
        """An attribute of the host's links, by their number."""
        with netlink.readable():
            found = self._namespaces.socket(HOST).dump(netlink.dump_links())
            return dict(netlink.decode_number(message, attribute) for message in found)

    def _send(self, batch: Sequence[Operation]) -> None:
        owners: list[Operation] = []
        messages: list[bytearray] = []
        target = batch[0].socket
        descriptors = _Descriptors(self._namespaces)
        for operation in batch:
            for message in encode(operation, descriptors, self._marks):
                owners.append(operation)
                messages.append(message)
        answers = self._namespaces.socket(target).request(messages)
        insisted = False
        for operation, message, answer in zip(owners, messages, answers, strict=True):
            again = answer
            if again and insisted:  # it may have failed for want of the one before
                again = self._namespaces.socket(target).request([message])[0]
            if again and again.errno not in operation.harmless:
                self._insist(operation, message, again, target)
                insisted = True

    def _insist(
        self, operation: Operation, message: bytearray, answer: Refusal, target: str
    ) -> None:
        """Ask again while the kernel may still be cleaning up what is in the way."""
        deadline = time.monotonic() + BUSY_SECONDS
        again: Refusal | None = answer
        if isinstance(operation, MakeLink) and answer.errno == errno.EOPNOTSUPP:
            load_module(KINDS[operation.link.kind].module)
            again = self._namespaces.socket(target).request([message])[0]
        while again and again.errno in operation.transient and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            again = self._namespaces.socket(target).request([message])[0]
        if again:
            raise self._refused(operation, again.errno, again.text)

    def _refused(self, operation: Operation, number: int, text: str) -> Refused:
        hint = None
        with suppress(OSError):
            hint = explain(operation, number, text, self._snapshot())
        return Refused(operation, number, text, hint)


class _Descriptors(Mapping[str, int]):
    """Open files of namespaces, opened as they are asked for."""

    def __init__(self, namespaces: Namespaces) -> None:
        self._namespaces = namespaces

    def __getitem__(self, name: str) -> int:
        return self._namespaces.descriptor(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def batches(operations: Sequence[Operation], size: int) -> Iterator[list[Operation]]:
    """Runs of operations that can share a send; those without a message run one by one."""
    for key, run in groupby(operations, key=lambda operation: operation.batch_key()):
        found = list(run)
        step = 1 if key is None else size
        for start in range(0, len(found), step):
            yield found[start : start + step]


def _parent_to_set_down(operation: Operation) -> int | None:
    match operation:
        case SetLink(namespace=space, index=index, new=new) if new.get("up") is False:
            return index if space == HOST else None
    return None


def _own_text(error: OSError) -> str:
    standard = os.strerror(error.errno) if error.errno else ""
    return "" if error.strerror == standard else str(error.strerror or error)
