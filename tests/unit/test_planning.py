"""resolve and plan, by the golden cases in tests/cases/plans (see ``golden``)."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.golden import IDENTITY, UPDATE, Case, case_names
from tests.unit.simulated import after, carried_out
from vlanlink.desired.links import derived_mac
from vlanlink.kinds import COMMON, KINDS, Kind
from vlanlink.model import Link, Namespace, Route, Setting, State
from vlanlink.planning.operations import MakeLink, SetLink
from vlanlink.planning.plan import plan, undo_target

CASES = [Case(name) for name in case_names()]
CARRIED_OUT = [
    case
    for case in CASES
    if not (case.conflicts if UPDATE else "error: " in case.expected("plan.txt"))
]


def _name(case: Case) -> str:
    return case.name


def _agree(case: Case, file: str, text: str) -> None:
    if UPDATE:
        (case.folder / file).write_text(text)
    assert text == case.expected(file)


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_plan(case: Case) -> None:
    _agree(case, "plan.txt", case.text())


@pytest.mark.parametrize(
    "case", [case for case in CARRIED_OUT if (case.folder / "undo.txt").exists()], ids=_name
)
def test_undo(case: Case) -> None:
    _agree(case, "undo.txt", case.undo_text())


@pytest.mark.parametrize("case", CARRIED_OUT, ids=_name)
def test_a_plan_can_be_carried_out_and_leaves_nothing_to_do(case: Case) -> None:
    end = carried_out(case.observed, case.todo.operations)
    assert plan(end, case.desired, case.topology.name).operations == ()


@pytest.mark.parametrize("case", CARRIED_OUT, ids=_name)
def test_undo_leads_back_from_everywhere(case: Case) -> None:
    """Wherever a plan stops, the plan to its undo target ends where it began."""
    state, name = case.observed, case.topology.name
    target = undo_target(case.observed, case.todo)
    for operation in case.todo.operations:
        state = after(state, operation)
        back = state
        for _ in range(3):
            back = carried_out(back, plan(back, target, name).operations)
        assert differences(back, case.observed) == [], f"after {operation.describe()}"


def test_plans_do_not_depend_on_the_order_of_sets() -> None:
    """Python orders sets anew in each process, by its hash seed."""
    script = "from tests.unit.golden import *; print([Case(n).text() for n in case_names()])"
    root = Path(__file__).parent.parent.parent
    texts = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            cwd=root,
            check=True,
            stdout=subprocess.PIPE,
        ).stdout
        for seed in range(3)
    }
    assert len(texts) == 1


def differences(left: State, right: State) -> list[str]:
    """What two states differ in, a line each."""
    found = [f"namespace {name}" for name in left.namespaces.keys() ^ right.namespaces.keys()]
    for name in left.namespaces.keys() & right.namespaces.keys():
        a, b = left.namespaces[name], right.namespaces[name]
        found += [f"route {route}" for route in _kept(a) ^ _kept(b)]
        found += [f"link {name}/{link}" for link in a.links.keys() ^ b.links.keys()]
        found += [f"sysctl {key}" for key in b.sysctls if a.sysctls.get(key) != b.sysctls[key]]
        for key in a.links.keys() & b.links.keys():
            one, other = a.links[key], b.links[key]
            found += [f"{name}/{key} {k}: {v}" for k, v in _unlike(one, other)]
    return found


def _kept(namespace: Namespace) -> set[Route]:
    """The routes that somebody asked for; the kernel makes others of the addresses of our links."""
    links = namespace.links
    return {r for r in namespace.routes if r.ours or links[r.dev].owner is None}


def _unlike(one: Link, other: Link) -> Iterator[tuple[str, object]]:
    for key in other.settings:
        if one.settings.get(key) != other.settings[key]:
            yield key, (one.settings.get(key), other.settings[key])
    wanted = {address for address in other.addresses if not address.link_local}
    have = {address for address in one.addresses if not address.link_local}
    if wanted != have:
        yield "addresses", (have, wanted)
    for key in ("owner", "parent", "peer", "kind"):
        if getattr(one, key) != getattr(other, key):
            yield key, (getattr(one, key), getattr(other, key))


# -- coverage: no option of a kind without its cases ---------------------------------------------


def _settings(kind: Kind) -> dict[str, Setting]:
    """The settings that must have cases, with the value of a link that isn't asked for any."""
    common = {option.key: option.default for option in COMMON if not option.absent(kind, {})}
    return {option.key: option.default for option in kind.options} | common | {"mtu": 1500}


