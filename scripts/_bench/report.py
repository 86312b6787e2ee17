"""Samples into a table, into ratios with the goals they have, and into JSON."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from _bench.process import Sample
from _bench.scene import Scene, Vlans

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Samples = dict[tuple[str, str], list[Sample]]
"""By contender and verb."""
Measured = tuple[str, str]


@dataclass(frozen=True)
class Goal:
    """A ratio of two medians, and its upper bound."""

    what: Measured
    against: Measured
    most: Mapping[int | None, float]
    """By size; at other sizes the ratio is printed without a goal."""


@dataclass(frozen=True)
class PhaseGoal:
    """The same of phases that the two tell themselves."""

    label: str
    what: Measured
    phases: tuple[str, ...]
    against: Measured
    their_phases: tuple[str, ...]
    most: Mapping[int | None, float]


UP, DOWN, AGAIN = (("vlanlink", verb) for verb in ("up", "down", "up again"))
FLOOR = ("floor", "up")
PHASE_GOALS = (
    PhaseGoal(
        "apply / floor's",
        UP,
        ("namespaces", "sysctls", "links", "addresses", "routes"),
        FLOOR,
        ("apply",),
        {500: 1.2},
    ),
    PhaseGoal("read / struct's", AGAIN, ("read",), ("floor", "read"), ("open", "read"), {500: 3}),
)
GOALS = (
    Goal(UP, ("ip script", "up"), {10: 2.5, 100: 0.6, 500: 0.28}),
    Goal(UP, FLOOR, {}),
    Goal(UP, ("CNI", "up"), {500: 0.125}),
    Goal(UP, ("IfState", "up"), {500: 0.04}),
    Goal(UP, ("pyroute2", "up"), {500: 0.09}),
    Goal(AGAIN, ("ip script", "up"), {10: 2, 100: 0.4, 500: 0.15}),
    Goal(("vlanlink", "one more"), AGAIN, {500: 1.2}),
    Goal(DOWN, ("ip script", "down"), {10: 6, 100: 0.8, 500: 0.4, 4000: 0.20}),
)
START_GOALS = (
    Goal(("start", "--help"), ("start", "python"), {None: 3}),
    Goal(("start", "validate"), ("start", "python"), {None: 6}),
    Goal(("start", "plan"), ("start", "python"), {None: 8}),
    Goal(("start", "status"), ("start", "python"), {None: 8}),
)
FOREIGN_GOALS = tuple(
    Goal(("beside", verb), ("alone", verb), {None: 1.5})
    for verb in ("plan", "up", "up again", "status", "down")
)


def table(title: str, samples: Samples) -> str:
    """A row for each contender and verb: medians in milliseconds, and the spread."""
    lines = [f"{title:<26}{'wall':>9}{'least':>9}{'most':>9}{'cpu':>9}{'MiB':>7}"]
    for (name, verb), found in samples.items():
        walls = [sample.wall for sample in found]
        figures = (median(walls), min(walls), max(walls), median(s.cpu for s in found))
        memory = max(sample.memory for sample in found)
        cells = "".join(f"{seconds * 1000:9.1f}" for seconds in figures)
        lines.append(f"  {name + ' ' + verb:<24}{cells}{memory:7.0f}")
    for label, value in _inner(samples).items():
        lines.append(f"  {label:<24}{value * 1000:9.1f}")
    return "\n".join(lines)


def _inner(samples: Samples) -> dict[str, float]:
    """The medians of the figures that contenders tell themselves, in seconds."""
    return {
        f"{name} {verb}: {key}": median(_phase_sums(runs, (key,)))
        for (name, verb), runs in samples.items()
        for key in runs[0].own
    }


def _phase_sums(runs: Sequence[Sample], keys: Sequence[str]) -> list[float]:
    return [sum(run.own.get(key, 0.0) for key in keys) for run in runs]


def goals(found: Mapping[Scene | Vlans, Samples], started: Samples) -> str:
    """The ratios, and the goals of those that have one."""
    lines = [
        f"{'ratio of medians, and of the least':<44}{'wall':>8}{'least':>8}{'cpu':>8}{'goal':>8}"
    ]
    for scene, samples in found.items():
        if isinstance(scene, Scene):
            lines += [_judged(goal, samples, scene.size) for goal in GOALS]
            lines += [_phases(goal, samples, scene.size) for goal in PHASE_GOALS]
    lines += _growth({s.size: one for s, one in found.items() if isinstance(s, Scene)})
    lines += [_judged(goal, started, None) for goal in START_GOALS]
    return "\n".join(line for line in lines if line)


def foreign(samples: Samples) -> str:
    """The ratios beside foreign things."""
    return "\n".join(_judged(goal, samples, None) for goal in FOREIGN_GOALS)


def attachments(samples: Samples) -> str:
    """The ratios of one attachment beside others to one alone, and to the CNI plugins."""
    first, beside = (f"vlanlink, {where}" for where in ("the second", "beside 500"))
    rows = []
    for verb in ("attach", "detach"):
        ratios = _ratios(samples[beside, verb], samples[first, verb])
        rows.append(_row(f"{verb}: beside 500 / alone", ratios, 1.3 if verb == "attach" else None))
        if ("CNI", verb) in samples:
            ratios = _ratios(samples[beside, verb], samples["CNI", verb])
            rows.append(_row(f"{verb}: beside 500 / CNI", ratios, None))
    return "\n".join(rows)


def _growth(by_size: Mapping[int, Samples]) -> list[str]:
    """What an endpoint costs of 4,000, against one of 500."""
    if not {500, 4000} <= by_size.keys() or not all(UP in by_size[n] for n in (500, 4000)):
        return []
    many, few = by_size[4000][UP], by_size[500][UP]
    ratios = [ratio / 8 for ratio in _ratios(many, few)]
    return [_row("up: an endpoint of 4000 / of 500", ratios, 1.25)]


def _phases(goal: PhaseGoal, samples: Samples, size: int) -> str:
    ours, theirs = samples.get(goal.what), samples.get(goal.against)
    if not ours or not theirs:
        return ""
    of_ours, of_theirs = _phase_sums(ours, goal.phases), _phase_sums(theirs, goal.their_phases)
    ratios = [median(of_ours) / median(of_theirs), min(of_ours) / min(of_theirs), None]
    return _row(f"{goal.what[1]}: {goal.label}, {size}", ratios, goal.most.get(size))


def _ratios(ours: Sequence[Sample], theirs: Sequence[Sample]) -> list[float]:
    """Of the time on the clock, of the least of it, and of the processor time."""
    return [
        median(s.wall for s in ours) / median(s.wall for s in theirs),
        min(s.wall for s in ours) / min(s.wall for s in theirs),
        median(s.cpu for s in ours) / median(s.cpu for s in theirs),
    ]


def _row(label: str, ratios: Iterable[float | None], most: float | None) -> str:
    cells = "".join(f"{'':8}" if ratio is None else f"{ratio:8.2f}" for ratio in (*ratios, most))
    return f"  {label:<42}{cells}".rstrip()


def _judged(goal: Goal, samples: Samples, size: int | None) -> str:
    if goal.what not in samples or goal.against not in samples:
        return ""
    ratios = _ratios(samples[goal.what], samples[goal.against])
    label = f"{' '.join(goal.what)} / {' '.join(goal.against)}" + (f", {size}" if size else "")
    return _row(label, ratios, goal.most.get(size))


def to_dict(found: Mapping[Scene | Vlans, Samples], started: Samples) -> dict[str, Any]:
    """Everything, every run of it."""
    return {
        "machine": {"kernel": platform.release(), "python": platform.python_version()},
        "scenes": {str(scene): _runs(samples) for scene, samples in found.items()},
        "start": _runs(started),
    }


def _runs(samples: Samples) -> list[dict[str, Any]]:
    return [
        {
            "contender": name,
            "verb": verb,
            "wall": [sample.wall for sample in runs],
            "cpu": [sample.cpu for sample in runs],
            "memory": [sample.memory for sample in runs],
            "own": [sample.own for sample in runs],
        }
        for (name, verb), runs in samples.items()
    ]
