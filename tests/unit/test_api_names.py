"""The public names, what importing them costs, and the shape of results."""

import dataclasses
import importlib
import json
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import vlanlink
from tests.unneeded import NEVER
from vlanlink.errors import Diagnostic
from vlanlink.inventory import EndpointStatus, NetworkDetail, NetworkSummary
from vlanlink.model import HOST, Link, Namespace, State
from vlanlink.planning.change import Change
from vlanlink.planning.operations import MakeNamespace
from vlanlink.planning.plan import Plan
from vlanlink.preflight.report import Finding, Report
from vlanlink.verbs.status import Status

TOPOLOGY = """
[networks.pub]
kind = "macvlan"
parent = "eth0"
subnets = [{ subnet = "192.0.2.0/24" }]
[namespaces.web.interfaces.eth0]
network = "pub"
"""


def test_types_are_told() -> None:
    assert (Path(str(vlanlink.__file__)).parent / "py.typed").exists()


# -- what is loaded ------------------------------------------------------------------------------


def loaded(*words: str, code: str = "") -> set[str]:
    """The modules that a fresh interpreter has at the end."""
    tell = "import sys, atexit; atexit.register(lambda: print('\\n' + ' '.join(sys.modules)))"
    run = f"sys.argv = ['vlanlink', *{list(words)!r}]; from vlanlink.__main__ import run; run()"
    command = [sys.executable, "-c", f"{tell}\n{code or run}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode in (0, 3), result.stderr  # 3: status of what is down
    return set(result.stdout.splitlines()[-1].split())


@pytest.fixture
def topology(tmp_path: Path) -> Path:
    file = tmp_path / "office.toml"
    file.write_text(TOPOLOGY)
    return file


def test_importing_the_library_loads_little() -> None:
    found = loaded(code="import vlanlink")
    assert {"pyroute2", "rich", "argparse", "vlanlink.verbs"}.isdisjoint(found)


FOR_ERRORS = {"json", "vlanlink.errors"}
FOR_CHANGES = {
    "subprocess",
    "importlib.resources",
    "vlanlink.kernel.netns.strangers",
    "vlanlink.kernel.packet",
    "vlanlink.reconcile.up",
    "vlanlink.reconcile.down",
}
KERNEL = {"socket", "vlanlink.kernel.machine", "vlanlink.kernel.netlink"}
OTHER_VERBS = {
    "vlanlink.boot",
    "vlanlink.commit_confirm.timer",
    "vlanlink.preflight",
    "vlanlink.reachability",
    "vlanlink.watcher",
}


@pytest.mark.parametrize(
    ("words", "unneeded"),
    [
        (["--help"], NEVER | FOR_ERRORS | FOR_CHANGES | KERNEL | OTHER_VERBS),
        (["--version"], NEVER | FOR_ERRORS | FOR_CHANGES | KERNEL | OTHER_VERBS),
        (["help"], NEVER | FOR_CHANGES | KERNEL | OTHER_VERBS),
        (["up", "--help"], NEVER | FOR_CHANGES | KERNEL | OTHER_VERBS),
        (["validate", "FILE"], NEVER | FOR_CHANGES | KERNEL | OTHER_VERBS),
        (["plan", "FILE"], NEVER | FOR_CHANGES | OTHER_VERBS),
        (["status"], NEVER | FOR_CHANGES | OTHER_VERBS),
        (["status", "FILE"], NEVER | FOR_CHANGES | OTHER_VERBS),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_verb_imports_what_it_needs(words: list[str], unneeded: set[str], topology: Path) -> None:
    """Python's start and imports are most of the time of a run with few endpoints."""
    found = loaded(*(str(topology) if word == "FILE" else word for word in words))
    # From Python 3.14 on, argparse imports some of it for colours.
    of_argparse = loaded(code="import argparse; argparse.ArgumentParser().format_help()")
    assert sorted((unneeded & found) - of_argparse) == []


def test_what_one_verb_needs_the_others_do_without(topology: Path) -> None:
    packages = ("importers", "exporters", "pictures", "topology.json_schema")
    apart = ("ruamel", *(f"vlanlink.{name}" for name in packages))
    for words in (["validate", str(topology)], ["up", "--help"], ["plan", "--help"]):
        assert not [name for name in loaded(*words) if name.startswith(apart)], words


def test_reading_a_topology_loads_no_netlink(topology: Path) -> None:
    code = f"import vlanlink; vlanlink.load({str(topology)!r})"
    assert {"pyroute2", "vlanlink.kernel.machine"}.isdisjoint(loaded(code=code))


def test_the_module_can_be_run() -> None:
    words = [sys.executable, "-m", "vlanlink", "--version"]
    result = subprocess.run(words, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["vlanlink", vlanlink.__version__]


# -- results -------------------------------------------------------------------------------------

PLAN = Plan("office")
SUMMARY = NetworkSummary("office", "pub", "macvlan", "bridge", None, (), 0)
RESULTS = [
    PLAN,
    Status("office", "up", PLAN),
    Change("create", "link", "", "eth0", ""),
    SUMMARY,
    NetworkDetail(SUMMARY, (), ()),
    EndpointStatus("web", "eth0", None, ()),
    Diagnostic("message"),
    Finding("parent-down", "note", "what", "why"),
    Report("office"),
    State({HOST: Namespace(HOST, links={"lo": Link("lo", "loopback")})}),
]


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result).__name__)
def test_results_are_frozen_and_have_a_json_form(result: typing.Any) -> None:
    field = dataclasses.fields(result)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(result, field, "other")
    assert isinstance(json.loads(json.dumps(result.to_dict())), dict)


def test_topologies_and_hosts_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        vlanlink.Topology(name="office").name = "lab"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        vlanlink.Host().machine_id = "x"  # type: ignore[misc]


def test_a_plan_in_json() -> None:
    change = Change("create", "link", "", "eth0.50", "vlan on eth0, id 50")
    assert change.to_dict() == {
        "action": "create",
        "object": "link",
        "namespace": None,
        "name": "eth0.50",
        "summary": "vlan on eth0, id 50",
    }
    assert PLAN.to_dict() == {"version": 1, "topology": "office", "changes": []}
    assert Status("office", "down", PLAN).to_dict() == {
        "version": 1,
        "topology": "office",
        "state": "down",
        "changes": [],
        "problems": [],
        "waiting": None,
    }


def test_an_error_in_json() -> None:
    whole = Diagnostic("m", "h", ("a", 0, "b"), "f.toml", 3, 5, "text", 2)
    assert whole.to_dict() == {
        "file": "f.toml",
        "line": 3,
        "column": 5,
        "path": "a.0.b",
        "message": "m",
        "hint": "h",
    }
    assert str(whole) == "f.toml:3:5: error: m\n  text\n      ^~\n  hint: h"
    nowhere = Diagnostic("m").to_dict()
    assert [nowhere[key] for key in ("file", "line", "column", "path", "hint")] == [None] * 5
    assert str(Diagnostic("m", severity="warning")) == "warning: m"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("VlanlinkError", 1),
        ("TopologyError", 2),
        ("UsageError", 2),
        ("ConflictError", 1),
        ("ApplyError", 1),
        ("PrivilegeError", 4),
        ("Interrupted", 130),
    ],
)
def test_errors_have_exit_codes(name: str, code: int) -> None:
    error = getattr(importlib.import_module("vlanlink.errors"), name)
    assert issubclass(error, vlanlink.VlanlinkError)
    made = error(Diagnostic("one"), Diagnostic("two"))
    assert (made.exit_code, str(made)) == (code, "one\ntwo")
    assert [d.message for d in made.diagnostics] == ["one", "two"]
    kept = {"not_undone": ["link x"]}
    assert made.to_dict() == {"version": 1, "errors": [d.to_dict() for d in made.diagnostics]}
    assert error(Diagnostic("one"), not_undone=("link x",)).to_dict().items() >= kept.items()


def test_an_error_in_words_says_where_and_what_to_do() -> None:
    whole = Diagnostic("m", "h", ("a", 0, "b"), "f.toml", 3, 5, "text", 2)
    assert str(vlanlink.TopologyError(whole)) == "f.toml:3:5: m\n  text\n      ^~\n  hint: h"


def test_a_plan_is_true_if_there_is_something_to_do() -> None:
    assert not PLAN
    assert Plan("office", (MakeNamespace(namespace="web", owner="office"),))


def test_a_check_has_the_names_of_its_json() -> None:
    paths = Path("")
    pair = vlanlink.Pair("", "gateway", "192.0.2.1", "eth0", True, paths)  # type: ignore[arg-type]
    check = vlanlink.Check(pair, None)
    assert (check.source, check.target, check.address) == ("host", "gateway", "192.0.2.1")
    assert (check.expected, check.measured) == ("reachable", None)
