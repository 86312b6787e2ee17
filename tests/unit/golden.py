"""Golden cases of resolve and plan: a folder each under tests/cases/plans, no code.

``topology.toml``
    what is wanted.
``observed.json``
    the machine: ``{"host": NAMESPACE, "web": NAMESPACE, …}``. A namespace has ``links``,
    ``routes`` (as `ip route` writes them, then ``ours``, ``foreign`` or ``ra``), ``sysctls`` (by
    path), ``owner``, ``pids``, ``path``. Every one has a ``lo``. A link has ``kind``,
    ``parent`` and ``peer`` (``eth0`` on the host, ``web/eth0``), ``owner``, ``addresses`` and so
    on; its other keys are settings, null for one that it has not. What it leaves out is what a
    kernel and vlanlink make of such a link. Its ``files`` are those in /etc/netns, by name.
``record.json``
    the records, if there are any: ``{"own": RECORD, "others": [RECORD, …]}``.
``plan.txt``
    the plan as the user reads it, and its operations; or the conflicts. Written anew where
    ``VLANLINK_GOLDEN_UPDATE`` is set.
``undo.txt``
    the operations that lead back once all is done; only where the file is.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.unit.simulated import carried_out
from vlanlink.desired.context import Context
from vlanlink.desired.links import derived_mac
from vlanlink.desired.renamed import with_names_of_now
from vlanlink.desired.resolve import Resolution, resolve
from vlanlink.kinds import COMMON, KINDS
from vlanlink.model import (
    HOST,
    LOOPBACK,
    TABLE_LOCAL,
    TABLE_MAIN,
    Address,
    Link,
    LinkName,
    Namespace,
    NetnsFile,
    Route,
    Setting,
    State,
)
from vlanlink.planning.plan import Plan, plan, undo_target
from vlanlink.store.documents import VERSION
from vlanlink.store.record import Record, Records
from vlanlink.topology import Topology, parse

IDENTITY = "golden"
CASES = Path(__file__).parent.parent / "cases" / "plans"
UPDATE = bool(os.environ.get("VLANLINK_GOLDEN_UPDATE"))

_FIELDS = (
    "kind",
    "parent",
    "peer",
    "owner",
    "labelled",
    "index",
    "master",
    "carrier",
    "wifi_client",
    "nic_mac",
    "addresses",
)
_ROUTE_WORDS = ("via", "dev", "src", "metric", "table")


def case_names() -> list[str]:
    """All folders of cases."""
    return sorted(path.name for path in CASES.iterdir() if path.is_dir())


@dataclass(frozen=True)
class Case:
    """One folder, read."""

    name: str

    @property
    def folder(self) -> Path:
        return CASES / self.name

    @cached_property
    def topology(self) -> Topology:
        return parse((self.folder / "topology.toml").read_text(), file="topology.toml")

    @cached_property
    def observed(self) -> State:
        return read_state(json.loads((self.folder / "observed.json").read_text()))

    @cached_property
    def records(self) -> Records:
        path = self.folder / "record.json"
        return read_records(json.loads(path.read_text())) if path.exists() else Records()

    @cached_property
    def resolution(self) -> Resolution:
        context = with_names_of_now(Context(self.records, IDENTITY), self.observed)
        return resolve(self.topology, self.observed, context)

    @property
    def desired(self) -> State:
        return self.resolution.desired

    @cached_property
    def todo(self) -> Plan:
        return plan(self.observed, self.desired, self.topology.name)

    @property
    def conflicts(self) -> list[str]:
        found = (*self.resolution.conflicts, *self.todo.conflicts)
        return [str(self.topology.diagnose(problem)) for problem in found]

    def expected(self, file: str) -> str:
        """What a file of the folder holds; nothing where a new case has none yet."""
        path = self.folder / file
        return path.read_text() if path.exists() else ""

    def text(self) -> str:
        """What plan.txt shall hold."""
        warnings = (*self.resolution.warnings, *self.todo.warnings)
        parts = [str(self.topology.diagnose(problem, severity="warning")) for problem in warnings]
        parts += self.conflicts
        if not self.conflicts:
            parts.append(str(self.todo))
            parts += ["", *_operations(self.todo)] if self.todo.operations else []
        return "\n".join(parts) + "\n"

    def undo_text(self) -> str:
        """What undo.txt shall hold."""
        after = carried_out(self.observed, self.todo.operations)
        target = undo_target(self.observed, self.todo)
        return "\n".join(_operations(plan(after, target, self.topology.name))) + "\n"


def _operations(todo: Plan) -> list[str]:
    return ["operations", *(f"  {op.describe()}" for op in todo.operations)]


# -- reading -------------------------------------------------------------------------------------


def read_state(data: Mapping[str, Any]) -> State:
    """A State from its compact JSON."""
    raw = {"host": {}, **data}
    names = {key: HOST if key == "host" else key for key in raw}
    spaces = {name: _namespace(name, raw[key]) for key, name in names.items()}
    files = [
        NetnsFile(names[key], file, text, f"/etc/netns/{key}/{file}")
        for key, row in raw.items()
        for file, text in row.get("files", {}).items()
    ]
    return State(_with_numbers(spaces), files={file.key: file for file in files})


def _namespace(name: str, raw: Mapping[str, Any]) -> Namespace:
    owner = raw.get("owner")
    loopback = {"kind": "loopback", "owner": owner, "mtu": 65536, "index": 1}
    rows = {LOOPBACK: loopback | raw.get("links", {}).get(LOOPBACK, {})}
    rows |= {k: v for k, v in raw.get("links", {}).items() if k != LOOPBACK}
    links: dict[str, Link] = {}
    for at, (link, row) in enumerate(rows.items()):
        links[link] = _link(name, link, row, 1 + at + (100 * len(name) if name else 0))
    routes = frozenset(_route(text, links) for text in raw.get("routes", ()))
    return Namespace(
        name,
        path=raw.get("path", f"/run/netns/{name}" if name else None),
        links=links,
        routes=routes,
        sysctls=dict(raw.get("sysctls", {})),
        owner=owner,
        pids=tuple(raw.get("pids", ())),
    )


def _link(space: str, name: str, row: Mapping[str, Any], number: int) -> Link:
    kind, owner = row.get("kind", "device"), row.get("owner")
    addresses = tuple(_address(entry, owner) for entry in row.get("addresses", ()))
    options = {o.key: o.default for o in KINDS[kind].options} if kind in KINDS else {}
    settings: dict[str, Setting] = {
        "mtu": 1500,
        "multicast": KINDS[kind].multicast if kind in KINDS else True,
        **{o.key: o.default for o in COMMON if o.default is not None},
        **{key: value for key, value in options.items() if value is not None},
        "promote_secondaries": 0,
        **_ipv6(owner, addresses),
        **{key: _tuples(value) for key, value in row.items() if key not in _FIELDS},
    }
    settings = {key: value for key, value in settings.items() if value is not None}
    return Link(
        name,
        kind,
        space,
        parent=_key(row.get("parent")),
        peer=_key(row.get("peer")),
        settings=settings,
        addresses=addresses,
        owner=owner,
        labelled=row.get("labelled", True),
        index=row.get("index", number),
        master=row.get("master"),
        carrier=row.get("carrier", True),
        wifi_client=row.get("wifi_client", False),
        nic_mac=row.get("nic_mac"),
    )


def _ipv6(owner: str | None, addresses: tuple[Address, ...]) -> dict[str, Setting]:
    """What the kernel has by default; on links of ours, what vlanlink sets."""
    if owner is None:
        return {"disable_ipv6": 0, "accept_ra": 1, "accept_dad": 1}
    if any(address.family == 6 for address in addresses):
        return {"disable_ipv6": 0, "accept_ra": 0, "accept_dad": 0}
    return {"disable_ipv6": 1, "accept_ra": 1, "accept_dad": 1}


def _key(text: str | None) -> LinkName | None:
    if text is None:
        return None
    space, _, name = text.rpartition("/")
    return LinkName(space, name)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _address(entry: str | Mapping[str, Any], owner: str | None) -> Address:
    if isinstance(entry, str):
        link_local = Address(entry).link_local
        return Address(entry, ours=owner is not None and not link_local)
    return Address(**entry)


def _route(text: str, links: Mapping[str, Link]) -> Route:
    words = text.split()
    whose = words.pop() if words[-1] in ("ours", "foreign", "ra") else ""
    onlink = words[-1] == "onlink"
    pairs = dict(zip(words[1::2], words[2::2], strict=False))
    given = {key: pairs.get(key) for key in _ROUTE_WORDS}
    anywhere = "::/0" if ":" in text else "0.0.0.0/0"
    owner = links[str(given["dev"])].owner
    return Route(
        to=anywhere if words[0] == "default" else words[0],
        dev=str(given["dev"]),
        via=given["via"],
        metric=int(given["metric"] or 0),
        src=given["src"],
        table=TABLE_LOCAL if given["table"] == "local" else int(given["table"] or TABLE_MAIN),
        onlink=onlink,
        ours=whose == "ours" or (not whose and owner is not None),
        by_advertisement=whose == "ra",
    )


def _with_numbers(spaces: Mapping[str, Namespace]) -> dict[str, Namespace]:
    """MACs as the kernel or vlanlink gives them, and each link's number of its parent."""
    before = State(spaces)
    return {
        name: _replaced(space, {link.name: _finished(before, link) for link in _links(space)})
        for name, space in spaces.items()
    }


