"""A name of which nothing is known here, given to each verb that takes one: exit 2.

The verbs and the arguments are the parser's, so a new verb is tried as well.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.command_line import Cli
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.topologies import small
from vlanlink.cli.parser import Parser, parser, parsers

pytestmark = pytest.mark.needs("macvlan")

KNOWN = {
    "FILE|NAME": "office",
    "TOPOLOGY/NETWORK": "office/pub",
    "TOPOLOGY[/NETWORK]": "office",
    "[TOPOLOGY/]NETWORK": "office/pub",
    "NAMESPACE": "office",
}
"""Arguments that name what exists, as help calls them."""
OTHERS = {"FILE", "SOURCE", "VERB", "ID", "CMD"}
"""Arguments that name a file, or come after such a name."""
REST = {
    "attach": "--path /run/netns/target",
    "detach": "c1",
    "exec": "-- true",
    "export": "--to iproute2",
}
PARSERS = parsers(parser())


def named(sub: Parser) -> str | None:
    """What the verb's first argument that names something is called."""
    found = [str(one.metavar) for one in sub._actions if not one.option_strings]
    assert set(found) <= KNOWN.keys() | OTHERS, "say here what it names"
    return next((one for one in found if one in KNOWN), None)


VERBS = [verb for verb, sub in PARSERS.items() if named(sub)]


def line(verb: str, topology: str) -> str:
    name = KNOWN[named(PARSERS[verb]) or ""].replace("office", topology)
    return f"{verb} {name} {REST.get(verb, '')}".strip()


def has_json(verb: str) -> bool:
    return "--json" in PARSERS[verb]._option_string_actions


@pytest.fixture
def machine(lan: Lan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lan:
    """With /etc to write to, an empty journal, and a systemd that knows no unit."""
    lan.world.run(["sh", "-c", "cp -a /etc /run/etc && mount --bind /run/etc /etc"])
    lan.world.ip("netns add target")
    for program, code in (("systemctl", 1), ("journalctl", 0)):
        (tmp_path / program).write_text(f"#!/bin/sh\nexit {code}\n")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return lan


def files() -> dict[Path, bytes]:
    kept = (Path("/run/vlanlink"), Path("/var/lib/vlanlink"), Path("/etc/vlanlink"))
    found = [file for directory in kept for file in directory.rglob("*") if file.is_file()]
    return {file: file.read_bytes() for file in found if not file.name.startswith("lock@")}


def test_verbs_that_take_a_name() -> None:
    assert {"down", "status", "logs", "disable", "confirm", "attach", "inspect"} <= {*VERBS}


def refused(cli: Cli, verb: str, hint: str) -> None:
    what = "namespace" if verb == "exec" else "topology"
    cli.run(line(verb, "offcie"), code=2)
    if has_json(verb):
        (error,) = cli.errors(line(verb, "offcie"), code=2)
        assert error["message"] == f"unknown {what}: offcie"
        assert hint in str(error["hint"])


@pytest.mark.parametrize("state", ["up", "nothing"])
def test_an_unknown_name(machine: Lan, cli: Cli, state: str) -> None:
    """One error in the same words, the nearest name with it; nothing is changed."""
    if state == "up":
        vlanlink.up(vlanlink.load("/run/office.toml", text=small("office", office="")))
    before, kept = dump(machine.world, "target"), files()
    for verb in VERBS:
        refused(cli, verb, "did you mean office?" if state == "up" else "no topology is up here")
        assert files() == kept, verb
    same(machine.world, before, "target")


KNOWN_BY: dict[str, Callable[[], object]] = {
    "a file": lambda: None,
    "a mark": lambda: vlanlink.up(vlanlink.load("/run/office.toml")),
    "a lease": lambda: (vlanlink.up(vlanlink.load("/run/office.toml")), vlanlink.down("office")),
    "a copy for the boot": lambda: Path("/etc/vlanlink/office.toml").symlink_to("/run/office.toml"),
}


@pytest.mark.parametrize("by", KNOWN_BY)
def test_what_is_known_needs_no_unit(machine: Lan, cli: Cli, by: str) -> None:
    """``logs`` and ``disable`` have nothing to show or to do for it: exit 0."""
    del machine
    Path("/run/office.toml").write_text(small("office", office=""))
    Path("/etc/vlanlink").mkdir()
    KNOWN_BY[by]()
    word = "/run/office.toml" if by == "a file" else "office"
    assert cli.json(f"logs {word}") == {"topology": "office", "entries": []}
    assert cli.json(f"disable {word}")["enabled"] is False
