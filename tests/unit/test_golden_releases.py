"""What each release writes, later ones read: files and marks, kept in tests/golden/releases.

Those of the release in the making are what is written now; VLANLINK_GOLDEN_UPDATE=1 writes them
anew. Once it is out they stay as they are: a change of the format takes another version, and a
reader of both.
"""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vlanlink._version import __version__
from vlanlink.host import Host
from vlanlink.kernel.marks import PROTOCOL, Marks
from vlanlink.store.attached import AttachmentLease, AttachmentRecord
from vlanlink.store.dhcp_leases import DhcpLease, DhcpLeases
from vlanlink.store.documents import VERSION, UnreadableError
from vlanlink.store.files import Store
from vlanlink.store.leases import Leases
from vlanlink.store.lock import Holder
from vlanlink.store.pending import PendingCommit
from vlanlink.store.record import (
    OriginalLink,
    OriginalSysctl,
    Place,
    Record,
    RecordedLink,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "releases"
NOW = GOLDEN / __version__
UPDATE = "VLANLINK_GOLDEN_UPDATE"

_LEASES = Leases(
    {
        ("pub", "web", "eth0"): ("192.0.2.5", "2001:db8::5"),
        ("in", "", "sh-0a1b2c3d"): ("10.0.0.1",),
    },
    {"in": ("10.0.0.0/24",)},
    {"pub": "eth0"},
    {
        ("pub", "4f1d"): AttachmentLease(
            "eth0", "02:00:00:00:00:06", ("192.0.2.6/24",), ("192.0.2.6",), 1000.5
        ),
        ("in", "job"): AttachmentLease("eth1"),
    },
    {"eth0": "52:54:00:12:34:56"},
)
_ATTACHMENT = AttachmentRecord(
    "office", "pub", "4f1d", "eth0", "/proc/4711/ns/net", 4026532281, 4712, "0d5ff0a8",
    RecordedLink(2, "macvlan", "02:00:00:00:00:06"), ("podman", "db"), {"4": True, "6": False},
)  # fmt: skip
_DHCP = DhcpLease(
    "192.0.2.9/24",
    "192.0.2.1",
    "02:00:00:00:00:01",
    1000.5,
    3600,
    1800,
    3150,
    (("0.0.0.0/0", "192.0.2.1"), ("10.0.0.0/8", None)),
    ("192.0.2.53",),
    ("example.org",),
    1400,
)
_RECORD = Record(
    "office",
    file="/etc/office.toml",
    text='[topology]\nname = "office"\n',
    namespaces=("web",),
    uses=("db", "web"),
    stands_on=("eth0.50",),
    paths={"box": "/proc/4711/ns/net"},
    sysctls={"": {"net/ipv4/ip_forward": OriginalSysctl("0", "1", ("2",))}},
    parents={"eth0": OriginalLink(up=False, index=2)},
    routes=(("", "10.0.0.0/8 dev eth0"),),
    reserved={"eth0": {"192.0.2.1": "pub"}},
    files=(("web", "resolv.conf"),),
    boot="0d5ff0a8-6f5a-4f5e-9d3a-000000000000",
    places={
        "web": Place(4711, True, {"eth0": RecordedLink(10000, "macvlan", "02:00:00:00:00:05")})
    },
    changing=True,
)
_PENDING = PendingCommit(
    "office", "0a1b2c3d", 60.0, 1060.5, 4711,
    Host(machine_id="m"), _LEASES, _RECORD.text, _RECORD.file,
)  # fmt: skip
WRITTEN: dict[str, dict[str, Any]] = {
    "record.json": _RECORD.to_dict(),
    "leases.json": _LEASES.to_dict(),
    "dhcp.json": DhcpLeases(
        _RECORD.boot, {("web", "eth0"): _DHCP}, {("web", "eth1"): 900.0}
    ).to_dict(),
    "pending.json": _PENDING.to_dict(),
    "attachment.json": _ATTACHMENT.to_dict(),
    "lock.json": Holder(4711, "vlanlink up office.toml", "2026-11-28 12:33:05").to_dict(),
}
READERS: dict[str, Callable[[object], Any]] = {
    "record.json": Record.from_dict,
    "leases.json": Leases.from_dict,
    "dhcp.json": DhcpLeases.from_dict,
    "pending.json": PendingCommit.from_dict,
    "attachment.json": AttachmentRecord.from_dict,
    "lock.json": Holder.from_dict,
}
OWNERS = ("office", "a", "x" * 63)
HOSTS = (1, 4026531840, 1 << 40)


def marks() -> dict[str, Any]:
    """Group and alias by the host's identity and the topology, and the protocol number."""
    rows = [
        [host, owner, Marks(host).group(owner), Marks(host).alias(owner)]
        for host in HOSTS
        for owner in OWNERS
    ]
    return {"protocol": PROTOCOL, "marks": rows}


def names(directory: Path) -> list[str]:
    """The files of a topology, by what their names begin with."""
    host = Host(run_directory=directory / "run", state_directory=directory / "lib")
    store = Store(host, 1)
    store.write(_RECORD)
    store.write_leases("office", _LEASES)
    store.write_attachment(_ATTACHMENT)
    with store.locked():
        pass
    store.write_pending(replace(_PENDING, host=host)).close()
    return sorted(
        str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()
    )


def releases() -> list[Path]:
    return sorted(GOLDEN.iterdir())


def test_the_release_in_the_making_is_what_is_written_now(tmp_path: Path) -> None:
    found = {**WRITTEN, "marks.json": marks(), "names.json": names(tmp_path)}
    if os.environ.get(UPDATE):
        NOW.mkdir(parents=True, exist_ok=True)
        for name, value in found.items():
            (NOW / name).write_text(json.dumps(value, indent=1) + "\n")
    kept = {path.name: json.loads(path.read_text()) for path in NOW.iterdir()}
    assert json.loads(json.dumps(found)) == kept, (
        f"the format is another; {UPDATE}=1 before the release, another version after it"
    )


@pytest.mark.parametrize("release", releases(), ids=lambda path: path.name)
@pytest.mark.parametrize("name", READERS)
def test_the_files_of_each_release_are_read(release: Path, name: str) -> None:
    """All that they say is known, whatever has been added since."""
    document = json.loads((release / name).read_text())
    again = json.loads(json.dumps(READERS[name](document).to_dict()))
    assert {key: again[key] for key in document.keys() - {"version"}} == {
        key: value for key, value in document.items() if key != "version"
    }


@pytest.mark.parametrize("name", READERS)
def test_what_is_newer_is_said_to_be(name: str) -> None:
    document = {**WRITTEN[name], "version": VERSION + 1, "news": []}
    with pytest.raises(UnreadableError, match=f"version {VERSION + 1} is from a newer vlanlink"):
        READERS[name](document)


@pytest.mark.parametrize("release", releases(), ids=lambda path: path.name)
def test_the_marks_of_each_release_are_known(release: Path) -> None:
    kept = json.loads((release / "marks.json").read_text())
    assert kept["protocol"] == PROTOCOL
    for host, owner, group, alias in kept["marks"]:
        assert Marks(host).is_mark(group)
        assert Marks(host).owner(group, alias, ()) == (owner, True)
        assert Marks(host).owner(group, "", [owner]) == (owner, False)


@pytest.mark.parametrize("release", releases(), ids=lambda path: path.name)
def test_the_file_names_of_each_release_are_looked_for(release: Path, tmp_path: Path) -> None:
    kept = json.loads((release / "names.json").read_text())
    assert set(kept) <= set(names(tmp_path))
