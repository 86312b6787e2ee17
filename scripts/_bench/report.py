"""Samples into a table, into ratios with the goals they have, and into JSON."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from _bench.process import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Samples = dict[tuple[str, str], list[Sample]]
"""By contender and verb."""
Measured = tuple[str, str]


@dataclass(frozen=True)
class Goal:
    """A ratio of two medians, and what it shall be at most."""

    what: Measured
    against: Measured
    most: float
    sizes: tuple[int, ...] = ()
    """At which sizes it is judged; all of them if none is named."""


@dataclass(frozen=True)
class PhaseGoal:
    """Phases of a run of ours against one of the floor's, and the ratio that it shall have."""

    verb: str
    phases: tuple[str, ...]
    against: str
    most: float


PHASE_GOALS = (
    PhaseGoal("up", ("namespaces", "sysctls", "links", "addresses", "routes"), "apply", 1.5),
    PhaseGoal("up again", ("read",), "read", 3),
)
GOALS = (
    Goal(("vlanlink", "up"), ("ip script", "up"), 0.40, (500,)),
    Goal(("vlanlink", "up again"), ("ip script", "up"), 0.30, (500,)),
    Goal(("vlanlink", "down"), ("ip script", "down"), 0.75, (500,)),
    Goal(("vlanlink", "down"), ("ip script", "down"), 0.20, (4000,)),
)
START_GOALS = (
    Goal(("start", "--help"), ("start", "python"), 8),
    Goal(("start", "validate"), ("start", "python"), 20),
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
        f"{name} {verb}: {key}": _own(runs, (key,))
        for (name, verb), runs in samples.items()
        for key in runs[0].own
    }


def _own(runs: Sequence[Sample], keys: Iterable[str]) -> float:
    return median(sum(run.own.get(key, 0.0) for key in keys) for run in runs)


def goals(found: Mapping[int, Samples], started: Samples) -> str:
    """The ratios that are asked for, with what was measured."""
    lines = ["ratio of medians                               wall     cpu    goal"]
    for size, samples in found.items():
        lines += [_judged(g, samples, size) for g in GOALS if not g.sizes or size in g.sizes]
        lines += [_phases(goal, samples, size) for goal in PHASE_GOALS]
    lines += [_judged(goal, started, None) for goal in START_GOALS]
    return "\n".join(line for line in lines if line)


def _phases(goal: PhaseGoal, samples: Samples, size: int) -> str:
    ours, floor = samples.get(("vlanlink", goal.verb)), samples.get(("floor", "up"))
    if not ours or not floor:
        return ""
    ratio = _own(ours, goal.phases) / _own(floor, (goal.against,))
    label = f"{goal.verb}: {goal.against} / floor, {size}"
    return f"  {label:<42}{ratio:8.2f}{'':8}{goal.most:8.2f}"


def _judged(goal: Goal, samples: Samples, size: int | None) -> str:
    if goal.what not in samples or goal.against not in samples:
        return ""
    ours, theirs = samples[goal.what], samples[goal.against]
    wall = median(s.wall for s in ours) / median(s.wall for s in theirs)
    cpu = median(s.cpu for s in ours) / median(s.cpu for s in theirs)
    label = f"{' '.join(goal.what)} / {' '.join(goal.against)}" + (f", {size}" if size else "")
    return f"  {label:<42}{wall:8.2f}{cpu:8.2f}{goal.most:8.2f}"


def to_dict(found: Mapping[int, Samples], started: Samples) -> dict[str, Any]:
    """Everything, every run of it."""
    return {
        "machine": {"kernel": platform.release(), "python": platform.python_version()},
        "sizes": {str(size): _runs(samples) for size, samples in found.items()},
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
