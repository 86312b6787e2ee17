"""Carry out operations: batches of netlink messages, namespaces and sysctls.

Transient refusals are retried, within a bound.
"""

import errno
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path

from vlanlink import log
from vlanlink.kernel import netlink, procfs
from vlanlink.kernel.explain import explain
from vlanlink.kernel.features import load_module
from vlanlink.kernel.marks import Marks
from vlanlink.kernel.netlink.constants import IFLA_GROUP, IFLA_PROMISCUITY
from vlanlink.kernel.netlink.encode import encode, mark_loopback, remove_group
from vlanlink.kernel.netlink.socket import Refusal
from vlanlink.kernel.netns.files import NetnsFiles
from vlanlink.kernel.netns.names import prepare_directory
from vlanlink.kernel.netns.namespaces import Namespaces
from vlanlink.kernel.snapshot import unicast_macs
from vlanlink.kinds import KINDS
from vlanlink.model import HOST, Setting, State
from vlanlink.planning.operations import (
    MakeLink,
    MakeNamespace,
    Operation,
    Refused,
    RemoveFile,
    RemoveLink,
    RemoveNamespace,
    SetLink,
    WriteFile,
    WriteSysctl,
)

BATCH = 64
"""Maximum messages in one send."""
BUSY_SECONDS = 3.0
"""How long a request is retried that the kernel may refuse for a moment only."""
IN_USE_SECONDS = 10.0
"""How long, if what it asks for is in use: the kernel may still be deleting the link that has it.

A busy machine takes seconds for the links of a removed namespace.
"""
DELETION_SECONDS = 30.0
"""How long to wait, before setting a NIC down, until the kernel has deleted the links on it."""
LOOK_SECONDS = 0.5
"""When to look whether the links that it waits for are being deleted at all."""
_POLL_SECONDS = 0.01


