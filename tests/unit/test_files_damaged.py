"""Files of ours that are lost, cut, damaged, newer, planted, or that others may write.

Whatever a file holds, reading it raises nothing, opens nothing outside of our directories, and
costs nobody else's record; the file is read whole or named once as one that can't be used.
"""

import json
import math
import os
import sys
import tracemalloc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlanlink.host import Host
from vlanlink.store import documents
from vlanlink.store.documents import UntrustedError
from vlanlink.store.files import Store
from vlanlink.store.leases import Leases
from vlanlink.store.lock import LockedError, locked
from vlanlink.store.pending import PendingCommit
from vlanlink.store.record import OriginalLink, OriginalSysctl, Record
from vlanlink.sysctl import is_network_key

LEASES = Leases({("pub", "web", "eth0"): ("192.0.2.5", "2001:db8::5")}, {"lab": ("10.0.0.0/24",)})
OFFICE = Record(
    "office",
    file="/etc/office.toml",
    text='[topology]\nname = "office"\n',
    namespaces=("web",),
    paths={"box": "/proc/4711/ns/net"},
    sysctls={"": {"net/ipv4/ip_forward": OriginalSysctl("0", "1", ("2",))}, "web": {}},
    parents={"eth0": OriginalLink(up=False)},
    routes=(("", "10.0.0.0/8 dev eth0"),),
)
LAB = Record("lab")


def host(directory: Path) -> Host:
    run, lib = directory / "run", directory / "lib"
    return Host(run_directory=run, state_directory=lib, machine_id="m")


def written(directory: Path) -> Store:
    """A store with all kinds of files in it."""
    store = Store(host(directory), 1)
    for record in (OFFICE, LAB):
        store.write(record)
        store.write_leases(record.topology, LEASES)
    change = PendingCommit("office", "0a1b2c3d", 60.0, 1e9, 4711, host(directory), LEASES)
    store.write_pending(change).close()
    return store


