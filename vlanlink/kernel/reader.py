"""Read the host's network namespaces as a state: its own, named ones, and those without a name.

The thread that calls enters them.
"""

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from vlanlink.dataclass import replace
from vlanlink.kernel.features import has_address_protocols
from vlanlink.kernel.marks import Marks
from vlanlink.kernel.netns.files import NetnsFiles
from vlanlink.kernel.netns.names import is_network_namespace, listed, placed
from vlanlink.kernel.netns.namespaces import Namespaces, processes_by_namespace
from vlanlink.kernel.netns.nsid import NamespaceIds
from vlanlink.kernel.ownership import Ownership
from vlanlink.kernel.snapshot import Reading, Wanted, assemble, read_namespace
from vlanlink.model import HOST, LOOPBACK_KIND, NAMELESS, Namespace, State, Stray
from vlanlink.store.record import former_name

if TYPE_CHECKING:
    from vlanlink.kernel.netlink import SeenLink

_OF_ONE_NAMESPACE = frozenset({errno.EINVAL, errno.EBADMSG, errno.EINTR, errno.EAGAIN})
"""What keeps one namespace from being read and no other: it is of another kind, its answer makes
no sense, or it changes faster than it can be read."""


class Reader:
    """Reads what is on one host."""

    def __init__(
        self,
        namespaces: Namespaces,
        directory: Path,
        marks: Marks,
        ownership: Ownership,
        files: NetnsFiles,
    ) -> None:
        """``directory`` has the named namespaces."""
        self._namespaces = namespaces
        self._directory = directory
        self._is_mark = marks.is_mark
        self._ownership = ownership
        self._files = files
        self._readings: dict[str, Reading] = {}
        """The last ones, by name."""

    def state(
        self,
        wanted: Wanted,
        kept: Mapping[str, Namespace] = MappingProxyType({}),
        *,
        only_host: bool = False,
    ) -> State:
        """The state of the host, and of the namespaces in ``wanted``. Raises OSError.

        Those ``kept`` were read before, and are not read again if they are still the same.
        """
        readings = []
        same: dict[str, Namespace] = {}
        unread: dict[str, str] = {}
        found = {HOST: ()} if only_host else dict(self.find(wanted))
        for name, others in found.items():
            before = self._readings.get(name) if name in kept else None
            if before and self._is_same(before, others):
                readings.append(before)
                same[name] = kept[name]
                continue
            try:
                reading = self._read(name, others, wanted)
            except FileNotFoundError:
                continue  # removed since the listing
            except OSError as error:
                if name == HOST or error.errno not in _OF_ONE_NAMESPACE:
                    raise
                unread[name] = self._why_unread(name, error)
                continue
            readings.append(reading)
        hidden = {} if only_host else dict(self._hidden(readings, wanted))
        readings = [reading for reading in readings if reading.name not in hidden]
        self._readings = {reading.name: reading for reading in readings}
        unread = {**hidden, **unread}
        processes = {} if wanted.only else processes_by_namespace()
        for reading in readings:
            reading.pids = tuple(processes.get(reading.inode, ()))
        foreign = list(self._strangers(readings, processes, wanted)) if wanted.strangers else []
        riding = [one for one in foreign if _rides(one)]
        owner = partial(self._owner, wanted)
        ids = NamespaceIds(self._namespaces)
        state = assemble((*readings, *riding), owner, ids, same)
        for reading in foreign:
            self._namespaces.forget(reading.name)  # held open, it would outlive its processes
        files = {} if only_host or wanted.only else self._files.read()
        strays = tuple(stray for one in foreign for stray in one.strays)
        return replace(state, unread=unread, files=files, strays=strays)

    def _is_same(self, before: Reading, others: tuple[str, ...]) -> bool:
        """Whether a namespace is the one that was read ``before``, by the same names."""
        found = self._namespaces.registered(before.name)
        return found == before.inode and others == before.aliases

    def _read(self, name: str, others: tuple[str, ...], wanted: Wanted) -> Reading:
        recorded = wanted.evidence.recorded
        whole = name == HOST or wanted.reads((name, *others)) is not False

        def matters(identity: int, links: Iterable["SeenLink"]) -> bool:
            """A mark that no record explains makes a namespace matter."""
            marked = any(self._is_mark(link.group) for link in links)
            return whole or (marked and identity not in recorded)

        keys = wanted.sysctls.get(name, frozenset())
        protocols = has_address_protocols()
        reading = read_namespace(name, self._namespaces, keys, matters, protocols=protocols)
        reading.aliases = others
        reading.recorded = reading.identity in recorded
        return reading

    def _hidden(self, readings: list[Reading], wanted: Wanted) -> Iterator[tuple[str, str]]:
        """Names of recorded namespaces on which something else is mounted, and words for it."""
        found = {reading.name: reading.identity for reading in readings}
        suspects = {
            os.path.join(self._directory, name): name
            for name, identity in wanted.evidence.places.items()
            if found.get(name) != identity and wanted.reads((name,)) is not None
        }
        if not suspects:
            return
        from vlanlink.kernel.netns.strangers import buried

        for path in buried(suspects):
            over = path if os.path.lexists(path) else self._directory
            yield suspects[path], f"what is mounted on {over} hides the namespace {suspects[path]}"

    def _strangers(
        self, readings: list[Reading], processes: Mapping[int, list[int]], wanted: Wanted
    ) -> Iterator[Reading]:
        """Namespaces without a name that have links of ours, or others' with parents elsewhere.

        Nothing in them is changed. One of ours that has lost its name is about to go.
        """
        from vlanlink.kernel.netns.strangers import strangers

        known = {reading.inode for reading in readings}
        known.update(inode for _, _, inode in listed(self._directory))
        for name, path in strangers(processes, known):
            if wanted.links is not None and name not in wanted.links:
                continue
            try:
                self._namespaces.register(name, path)
                reading = self._read(name, (), wanted)
                reading.stranger = True
                reading.strays = tuple(self._strays(wanted, reading, path))
                ours = {stray.link for stray in reading.strays}
                links = reading.links.items()
                reading.links = {i: one for i, one in links if one.name not in ours}
                reading.routes = frozenset()
            except OSError:  # it has gone, or is out of our reach
                self._namespaces.forget(name)
                continue
            if reading.strays or _rides(reading):
                yield reading
            else:
                self._namespaces.forget(name)

    def _strays(self, wanted: Wanted, reading: Reading, path: str) -> Iterator[Stray]:
        """What of ours is in a namespace without a name."""
        for link in reading.links.values():
            owner, _ = self._owner(wanted, link, reading)
            known = owner and not owner.startswith(NAMELESS)
            if owner and known and link.kind != LOOPBACK_KIND:
                mac = link.settings.get("mac")
                held = frozenset(one.bare for one in reading.addresses.get(link.index, ()))
                yield Stray(owner, reading.name, path, link.name, str(mac) if mac else None, held)

    def _why_unread(self, name: str, error: OSError) -> str:
        """Whatever is mounted there, or goes on in there, is a reason to pass over that one."""
        path = self._namespaces.path(name)
        if not is_network_namespace(path):
            return f"what is mounted on {path} is not a network namespace"
        return f"{path} can't be read: {error.strerror or error}"

    def _owner(self, wanted: Wanted, seen: "SeenLink", reading: Reading) -> tuple[str | None, bool]:
        where = (reading.name, reading.identity)
        return self._ownership.owner(seen, where, wanted.evidence, wanted.topologies)

    def find(self, wanted: Wanted) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Every wanted namespace once: its name and its other names."""
        found: dict[int, list[tuple[str, str]]] = {self._namespaces.inode(HOST): [(HOST, "")]}
        everything = () if wanted.only else list(listed(self._directory))
        preferred = [one for one in everything if one[0] in wanted.names]
        named_ones = [*preferred, *(one for one in everything if one[0] not in wanted.names)]
        elsewhere = list(placed(wanted.paths))
        places = {path for _, path, _ in elsewhere}
        for name, path, inode in (*elsewhere, *named_ones):
            called = name
            if path not in places and name in wanted.paths:
                called = former_name(name, path)
            found.setdefault(inode, []).append((called, path))
        for (first, path), *others in found.values():
            names = tuple(name for name, _ in others if name != first) if others else ()
            if first != HOST:
                unwanted = wanted.reads((first, *names)) is None
                if unwanted and first == path.rpartition("/")[2]:  # else it is given by path
                    continue
                try:
                    self._namespaces.register(first, path)
                except OSError:
                    continue  # removed since the listing
            yield first, names


def _rides(reading: Reading) -> bool:
    """Whether a link in it has its parent or peer elsewhere."""
    return any(link.nsid is not None for link in reading.links.values())
