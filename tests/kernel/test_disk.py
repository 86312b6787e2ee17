"""The disk property: any file of ours lost, cut, damaged, from another version, or somebody's.

Each damage times every verb: no traceback, nothing outside of our directories is written, nobody
else's row is missing, and what is wrong is said once. Afterwards all can be set right.
"""

import itertools
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vlanlink
from tests.kernel.attaching import inside, start_container
from tests.kernel.command_line import Cli
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.test_tenant_marks import OFFICE, OTHER
from tests.unit.test_files_damaged import NUMBERS, TEXTS, changed, places
from vlanlink.cli.main import main
from vlanlink.host import boot_id
from vlanlink.kernel.netns.identity import identify
from vlanlink.store import keeper_file
from vlanlink.store.advertised import Advertised
from vlanlink.store.dhcp_leases import FOREVER, DhcpLease, DhcpLeases
from vlanlink.store.files import Store
from vlanlink.store.pending import PendingCommit, now

pytestmark = pytest.mark.needs("macvlan")

FILES = (
    "record", "leases", "lock", "copy for the boot", "attachment", "DHCP leases", "keeper",
    "pending",
)  # fmt: skip
AUTO = OFFICE.replace('addresses = ["172.16.86.10"]\n', "")
OFFICE_FILE, OTHER_FILE = "/run/office.toml", "/run/other.toml"
VERBS = {
    "plan": f"plan {OFFICE_FILE}",
    "status": "status",
    "status NAME": "status office",
    "status FILE": f"status {OFFICE_FILE}",
    "status other": "status other",
    "ls": "ls",
    "inspect": "inspect other/pub",
    "leases": "leases",
    "attachments": "attachments",
    "doctor": f"doctor {OFFICE_FILE}",
    "down --dry-run": "down office --dry-run",
    "down other --dry-run": "down other --dry-run",
}

Damage = Callable[[Path, random.Random], None]


def lost(path: Path, _: random.Random) -> None:
    path.unlink()


def cut(path: Path, dice: random.Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: dice.randrange(max(1, len(data)))])


def flipped(path: Path, dice: random.Random) -> None:
    data = bytearray(path.read_bytes() or b"x")
    for _ in range(3):
        data[dice.randrange(len(data))] = dice.randrange(256)
    path.write_bytes(bytes(data))


def noise(path: Path, dice: random.Random) -> None:
    path.write_bytes(dice.choice((b"", b"\0" * 100, b"[" * 4000, dice.randbytes(60))))


def a_value(path: Path, dice: random.Random) -> None:
    """A JSON value is another, gone, or has company; any other file gets noise."""
    try:
        value = json.loads(path.read_text())
    except ValueError:
        noise(path, dice)
        return
    where = dice.choice([place for place in places(value) if place])
    how = dice.choice(("replace", "remove", "add"))
    new: Any = dice.choice((*TEXTS, *NUMBERS, None, [], {}, [[]]))
    path.write_text(json.dumps(changed(value, where, how, new)))


def newer(path: Path, dice: random.Random) -> None:
    text = path.read_text()
    path.write_text(text.replace('"version": 1', f'"version": {dice.choice((2, 99))}'))


def older(path: Path, _: random.Random) -> None:
    path.write_text(path.read_text().replace('"version": 1', '"version": 0'))


def given_away(path: Path, _: random.Random) -> None:
    os.chown(path, 4711, 4711)


def open_to_all(path: Path, _: random.Random) -> None:
    path.chmod(0o666)


def planted(path: Path, _: random.Random) -> None:
    path.unlink()
    path.symlink_to("/run/victim")


def a_directory(path: Path, _: random.Random) -> None:
    path.unlink()
    path.mkdir()


def a_fifo(path: Path, _: random.Random) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGES: tuple[Damage, ...] = (
    lost, cut, flipped, noise, a_value, newer, older, given_away, open_to_all, planted,
    a_directory, a_fifo,
)  # fmt: skip


def path_of(kind: str) -> Path:
    return {
        "record": Path(f"/run/vlanlink/office@{identify(None)}.json"),
        "leases": Path("/var/lib/vlanlink/office.json"),
        "lock": Path(f"/run/vlanlink/lock@{identify(None)}"),
        "copy for the boot": Path("/run/etc/office.toml"),
        "attachment": Path(f"/run/vlanlink/office@{identify(None)}+pub+c1"),
        "DHCP leases": Path("/var/lib/vlanlink/office.dhcp"),
        "keeper": Path(f"/run/vlanlink/office@{identify(None)}.keeper"),
        "pending": Path(f"/run/vlanlink/office@{identify(None)}.pending"),
    }[kind]


def write(kind: str, pid: int) -> None:
    """The files that ``up`` of these topologies doesn't write."""
    store = Store(vlanlink.Host(), identify(None))
    match kind:
        case "copy for the boot":
            path_of(kind).write_text(AUTO)
        case "attachment":
            vlanlink.attach("office/pub", pid=pid, id="c1")
        case "DHCP leases":
            store.edit_dhcp_leases("office", lambda _: DHCP)
        case "keeper":
            held = keeper_file.claim(path_of(kind))
            assert held
            keeper_file.write(held, keeper_file.Keeper(os.getpid(), "eth0"))
            os.close(held)
        case "pending":
            host, leases = vlanlink.Host(), store.leases("office")
            change = PendingCommit("office", "0a1b", 60.0, now() + 1000, 1 << 22, host, leases)
            store.write_pending(change).close()