def _created(case: Case) -> Iterator[tuple[str, str]]:
    for operation in case.todo.operations:
        if isinstance(operation, MakeLink):
            for link in (operation.link, operation.peer):
                for key, value in link.settings.items() if link else ():
                    if value != _settings(KINDS[operation.link.kind]).get(key) or key == "mode":
                        yield operation.link.kind, key


def _changed(case: Case) -> Iterator[tuple[str, str]]:
    """Settings with a new value that is no default, by a live change or by a new link."""
    for kind, key, _, new in _differing(case):
        if new != _settings(KINDS[kind]).get(key):
            yield kind, key


def _unset(case: Case) -> Iterator[tuple[str, str]]:
    """Settings that go back to their default, because the file does not ask for them."""
    for seen in case.observed.links():
        want = case.desired.link(seen.key)
        kind = KINDS.get(seen.kind)
        if want is None or kind is None or want.kind != seen.kind or want.owner is None:
            continue
        derived = {"mac": derived_mac(IDENTITY, case.topology.name, *seen.key)}
        defaults = _settings(kind)
        for key, default in (defaults | {k: derived[k] for k in derived if k in defaults}).items():
            asked = want.settings.get(key, default) != default
            if not asked and seen.settings.get(key) != default:
                yield seen.kind, key


def _deleted(case: Case) -> Iterator[tuple[str, str]]:
    for seen in case.observed.links():
        if seen.owner == case.topology.name and case.desired.link(seen.key) is None:
            for key, default in _settings(KINDS[seen.kind]).items() if seen.kind in KINDS else ():
                if seen.settings.get(key) != default:
                    yield seen.kind, key


def _differing(case: Case) -> Iterator[tuple[str, str, Setting, Setting]]:
    for operation in case.todo.operations:
        if isinstance(operation, SetLink) and not operation.quiet and operation.kind in KINDS:
            for key, new in operation.new.items():
                yield operation.kind, key, operation.old.get(key), new
        if isinstance(operation, MakeLink):
            for link in (operation.link, operation.peer):
                seen = case.observed.link(link.key) if link else None
                if link and seen and seen.kind == link.kind:
                    for key, new in link.settings.items():
                        if seen.settings.get(key) != new:
                            yield link.kind, key, seen.settings.get(key), new


STAGES: dict[str, Callable[[Case], Iterator[tuple[str, str]]]] = {
    "create": _created,
    "change or recreate": _changed,
    "unset": _unset,
    "delete": _deleted,
}


def _lacking(stage: str, cases: list[Case]) -> list[str]:
    there = {pair for case in cases for pair in STAGES[stage](case)}
    needed = {
        (kind.name, option.key)
        for kind in KINDS.values()
        for option in kind.options
        if stage != "unset" or not option.required
    }
    lacking = [f"{kind}.{key}" for kind, key in needed - there]
    common = {option.key for option in COMMON} - {key for _, key in there}
    return sorted([*lacking, *common])


@pytest.mark.parametrize("stage", STAGES)
def test_every_option_has_its_golden_cases(stage: str) -> None:
    assert _lacking(stage, CARRIED_OUT) == []


def test_an_option_without_cases_is_noticed() -> None:
    without = [case for case in CARRIED_OUT if not case.name.startswith("macvlan-")]
    assert "macvlan.bc_queue_len" in _lacking("create", without)
    assert "macvlan.source_macs" in _lacking("change or recreate", without)
    assert "macvlan.source_macs" in _lacking("unset", without)
    assert "macvlan.mode" in _lacking("delete", without)
    assert _lacking("change or recreate", []) == sorted(
        [f"{kind.name}.{o.key}" for kind in KINDS.values() for o in kind.options]
        + [option.key for option in COMMON]
    )
