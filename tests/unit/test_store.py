"""The files under the run directory: 0600, whole or not there, one writer at a time."""

import json
import os
import stat
from pathlib import Path

import pytest

from vlanlink.host import Host
from vlanlink.store.files import Store
from vlanlink.store.kept import Kept
from vlanlink.store.leases import Leases
from vlanlink.store.record import OriginalLink, OriginalSysctl, Record

OFFICE = Record(
    "office",
    file="/etc/office.toml",
    text="[topology]\n",
    namespaces=("web",),
    sysctls={"": {"net/ipv4/ip_forward": OriginalSysctl("0", "1")}},
    parents={"eth0": OriginalLink(up=False)},
)
LAB = Record("lab")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return _store(tmp_path / "run" / "vlanlink")


def _store(directory: Path, namespace: int = 1) -> Store:
    host = Host(run_directory=directory, state_directory=directory.parent / "lib")
    return Store(host, namespace)


def files(tmp_path: Path) -> list[str]:
    return sorted(os.listdir(tmp_path / "run" / "vlanlink"))


def test_reading_makes_nothing(tmp_path: Path, store: Store) -> None:
    assert store.records() == []
    assert os.listdir(tmp_path) == []


def test_what_is_written_is_read(store: Store) -> None:
    store.write(OFFICE)
    store.write(LAB)
    assert store.records() == [LAB, OFFICE]


def test_a_record_takes_the_place_of_the_one_before(tmp_path: Path, store: Store) -> None:
    store.write(OFFICE)
    store.write(Record("office"))
    assert store.records() == [Record("office")]
    assert files(tmp_path) == ["office@1.json"]


def test_network_namespaces_that_share_the_directory_do_not_see_each_other(
    tmp_path: Path, store: Store
) -> None:
    other = _store(tmp_path / "run" / "vlanlink", namespace=11)
    store.write(OFFICE)
    assert other.records() == []
    other.write(Record("office", text="another"))
    assert store.records() == [OFFICE]
    with store.locked(0), other.locked(0):
        other.remove("office")
    assert store.records() == [OFFICE]


def test_files_are_for_root_alone(tmp_path: Path, store: Store) -> None:
    before = os.umask(0)
    try:
        store.write(OFFICE)
        with store.locked():
            pass
    finally:
        os.umask(before)
    directory = tmp_path / "run" / "vlanlink"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    for name in files(tmp_path):
        assert stat.S_IMODE((directory / name).stat().st_mode) == 0o600, name


def test_a_write_that_fails_leaves_the_old_record(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(OFFICE)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fchmod", full)
    with pytest.raises(OSError, match="No space"):
        store.write(Record("office", text="new"))
    monkeypatch.undo()
    assert store.records() == [OFFICE]
    assert files(tmp_path) == ["office@1.json"]


def test_removing_what_is_not_there(tmp_path: Path, store: Store) -> None:
    store.remove("office")
    store.write(OFFICE)
    store.remove("office")
    store.remove("office")
    assert files(tmp_path) == []


BROKEN = {
    "empty": "",
    "cut": "{",
    "array": "[]",
    "null": "null",
    "no keys": "{}",
    "few keys": '{"version": 1}',
    "another version": '{"version": 99, "topology": "office"}',
    "unknown key": json.dumps(OFFICE.to_dict() | {"more": 1}),
    "of another topology": json.dumps(OFFICE.to_dict() | {"topology": "shop"}),
    "wrong types": json.dumps(OFFICE.to_dict() | {"sysctls": 5}),
    "wrong types below": json.dumps(OFFICE.to_dict() | {"sysctls": {"": {"key": 5}}}),
    "text for a table": json.dumps(OFFICE.to_dict() | {"parents": "eth0"}),
    "control characters": "\x00\x01",
    "depth": "[" * 100_000,
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=list(BROKEN))
def test_a_record_that_cannot_be_read_is_as_good_as_none(
    tmp_path: Path, store: Store, text: str
) -> None:
    store.write(LAB)
    (tmp_path / "run" / "vlanlink" / "office@1.json").write_text(text)
    assert store.records() == [LAB]
    (named,) = store.contents().unreadable
    assert str(named).startswith(f"{tmp_path}/run/vlanlink/office@1.json can't be used: ")


def test_it_is_said_why_a_record_cannot_be_read(tmp_path: Path, store: Store) -> None:
    file = tmp_path / "run" / "vlanlink" / "office@1.json"
    store.write(OFFICE)
    for more, why in {
        '"version": 2': "version 2 is from a newer vlanlink",
        '"version": 1, "more": 1': "unknown key 'more'",
    }.items():
        file.write_text(json.dumps(OFFICE.to_dict()).replace('"version": 1', more))
        (named,) = store.contents().unreadable
        assert (named.topology, str(named)) == ("office", f"{file} can't be used: {why}")


def test_bytes_that_are_no_text(tmp_path: Path, store: Store) -> None:
    store.write(LAB)
    (tmp_path / "run" / "vlanlink" / "office@1.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "run" / "vlanlink" / "directory@1.json").mkdir()
    assert store.records() == [LAB]


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9])
def test_a_record_cut_short_is_as_good_as_none(tmp_path: Path, store: Store, cut: float) -> None:
    store.write(OFFICE)
    path = tmp_path / "run" / "vlanlink" / "office@1.json"
    text = path.read_text()
    path.write_text(text[: int(len(text) * cut)])
    assert store.records() == []


def test_a_file_in_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    store = _store(tmp_path / "run" / "vlanlink")
    assert store.records() == []
    with pytest.raises(OSError):  # noqa: PT011 - ENOTDIR or EEXIST, as the system has it
        store.write(LAB)


# -- leases ----------------------------------------------------------------------------------------

LEASES = Leases({("pub", "web", "eth0"): ("192.0.2.5", "2001:db8::5")}, {"lab": ("172.16.0.0/24",)})


def test_leases_are_read_as_they_were_written(store: Store) -> None:
    store.write_leases("office", LEASES)
    assert store.leases("office") == LEASES
    assert store.leased() == ("office",)


def test_no_leases_leave_no_file(store: Store) -> None:
    store.write_leases("office", LEASES)
    store.write_leases("office", Leases())
    assert store.leased() == ()
    assert store.leases("office") == Leases()


@pytest.mark.parametrize("text", ["", "{", "5", '{"version": 1}', '{"version": 9}', "[" * 10_000])
def test_leases_that_cannot_be_read_are_as_good_as_none(
    store: Store, tmp_path: Path, text: str
) -> None:
    store.write_leases("office", LEASES)
    (tmp_path / "run" / "lib" / "office.json").write_text(text)
    assert store.leases("office") == Leases()


def test_each_kept_file_is_restored_whatever_the_others_do(tmp_path: Path) -> None:
    first, second, third, new = (tmp_path / name for name in ("first", "second", "third", "new"))
    for path in (first, second, third):
        path.write_text(path.name)
    kept = Kept.of((first, second, third, new), prefix=".new-")
    first.unlink()
    (first / "in the way").mkdir(parents=True)
    replacement = tmp_path / "other"
    replacement.write_text("changed")
    replacement.replace(second)
    new.write_text("changed")
    assert kept.restore() == (f"{first} is not as it was: Is a directory",)
    assert kept.restore() == (f"{first} is not as it was: Is a directory",)
    kept.discard()
    assert second.read_text() == "second"
    assert {path.name for path in tmp_path.iterdir()} == {"first", "second", "third"}