def _links(space: Namespace) -> Iterator[Link]:
    return iter(space.links.values())


def _replaced(space: Namespace, links: Mapping[str, Link]) -> Namespace:
    from dataclasses import replace

    return replace(space, links=links)


def _finished(state: State, link: Link) -> Link:
    from dataclasses import replace

    below = state.link(link.parent) or state.link(link.peer)
    settings = {"mac": _mac(state, link), **link.settings}
    return replace(link, settings=settings, parent_index=below.index if below else 0)


def _mac(state: State, link: Link) -> str:
    if "mac" in link.settings:
        return str(link.settings["mac"])
    below = state.link(link.parent)
    kind = KINDS.get(link.kind)
    if kind and below and kind.mac(link.settings) != "derived":
        return _mac(state, below)
    if link.owner and link.name != LOOPBACK:
        return derived_mac(IDENTITY, link.owner, link.namespace, link.name)
    return f"02:00:00:00:00:{link.index % 256:02x}"


# -- records -------------------------------------------------------------------------------------


def read_records(data: Mapping[str, Any]) -> Records:
    """The records of a case."""
    own = _record(data["own"]) if "own" in data else None
    return Records(own, tuple(_record(row) for row in data.get("others", ())))


def _record(row: Mapping[str, Any]) -> Record:
    empty = Record(str(row["topology"])).to_dict()
    return Record.from_dict({**empty, "version": VERSION, **row})
