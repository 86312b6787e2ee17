"""The command line of `scripts/bench`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from _bench import contenders, report, scene, startup
from _bench.process import Sample, timed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _bench.contenders import Contender
    from _bench.report import Samples


def main() -> int:
    """Time everything in turn, print a table, and write the figures as JSON."""
    options = _options()
    scene.make_parent()
    found: dict[int, Samples] = {}
    for size in options.sizes:
        families = (4, 6) if options.ipv6 else (4,)
        found[size] = _size(scene.Scene(size, families), options.runs, options.only)
        print(report.table(f"{size} endpoints", found[size]), flush=True)
    started = startup.samples(options.runs)
    print(report.table("start", started))
    print(report.goals(found, started))
    if options.json:
        options.json.write_text(json.dumps(report.to_dict(found, started), indent=1) + "\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--sizes", type=_numbers, default=(500,), help="endpoints: 1,100,4000")
    parser.add_argument("--runs", type=int, default=5, help="of each, after one to warm up")
    parser.add_argument("--ipv6", action="store_true", help="an IPv6 address and route besides")
    parser.add_argument("--only", type=lambda text: text.split(","), help="contenders, by name")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    return parser.parse_args()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split(","))


def _size(what: scene.Scene, runs: int, only: Sequence[str] | None) -> Samples:
    found: Samples = defaultdict(list)
    with tempfile.TemporaryDirectory() as place:
        makers = (contenders.ours, contenders.script, contenders.floor)
        everyone = [make(what, Path(place)) for make in makers]
        everyone = [one for one in everyone if not only or one.name in only]
        for number in range(runs + 1):
            turn = number % len(everyone)
            for one in everyone[turn:] + everyone[:turn]:
                for verb, sample in _run(one).items():
                    if number:
                        found[one.name, verb].append(sample)
    return found


def _run(one: Contender) -> dict[str, Sample]:
    scene.clear()
    return {verb: timed(words, keep=verb in one.keeps_output) for verb, words in one.verbs.items()}


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"scripts/bench: {error}\n{error.stderr or ''}")
