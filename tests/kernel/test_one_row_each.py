"""One's trouble is nobody else's: `status`, `ls` and `inspect` tell of all the others."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.lan import Lan
from tests.kernel.world import World
from vlanlink.kernel.marks import Marks
from vlanlink.kernel.netns.identity import identify

pytestmark = pytest.mark.needs("macvlan")

TOPOLOGY = """
[topology]
name = "{0}"
[networks.pub{0}]
kind = "macvlan"
parent = "eth0"
probe = false
subnets = [{{ subnet = "172.16.{1}.0/24" }}]
[namespaces.{0}.interfaces.eth0]
network = "pub{0}"
"""
GHOSTS = 300


def cli(words: str) -> "subprocess.CompletedProcess[str]":
    run = [sys.executable, "-m", "vlanlink", *words.split()]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr
    return done


def record(name: str) -> Path:
    return Path(f"/run/vlanlink/{name}@{identify(None)}.json")


def with_text(text: str) -> Callable[[Path], object]:
    def change(path: Path) -> None:
        path.write_text(json.dumps({**json.loads(path.read_text()), "text": text}))

    return change


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


TROUBLES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a key of the copy": (
        with_text('[topology]\nname = "one"\n[networks.pub]\nkind = "macvlan"\ncolour = 1\n'),
        "the copy of one that up keeps can't be used: unknown key",
    ),
    "no TOML": (with_text("[topology\n"), "the copy of one that up keeps can't be used: "),
    "a copy of another": (with_text('[topology]\nname = "x"\n'), "the copy of one is that of x"),
    "cut": (lambda path: path.write_text(path.read_text()[:50]), "can't be used: it is not JSON"),
    "deep": (lambda path: path.write_text("[" * 4000), "can't be used: it is not JSON"),
    "a newer version": (
        lambda path: path.write_text(json.dumps({"version": 99})),
        "version 99 is from a newer vlanlink",
    ),
    "written by others": (lambda path: path.chmod(0o666), "others may write it"),
    "a directory": (_directory, "it is not a regular file"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_the_others_are_told(lan: Lan, trouble: str) -> None:
    for number, name in enumerate(("one", "two")):
        vlanlink.up(vlanlink.load(f"/run/{name}.toml", text=TOPOLOGY.format(name, number)))
    spoil, why = TROUBLES[trouble]
    spoil(record("one"))
    for words in ("status", "ls", "inspect pubtwo"):
        shown, told = cli(words), cli(f"{words} --json")
        assert shown.stderr.count(why) == 1, (words, shown.stderr)
        assert "two" in shown.stdout, words
        (warning,) = (w for w in json.loads(told.stdout)["warnings"] if why in w["message"])
        assert told.stderr == ""
        assert warning["message"]
    rows = {one.topology: one.state for one in vlanlink.status()}
    assert rows["two"] == "up"
    assert rows.keys() == {"one", "two"}
    assert rows["one"] == "drifted"
    del lan


@pytest.mark.parametrize("verb", ["up", "down", "plan", "status", "watch"])
def test_a_record_that_others_may_write_is_refused(lan: Lan, verb: str) -> None:
    Path("/run/one.toml").write_text(TOPOLOGY.format("one", 1))
    vlanlink.up(vlanlink.load("/run/one.toml"))
    before = lan.world.ip("-d link")
    record("one").chmod(0o666)
    done = cli(f"{verb} /run/one.toml")
    assert "others may write it" in done.stderr
    if verb in ("up", "down", "watch"):
        assert done.returncode == 4
    assert lan.world.ip("-d link") == before
    record("one").chmod(0o600)
    assert cli("down one").returncode == 0


@pytest.mark.parametrize("directory", ["/run/vlanlink", "/var/lib/vlanlink"])
@pytest.mark.parametrize("verb", ["up /run/one.toml", "down one", "status", "ls", "doctor"])
def test_a_directory_that_others_may_write_is_refused(lan: Lan, directory: str, verb: str) -> None:
    Path("/run/one.toml").write_text(TOPOLOGY.format("one", 1))
    vlanlink.up(vlanlink.load("/run/one.toml"))
    os.chmod(directory, 0o777)
    done = cli(verb)
    assert done.returncode == 4
    assert done.stderr.count(f"{directory} can't be used: others may write it") == 1
    assert "one" in lan.world.namespaces()


def test_names_in_marks_are_bounded_in_time(world: World) -> None:
    """Three hundred names of topologies that never were, in marks that anybody can write."""
    world.ip("netns add tenant")
    marks = Marks(identify(None))
    ends = [f"g{n} group {marks.group(f'ghost{n}')}" for n in range(GHOSTS)]
    lines = [f"link add {end} type veth peer name h{n}" for n, end in enumerate(ends)]
    lines += [f"link set g{n} alias vlanlink:ghost{n}" for n in range(GHOSTS)]
    world.batch("\n".join(lines), "tenant")
    begin = time.process_time()
    found = vlanlink.status()
    assert len(found) <= GHOSTS
    one = time.process_time() - begin
    begin = time.process_time()
    vlanlink.snapshot()
    reading = time.process_time() - begin
    assert one < 30 * reading + 1, "a reading of the machine, not one for each name"


@pytest.mark.parametrize("name", [".x", "..", "../../run/t/secret", "a\x1b[31mb", "x\ny"])
def test_a_name_that_can_not_be_is_no_topology(lan: Lan, name: str) -> None:
    Path("/run/t").mkdir()
    Path("/run/t/secret.toml").write_text("root:hash:\n")
    lan.world.ip("netns add tenant")
    marks = Marks(identify(None))
    for words in (["group", str(marks.group(name))], ["alias", f"vlanlink:{name}"]):
        lan.world.run(["ip", "-n", "tenant", "link", "set", "lo", *words])
        lan.world.run(["ip", "link", "set", "eth0", *words])
    Path("/run/etc").mkdir()
    host = vlanlink.Host(configuration_directory="/run/etc")
    assert vlanlink.status(host=host) == ()
    done = cli("status")
    assert (done.returncode, done.stdout, done.stderr) == (0, "No topology is up.\n", "")
    for verb in ("status", "down", "verify"):
        with pytest.raises(vlanlink.UsageError, match="unknown topology") as caught:
            getattr(vlanlink, verb)(name, host)
        assert "root:hash" not in str(caught.value)