LEASE = DhcpLease(
    "172.16.86.77/24", "172.16.86.1", "02:00:00:00:00:01", 1.0, FOREVER, FOREVER, FOREVER,
    (("10.0.0.0/8", "172.16.86.1"),), ("172.16.86.1",), ("example.net",), 1400,
)  # fmt: skip
HEARD = Advertised({"2001:db8::53": 1e9}, {"example.org": 1e9})
DHCP = DhcpLeases(
    boot_id(), {("one", "eth0"): LEASE}, {("two", "eth0"): 1.0}, {("two", "eth0"): HEARD}
)


@pytest.fixture
def machine(lan: Lan, monkeypatch: pytest.MonkeyPatch) -> Lan:
    """Two topologies are up; /etc/vlanlink is elsewhere, with a copy of one."""
    Path("/run/etc").mkdir()
    Path("/run/victim").write_text("mine")
    for file, text in ((OFFICE_FILE, AUTO), (OTHER_FILE, OTHER)):
        Path(file).write_text(text)
    host = vlanlink.Host.__init__

    def elsewhere(self: vlanlink.Host, *given: Any, **options: Any) -> None:
        host(self, *given, **{"configuration_directory": "/run/etc", **options})

    monkeypatch.setattr(vlanlink.Host, "__init__", elsewhere)
    return lan


def everything(cli: Cli, words: str) -> str:
    """What a verb prints, on both streams, whatever its exit code is."""
    done = main(words.split())
    out, err = cli.capsys.readouterr()
    assert done in (0, 1, 2, 3, 4), (words, done, out, err)
    assert "Traceback" not in out + err, (words, out, err)
    assert all(c.isprintable() or c == "\n" for c in out + err), (words, out, err)
    return str(out + err)


def verbs(number: int, *, long_run: bool) -> dict[str, str]:
    """In a short run every third verb, in turn, beside those that show everybody's rows."""
    always = ("status", "status NAME", "ls")
    chosen = enumerate(VERBS.items())
    return dict(one for at, one in chosen if long_run or one[0] in always or (at - number) % 3 == 0)


def rounds(long_run: bool) -> list[tuple[str, Damage, int]]:
    """Every file times every damage; those that throw dice several times in a long run."""
    first, _, last = os.environ.get("VLANLINK_SEEDS", "").partition("-")
    times = range(int(first), int(last or first) + 1) if first else range(25 if long_run else 1)
    return [
        (kind, damage, seed)
        for kind, damage in itertools.product(FILES, DAMAGES)
        for seed in (times if damage in (cut, flipped, noise, a_value) else times[:1])
    ]


def test_a_damaged_file_times_every_verb(machine: Lan, cli: Cli, long_run: bool) -> None:
    before = dump(machine.world)
    container = start_container(machine.world)
    for number, (kind, damage, seed) in enumerate(rounds(long_run)):
        what = (kind, damage.__name__, seed)
        vlanlink.up(vlanlink.load(OFFICE_FILE))
        vlanlink.up(vlanlink.load(OTHER_FILE))
        write(kind, container)
        path = path_of(kind)
        damage(path, random.Random(f"{what}"))
        up = dump(machine.world, "one", "two", "three", "four", sysctls=False)
        store = Store(vlanlink.Host(), identify(None))
        unreadable = [file.path for file in store.contents().unreadable]
        for verb, words in verbs(number, long_run=long_run).items():
            said = everything(cli, words)
            assert said.count(f"{path} can't be used") <= 1, (what, verb, said)
            if verb in ("status", "status NAME") and path in unreadable:
                assert f"{path} can't be used" in said, (what, verb, said)
            if verb in ("status", "ls"):
                assert "other" in said, (what, verb, said)
        same(machine.world, up, "one", "two", "three", "four")
        everything(cli, f"up {OFFICE_FILE}")
        said = everything(cli, "down office")
        left = "eth0" in inside(machine.world, container, "ip -br link")
        assert not left or f"pid {container} " in said or f"{path} can't" in said, (what, said)
        assert Path("/run/victim").read_text() == "mine", what
        _clear(path)
        if kind == "pending" and path.exists():
            everything(cli, "confirm office")
        everything(cli, "down office")
        if left:
            everything(cli, f"up {OFFICE_FILE}")
            everything(cli, f"attach office/pub --pid {container} --id c1")
            everything(cli, "down office")
            assert "eth0" not in inside(machine.world, container, "ip -br link"), what
        said = everything(cli, "down office")
        everything(cli, "down other")
        for name in machine.world.namespaces():
            _delete_by_hand(machine, name, said, what)
        everything(cli, "down office")
        path_of("copy for the boot").unlink(missing_ok=True)
    same(machine.world, before)


def _delete_by_hand(machine: Lan, name: str, said: str, what: object) -> None:
    """A record that makes sense is believed: one that lacks a link makes that somebody's own."""
    assert f"namespace {name} stays: it contains eth0" in said, (what, said)
    machine.world.ip(f"netns delete {name}")
    machine.world.settle()


def _clear(path: Path) -> None:
    """The administrator removes what is in the way."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    elif path.name.startswith("lock") or not path.is_file() or path.stat().st_mode & 0o022:
        path.unlink(missing_ok=True)
    elif path.stat().st_uid:
        path.unlink()