FILES = {
    "record": "run/office@1.json",
    "leases": "lib/office.json",
    "pending": "run/office@1.pending",
}
TEXTS = (
    "", "..", "../../etc/shadow", "/etc/shadow", "\0", "\ud800", "\udcff", "a\nb", "\x1b[31m",
    "net/ipv4/../../kernel/core_pattern", "kernel/core_pattern", "net/ipv4/conf/x\0y/forwarding",
    "net.ipv4.ip_forward", "lab", ".x", "x" * 300,
)  # fmt: skip
NUMBERS = (-1, 0, 2, 10**30, 1e308, -1e18, math.inf, math.nan, True)
scalars: st.SearchStrategy[Any] = (
    st.none() | st.sampled_from(TEXTS) | st.sampled_from(NUMBERS) | st.text(max_size=5)
)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(TEXTS) | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to everything in a JSON value."""
    yield path
    rows: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else ()
    for key, inner in enumerate(value) if isinstance(value, list) else rows:
        yield from places(inner, (*path, key))


def changed(value: Any, path: tuple[Any, ...], how: str, new: Any) -> Any:
    """A JSON value with one place replaced, removed, or with one more beside it."""
    if not path:
        return new
    key, *rest = path
    if isinstance(value, list):
        inner = [*value]
        if rest or how == "replace":
            inner[key] = changed(value[key], tuple(rest), how, new)
        elif how == "remove":
            del inner[key]
        else:
            inner.insert(key, new)
        return inner
    if rest or how == "replace":
        return {**value, key: changed(value[key], tuple(rest), how, new)}
    if how == "remove":
        return {k: v for k, v in value.items() if k != key}
    return {**value, str(new): value[key]}


@st.composite
def damaged(draw: st.DrawFn, text: str) -> bytes:
    """What may have become of a file."""
    head, *rest = text.split("\n")
    match draw(st.sampled_from(("value", "cut", "byte", "bytes", "depth", "twice"))):
        case "value":
            value = json.loads(head)
            path = draw(st.sampled_from([*places(value)]))
            how = draw(st.sampled_from(("replace", "remove", "add")))
            return "\n".join([json.dumps(changed(value, path, how, draw(values))), *rest]).encode()
        case "cut":
            return text.encode()[: draw(st.integers(0, len(text)))]
        case "byte":
            data = bytearray(text.encode())
            data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
            return bytes(data)
        case "bytes":
            return draw(st.binary(max_size=40))
        case "depth":
            return draw(st.sampled_from((b"[", b'{"a":'))) * draw(
                st.sampled_from((10, 4000, 10**5))
            )
    return text.encode() * 2


_opened: list[str] | None = None


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if _opened is not None and event in (
        "open",
        "os.listdir",
        "os.scandir",
        "os.remove",
        "os.rename",
    ):
        _opened.append(str(arguments[0]))


sys.addaudithook(_note)


@contextmanager
def only_inside(directory: Path) -> Iterator[None]:
    """Nothing outside of ``directory`` is opened, listed or removed."""
    global _opened  # noqa: PLW0603 - an audit hook can't be taken away
    found: list[str] = []
    _opened = found
    try:
        yield
    finally:
        _opened = None
    modules = (os.path.dirname(os.__file__), sys.prefix)
    outside = [p for p in found if not p.startswith((str(directory), *modules)) and p != "-1"]
    assert [p for p in outside if not p.isdigit()] == []


@pytest.mark.parametrize("kind", FILES)
@settings(max_examples=60)
@given(data=st.data())
def test_a_damaged_file_is_whole_or_named_once(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("store")
    store = written(directory)
    path = directory / FILES[kind]
    home, stand_in = str(directory), "/DIRECTORY"  # what is drawn from is always the same
    damage = data.draw(damaged(path.read_text().replace(home, stand_in)))
    path.write_bytes(damage.replace(stand_in.encode(), home.encode()))
    with only_inside(directory):
        contents = store.contents()
        leases = store.leases("office")
        waiting = store.waiting()
    assert LAB in contents.records
    assert store.leases("lab") == LEASES
    named = [file for file in contents.unreadable if file.path == path]
    assert len(named) <= 1
    assert all(str(file).startswith(f"{path} can't be used: ") for file in named)
    for record in contents.records:
        assert record.topology in ("office", "lab")
        assert all(is_network_key(key) for keys in record.sysctls.values() for key in keys)
        assert Record.from_dict(json.loads(json.dumps(record.to_dict()))) == record
    if kind == "record":
        assert (OFFICE.topology in {r.topology for r in contents.records}) != bool(named)
    if kind == "leases":
        assert leases == Leases() or not named
    for file in waiting:
        with file:
            assert file.pending.status().until
            assert not named or kind != "pending"


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("how", ["directory", "fifo", "symlink", "others", "group", "foreign"])
def test_what_is_no_file_of_ours_is_named(tmp_path: Path, kind: str, how: str) -> None:
    store = written(tmp_path)
    path = tmp_path / FILES[kind]
    if how in ("directory", "fifo", "symlink"):
        path.rename(tmp_path / "elsewhere")
    match how:
        case "directory":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "symlink":
            path.symlink_to(tmp_path / "elsewhere")
        case "others":
            path.chmod(0o602)
        case "group":
            path.chmod(0o620)
        case "foreign":
            if os.geteuid() != 0:
                pytest.skip("giving a file away takes root")
            os.chown(path, 4711, 4711)
    (named,) = store.contents().unreadable
    assert (named.path, named.topology) == (path, "office")
    assert named.untrusted == (how in ("others", "group", "foreign"))
    assert LAB in store.contents().records
    assert (store.leases("office") == LEASES) == (kind != "leases")
    assert (store.waiting() == []) == (kind == "pending")
    for file in store.waiting():
        file.close()


@pytest.mark.parametrize("which", ["run", "lib"])
@pytest.mark.parametrize("mode", [0o777, 0o720, 0o1777])
def test_a_directory_that_others_may_write_is_refused(
    tmp_path: Path, which: str, mode: int
) -> None:
    store = written(tmp_path)
    store.check()
    (tmp_path / which).chmod(mode)
    with pytest.raises(UntrustedError, match=f"{which} can't be used: others may write it"):
        store.check()


def test_a_directory_elsewhere_is_refused(tmp_path: Path) -> None:
    store = written(tmp_path)
    (tmp_path / "run").rename(tmp_path / "there")
    (tmp_path / "run").symlink_to(tmp_path / "there")
    with pytest.raises(OSError, match="symbolic link"):
        store.check()


KEYS = ("net/ipv4/../../kernel/core_pattern", "kernel/core_pattern", "net", "net/ipv4", "net//x/y",
        "/net/ipv4/ip_forward", "net/ipv4/conf/x\0y/forwarding", "")  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_a_record_names_no_other_file_to_write(tmp_path: Path, key: str) -> None:
    store = written(tmp_path)
    sysctls = {"": {key: OriginalSysctl("|/tmp/x", "1")}}
    store.write(replace(OFFICE, sysctls=sysctls))
    assert store.records() == [LAB]
    (named,) = store.contents().unreadable
    assert "sysctls" in named.why


@pytest.mark.parametrize("deadline", ["soon", None, math.nan, math.inf, 1e400, -1e300, [], True])
def test_a_deadline_that_is_no_time(tmp_path: Path, deadline: object) -> None:
    store = written(tmp_path)
    path = tmp_path / FILES["pending"]
    path.write_text(json.dumps(json.loads(path.read_text()) | {"deadline": deadline}))
    assert store.waiting() == []
    assert [file.path for file in store.contents().unreadable] == [path]


@pytest.mark.parametrize("key", ["run_directory", "network_namespace", "machine_id"])
def test_a_host_with_a_null_character(tmp_path: Path, key: str) -> None:
    store = written(tmp_path)
    path = tmp_path / FILES["pending"]
    change = json.loads(path.read_text())
    change["host"][key] = "/run/\0x"
    path.write_text(json.dumps(change))
    assert store.waiting() == []
    assert [file.path for file in store.contents().unreadable] == [path]


def test_a_file_of_another_topology_is_named(tmp_path: Path) -> None:
    store = written(tmp_path)
    for kind in ("record", "pending"):
        path = tmp_path / FILES[kind]
        path.rename(path.with_name(path.name.replace("office", "home")))
    whys = {file.topology: file.why for file in store.contents().unreadable}
    assert whys == {"home": "it is about topology office"}
    assert store.records() == [LAB]


@pytest.mark.parametrize("name", [".x", "a b", "x.toml", "ä", "-x", "x" * 64])
def test_a_file_with_a_name_that_no_topology_can_have(tmp_path: Path, name: str) -> None:
    store = written(tmp_path)
    (tmp_path / "run" / f"{name}@1.json").write_text(
        json.dumps({**LAB.to_dict(), "topology": name})
    )
    assert set(store.contents().topologies) == {"office", "lab"}
    (tmp_path / "lib" / f"{name}.json").write_text(json.dumps(LEASES.to_dict()))
    assert store.leased() == ("lab", "office")


def test_others_may_not_hold_the_lock(tmp_path: Path) -> None:
    (tmp_path / "lock").touch(0o666)
    (tmp_path / "lock").chmod(0o666)
    with pytest.raises(UntrustedError, match="others may write it"), locked(tmp_path / "lock", 0):
        pytest.fail("held")
    with pytest.raises(LockedError), locked(tmp_path / "l", 0), locked(tmp_path / "l", 0):
        pytest.fail("two hold the lock")


def test_a_small_file_takes_little_memory(tmp_path: Path) -> None:
    store = written(tmp_path)
    tracemalloc.start()
    store.contents()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < documents.LARGEST // 2
