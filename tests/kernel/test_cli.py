"""The command as a user runs it: exit codes, and what stands on stdout with --json."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import vlanlink
from tests.kernel.command_line import VLANLINK, WITHOUT_PRIVILEGE, Cli
from tests.kernel.examples import DIRECTORY
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan

pytestmark = pytest.mark.needs("macvlan")

FILE = str(DIRECTORY / "01-macvlan.toml")

CHANGE = {"action", "object", "namespace", "name", "summary"}


def _changes(found: dict[str, Any]) -> list[tuple[str, str, str | None, str]]:
    assert found["topology"] == "macvlan"
    for change in found["changes"]:
        assert change.keys() == CHANGE
        assert change["action"] in ("create", "change", "delete")
        assert change["object"] in ("namespace", "link", "address", "route", "sysctl")
    return [(c["action"], c["object"], c["namespace"], c["name"]) for c in found["changes"]]


def test_the_whole_way_in_json(lan: Lan, cli: Cli) -> None:
    world = lan.world
    before = dump(world)
    planned = _changes(cli.json(f"plan {FILE}"))
    assert ("create", "link", "one", "eth0") in planned
    assert _changes(cli.json(f"plan {FILE} --check", code=3)) == planned
    assert _changes(cli.json(f"up {FILE} --dry-run")) == planned
    found = cli.json(f"status {FILE}", code=3)
    assert (found["state"], _changes(found)) == ("down", planned)
    same(world, before)

    assert _changes(cli.json(f"up {FILE}")) == planned
    assert _changes(cli.json(f"up {FILE}")) == []
    assert _changes(cli.json(f"plan {FILE} --check")) == []
    found = cli.json("status macvlan")
    assert (found["state"], found["changes"]) == ("up", [])
    assert [t["topology"] for t in cli.json("status")["topologies"]] == ["macvlan"]
    row = {
        "topology": "macvlan",
        "name": "pub_net",
        "kind": "macvlan",
        "mode": "bridge",
        "parent": "eth0",
        "subnets": ["172.16.86.0/24"],
        "endpoints": 2,
    }
    assert cli.json("ls") == {"networks": [row]}
    detail = cli.json("inspect pub_net")
    assert detail == cli.json("inspect macvlan/pub_net")
    mac = world.link("eth0", "one")["address"]
    assert detail["endpoints"][0] == {
        "namespace": "one",
        "interface": "eth0",
        "mac": mac,
        "addresses": ["172.16.86.10/24"],
        "by_dhcp": [],
    }

    world.ip("addr del 172.16.86.10/24 dev eth0", "one")
    found = cli.json("status macvlan", code=3)
    assert found["state"] == "drifted"
    assert ("create", "address", "one", "172.16.86.10/24") in _changes(found)
    gone = _changes(cli.json("down macvlan --dry-run"))
    assert _changes(cli.json("down macvlan")) == gone != []
    assert _changes(cli.json(f"down {FILE}")) == []
    assert cli.json("ls") == {"networks": []}
    assert cli.json("status") == {"topologies": []}
    same(world, before)


def test_the_whole_way_in_words(lan: Lan, cli: Cli) -> None:
    del lan
    assert cli.run(f"validate {FILE}") == f"{FILE}: OK\n"
    lines = cli.run(f"up {FILE}").splitlines()
    assert lines[0] == "namespace one"
    assert "  + namespace one" in lines
    assert lines[-1].startswith("macvlan is up: ")
    assert cli.run(f"up {FILE}") == "macvlan is already up.\n"
    assert cli.run("status macvlan") == "macvlan: up\n"
    assert "pub_net" in cli.run("ls")
    assert "172.16.86.10/24" in cli.run("inspect pub_net")
    assert cli.run("down macvlan").splitlines()[-1].startswith("macvlan is down: ")
    assert cli.run(f"down {FILE}") == "macvlan is not up: nothing to do.\n"


def test_up_tells_where_the_time_went(lan: Lan, cli: Cli) -> None:
    del lan
    told = cli.json(f"up {FILE} --timings")["timings"]
    assert {"file", "read", "plan", "namespaces", "links", "addresses", "routes", "verify"} <= {
        phase for phase, seconds in told.items() if seconds > 0
    }
    again = cli.json(f"up {FILE} --timings")["timings"]
    assert again.keys() == told.keys()
    assert again["read"] > 0
    assert {again[phase] for phase in ("namespaces", "links", "addresses", "verify")} == {0}
    assert "timings" not in cli.json(f"up {FILE}")


def test_s20_ls_and_inspect_tell_what_docker_tells(lan: Lan, cli: Cli) -> None:
    world = lan.world
    cli.run(f"up {DIRECTORY / '20-ls-and-inspect.toml'}")
    rows = [line.split() for line in cli.run("ls").splitlines()]
    assert [row[:5] for row in rows[1:]] == [
        ["told", "back", "macvlan", "private", "eth0"],
        ["told", "front", "macvlan", "bridge", "eth0"],
    ] or [row[1] for row in rows[1:]] == ["front", "back"]
    found = cli.json("inspect front")
    assert [endpoint["namespace"] for endpoint in found["endpoints"]] == ["web"]
    told = cli.run("inspect back")
    for space, dev in (("web", "eth1"), ("db", "eth0")):
        words = (space, dev, world.link(dev, space)["address"], *world.addresses(dev, space))
        assert all(word in told for word in words), told
    assert "172.16.20.10/24" not in told


def test_of_what_is_down_only_the_leases_are_known(lan: Lan, cli: Cli) -> None:
    text = """
    [topology]
    name = "leased"
    [networks.pub]
    kind = "macvlan"
    parent = "eth0"
    subnets = [{ subnet = "172.16.86.0/24" }]
    [namespaces.web.interfaces.eth0]
    network = "pub"
    """
    cli.run("up -", stdin=text)
    cli.run("down leased")
    assert "web" not in lan.world.namespaces()
    assert cli.json("status leased", code=3)["state"] == "down"
    assert cli.run("status leased", code=3) == "leased: down\n"
    assert cli.json("verify leased", code=3)["state"] == "down"
    assert cli.json("down leased")["changes"] == []


@pytest.mark.usefixtures("lan")
def test_an_empty_file_that_is_up_is_up(cli: Cli) -> None:
    Path("/run/nothing.toml").write_text("[topology]\n")
    cli.run("up /run/nothing.toml")
    assert cli.json("status nothing")["state"] == "up"
    assert cli.json("status /run/nothing.toml")["state"] == "up"
    cli.run("down nothing")


def test_what_was_made_in_code_is_known_by_its_name(lan: Lan, cli: Cli) -> None:
    tables: Any = {
        "networks": {"pub": {"kind": "macvlan", "parent": "eth0"}},
        "namespaces": {"web": {"interfaces": {"eth0": {"network": "pub"}}}},
    }
    tables["networks"]["pub"]["subnets"] = [{"subnet": "172.16.86.0/24"}]
    made = vlanlink.load({"topology": {"name": "code"}, **tables})
    assert "eth0" in lan.world.names()
    vlanlink.up(made)
    assert cli.json("status code")["state"] == "up"
    assert [network["endpoints"] for network in cli.json("ls")["networks"]] == [1]
    assert cli.json("verify code")["ok"]
    assert '"web"' in json.dumps(vlanlink.snapshot().to_dict())
    cli.run("down code")
    wrong = replace(made, networks={})
    with pytest.raises(vlanlink.TopologyError, match="unknown network"):
        vlanlink.up(wrong)


def test_exec_exits_as_the_command_does(lan: Lan, cli: Cli) -> None:
    world = lan.world
    cli.run(f"up {FILE}")
    for words, code, told in (
        (["one", "--", "sh", "-c", "ip -o -4 addr show dev eth0; exit 7"], 7, "172.16.86.10/24"),
        (["one", "--", "no-such-command"], 127, "no-such-command: not found"),
        (["one", "--", "/etc"], 126, "/etc: Permission denied"),
    ):
        done = world.run([VLANLINK, "exec", *words], check=False)
        assert done.returncode == code
        assert told in done.stdout + done.stderr
    cli.run("exec won -- true", code=2)


def test_what_is_wrong_with_the_file_or_the_command_line_exits_2(lan: Lan, cli: Cli) -> None:
    world = lan.world
    before = dump(world)
    text = Path(FILE).read_text().replace("172.16.86.10", "172.16.87.10")
    for verb in ("up", "plan", "validate", "status"):
        error = cli.errors(f"{verb} -", code=2, stdin=text)[0]
        where = text[: text.index("172.16.87.10")].count("\n") + 1
        assert (error["file"], error["line"]) == ("-", where)
        assert error["column"] > 1
        assert error["path"] == "namespaces.one.interfaces.eth0.addresses.0"
    assert "nothing to do" in cli.run("down -", stdin=text)  # it needs the name alone
    cli.errors("down -", code=2, stdin=text + "[networks\n")
    for words in ("down nosuch", "status nosuch", "inspect nosuch"):
        error = cli.errors(words, code=2)[0]
        assert "nosuch" in error["message"]
        assert [error[key] for key in ("file", "line", "column", "path")] == [None] * 4
    for words in ("upp", "up", "up /run/no-such.toml", f"up {FILE} --wrong", "verify x"):
        cli.run(words, code=2)
    same(world, before)


def test_what_the_machine_has_against_it_exits_1(lan: Lan, cli: Cli) -> None:
    world = lan.world
    world.ip("netns add one")
    world.ip("link add eth0 type veth peer name other", "one")
    before = dump(world, "one")
    error = cli.errors(f"up {FILE}", code=1)[0]
    assert error["file"] == FILE
    assert "eth0" in error["message"]
    assert error["path"] == "namespaces.one.interfaces.eth0"
    missing = Path(FILE).read_text().replace('"eth0"', '"eth7"')
    assert "eth7" in cli.errors("up -", code=1, stdin=missing)[0]["message"]
    same(world, before, "one")
    world.ip("link del eth0", "one")
    cli.run(f"up {FILE}")
    Path("/run/copy.toml").write_text(Path(FILE).read_text())
    assert FILE in cli.errors("up /run/copy.toml", code=1)[0]["message"]


def test_without_privilege_it_exits_4(lan: Lan) -> None:
    world = lan.world
    before = dump(world)
    done = world.run([*WITHOUT_PRIVILEGE, VLANLINK, "up", FILE], check=False)
    assert done.returncode == 4, done.stderr
    assert "CAP_NET_ADMIN" in done.stderr
    assert "sudo" in done.stderr
    world.run([*WITHOUT_PRIVILEGE, VLANLINK, "validate", FILE])
    same(world, before)


def test_an_ordinary_user_plans_what_the_host_tells(lan: Lan, cli: Cli) -> None:
    world = lan.world

    def plan(code: int) -> tuple[str, str]:
        done = world.run([*WITHOUT_PRIVILEGE, VLANLINK, "plan", FILE], check=False)
        assert done.returncode == code, done.stderr
        return done.stdout, done.stderr

    whole = cli.run(f"plan {FILE}")
    assert plan(0) == (whole, "")
    world.ip("netns add other")
    told, warning = plan(0)
    assert told == whole
    assert warning.startswith("warning: an ordinary user can't see other namespaces (other)\n")
    cli.run(f"up {FILE}")
    _, error = plan(4)
    assert "can't see into namespaces that exist (one, two)" in error
    assert f"sudo {VLANLINK} plan" in error