class Execution:
    """Carries out operations, in the thread that enters namespaces."""

    def __init__(
        self,
        namespaces: Namespaces,
        netns_directory: Path,
        marks: Marks,
        files: NetnsFiles,
        snapshot: Callable[[], State],
    ) -> None:
        """``snapshot`` reads the machine when a refusal has to be explained."""
        self._namespaces = namespaces
        self._netns_directory = netns_directory
        self._marks = marks
        self._files = files
        self._snapshot = snapshot
        self._prepared = False
        self._pending_delete: frozenset[int] = frozenset()
        """Ifindexes of the host's links to delete, until the first deletion."""
        self._deleted: frozenset[int] = frozenset()
        """Those of them that were deleted as a group."""

    def prepare(self, operations: Sequence[Operation]) -> Iterator[list[Operation]]:
        """Prepare for operations; the batches in which ``run`` is to get them."""
        self._namespaces.prefetch(sum(isinstance(one, MakeNamespace) for one in operations))
        removed = [one for one in operations if isinstance(one, RemoveLink)]
        on_host = {one.index for one in removed if one.namespace == HOST}
        self._pending_delete = frozenset(on_host | {one.peer_index for one in removed} - {0})
        self._deleted = frozenset()
        return batches(operations, min(BATCH, self._namespaces.window))

    def run(self, batch: Sequence[Operation]) -> None:
        """Carry out a batch. Raises Refused."""
        first = batch[0]
        if logger := log.wanted(log.INFO):
            for operation in batch:
                logger.info("%s", operation.describe())
        if not isinstance(first, RemoveNamespace):
            self._namespaces.release()
        try:
            match first:
                case MakeNamespace():
                    self._make_namespace(first)
                case RemoveNamespace():
                    self._namespaces.remove(first.namespace)
                case WriteSysctl():
                    root = self._namespaces.sysctls(first.namespace)
                    procfs.write(first.key, first.new, root)
                case WriteFile(namespace=space, name=name, text=text, old=old):
                    self._files.write(space, name, text, new=old is None)
                case RemoveFile(namespace=space, name=name, owner=owner):
                    self._files.remove(space, name, owner)
                case RemoveLink():
                    self._remove_links(batch)
                case _:
                    self._wait_for_deletions(set(filter(None, map(_to_set_down, batch))))
                    self._send(batch)
        except OSError as error:
            raise self._refused(first, error.errno or 0, _own_text(error)) from None

    def _make_namespace(self, operation: MakeNamespace) -> None:
        directory = self._netns_directory
        if not self._prepared:  # a recursive mount call, so once is enough
            prepare_directory(directory)
            self._prepared = True
        path = os.path.join(directory, operation.namespace)
        first = mark_loopback(operation.owner, self._marks)
        self._namespaces.make(operation.namespace, path, first)

    def _remove_links(self, batch: Sequence[Operation]) -> None:
        """Delete links of one namespace; the host's as a group if all links of the mark go.

        The kernel takes some 20 ms for one, mostly waiting, and 0.1 s for a group of a thousand.
        """
        links = [one for one in batch if isinstance(one, RemoveLink)]
        if batch[0].namespace == HOST:
            if len(self._pending_delete) > 1:
                self._deleted = self._remove_groups(self._pending_delete)
            self._pending_delete = frozenset()
            links = [one for one in links if one.index not in self._deleted]
        if links:
            self._send(links)

    def _remove_groups(self, indexes: frozenset[int]) -> frozenset[int]:
        """Delete whole link groups of the host; the deleted ifindexes."""
        members: dict[int, set[int]] = {}
        with suppress(OSError):  # then they are deleted one by one
            for index, group in self._link_attribute(IFLA_GROUP).items():
                members.setdefault(group, set()).add(index)
        deleted: set[int] = set()
        for group, links in members.items():
            if self._marks.is_mark(group) and links <= indexes:
                refused = self._namespaces.socket(HOST).request([remove_group(group)])[0]
                deleted |= set() if refused else links  # if refused: one by one
        return frozenset(deleted)

    def _wait_for_deletions(self, indexes: set[int]) -> None:
        """Before NICs are set down, wait until no link that the kernel is deleting is on them.

        The kernel deletes the links of a removed namespace in the background, perhaps long after
        the run that removed it. A NIC without a filter for unicast addresses is promiscuous for
        the MACs of those links, and one that is down keeps its receive mode until it is up again
        (__dev_set_rx_mode in net/core/dev.c).
        """
        with suppress(OSError):
            if not indexes or not (indexes := self._promiscuous(indexes)):
                return
            socket, living = self._namespaces.socket(HOST), None
            begin = time.monotonic()
            while macs := frozenset(unicast_macs(socket, indexes)):
                waited = time.monotonic() - begin
                if living is None and waited > LOOK_SECONDS:
                    living = _macs(self._snapshot())
                if waited > DELETION_SECONDS or (living is not None and macs <= living):
                    return
                time.sleep(_POLL_SECONDS)

    def _promiscuous(self, indexes: set[int]) -> set[int]:
        """Those NICs of the host, not links of ours, that are promiscuous."""
        count = self._link_attribute(IFLA_PROMISCUITY)
        group = self._link_attribute(IFLA_GROUP) if any(map(count.get, indexes)) else {}
        return {
            index
            for index in indexes
            if count.get(index) and not self._marks.is_mark(group.get(index, 0))
        }

    def _link_attribute(self, attribute: int) -> dict[int, int]:
        """An attribute of the host's links, by ifindex."""
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
        retried = False
        for operation, message, answer in zip(owners, messages, answers, strict=True):
            again = answer
            if again and retried:  # it may have failed because the earlier one did
                again = self._namespaces.socket(target).request([message])[0]
            if again and again.errno not in operation.harmless:
                self._retry(operation, message, again, target)
                retried = True

    def _retry(
        self, operation: Operation, message: bytearray, answer: Refusal, target: str
    ) -> None:
        """Retry while the kernel may still be deleting what is in the way. Raises Refused."""
        in_use = answer.errno == errno.EADDRINUSE
        deadline = time.monotonic() + (IN_USE_SECONDS if in_use else BUSY_SECONDS)
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
    """Open files of namespaces, opened on first use."""

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


def _to_set_down(operation: Operation) -> int | None:
    match operation:
        case SetLink(namespace=space, index=index, new=new) if new.get("up") is False:
            return index if space == HOST else None
    return None


def _macs(state: State) -> frozenset[Setting | None]:
    return frozenset(link.settings.get("mac") for link in state.links()) | {
        stray.mac for stray in state.strays
    }


def _own_text(error: OSError) -> str:
    standard = os.strerror(error.errno) if error.errno else ""
    return "" if error.strerror == standard else str(error.strerror or error)
