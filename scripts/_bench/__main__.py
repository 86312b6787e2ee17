"""The command line of `scripts/bench`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from _bench import attachments, contenders, dhcp, foreign, peers, profile, report, scene, startup
from _bench.fetch import AbsentError
from _bench.judge import NotMadeError, judge
from _bench.process import Sample, timed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _bench.contender import Contender
    from _bench.report import Samples


def main() -> int:
    """Time everything in turn, print a table, and write the figures as JSON."""
    options = _options()
    scene.make_parent()
    if options.profile:
        print(profile.table(options.sizes))
        return 0
    if options.attach:
        taken = attachments.samples(options.runs)
        print(report.table("one attachment", taken))
        print(report.attachments(taken))
        return 0
    if options.dhcp:
        print(dhcp.table(dhcp.results(options.sizes[0])))
        return 0
    found: dict[scene.Scene | scene.Vlans, Samples] = {}
    for what in _scenes(options):
        found[what] = _time(what, options)
        print(report.table(str(what), found[what]), flush=True)
    started: Samples = {}
    if not options.vlans:
        started = startup.samples(options.runs)
        print(report.table("start", started))
        print(report.goals(found, started))
    if options.foreign:
        beside = foreign.samples(options.runs)
        print(report.table("one endpoint", beside))
        print(report.foreign(beside))
    if options.json:
        options.json.write_text(json.dumps(report.to_dict(found, started), indent=1) + "\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--sizes", type=_numbers, default=(500,), help="endpoints: 1,100,4000")
    parser.add_argument("--vlans", type=int, help="instead of endpoints: so many VLAN links")
    parser.add_argument(
        "--runs", type=int, default=5, help="of each, after one to warm up; 0: that one"
    )
    parser.add_argument("--ipv6", action="store_true", help="also an IPv6 address and route")
    parser.add_argument(
        "--peers",
        action="store_true",
        help="also CNI plugins, pyroute2 and IfState (fetches what is missing)",
    )
    parser.add_argument(
        "--foreign",
        action="store_true",
        help="one endpoint beside 3,000 foreign namespaces, 100,000 routes, 2,000 macvlans",
    )
    parser.add_argument(
        "--attach",
        action="store_true",
        help="instead of endpoints: one attachment, alone and beside 500, and CNI's ADD and DEL",
    )
    parser.add_argument(
        "--dhcp",
        action="store_true",
        help="instead: leases for so many endpoints, and udhcpc, a process for each",
    )
    parser.add_argument(
        "--profile",
        action="store_true",
        help="instead of times: imports and system calls of each verb, by size (needs strace)",
    )
    parser.add_argument("--only", type=lambda text: text.split(","), help="contenders, by name")
    parser.add_argument("--progress", action="store_true", help="tell each time when it is taken")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    return parser.parse_args()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split(","))


def _scenes(options: argparse.Namespace) -> Iterator[scene.Scene | scene.Vlans]:
    if options.vlans:
        yield scene.Vlans(options.vlans)
        return
    for size in options.sizes:
        yield scene.Scene(size, (4, 6) if options.ipv6 else (4,))


def _time(what: scene.Scene | scene.Vlans, options: argparse.Namespace) -> Samples:
    found: Samples = defaultdict(list)
    scene.clear()  # the floor's messages are those of a plan, made for a machine with nothing on it
    with tempfile.TemporaryDirectory() as place:
        everyone = list(_contenders(what, options, Path(place)))
        for number in range(options.runs + 1):
            turn = number % len(everyone)
            for one in everyone[turn:] + everyone[:turn]:
                for verb, sample in _run(one, None if number else what):
                    if options.progress:
                        print(f"bench: {one.name} {verb}: {sample.wall:.3f} s", file=sys.stderr)
                    if number or not options.runs:
                        found[one.name, verb].append(sample)
    return found


def _contenders(
    what: scene.Scene | scene.Vlans, options: argparse.Namespace, place: Path
) -> Iterator[Contender]:
    """Who takes part; who would and can't is named."""
    ours = (contenders.ours, contenders.script, contenders.floor)
    makers = [partial(make, what, place) for make in ours]
    if options.peers and isinstance(what, scene.Scene) and what.size <= peers.LARGEST:
        theirs = (peers.cni, peers.pyroute2, peers.ifstate)
        makers += [partial(make, what, place) for make in theirs]
    for make in makers:
        try:
            one = make()
        except AbsentError as error:
            print(error, flush=True)
            continue
        if not options.only or one.name in options.only:
            yield one


def _run(one: Contender, judged: scene.Scene | scene.Vlans | None) -> Iterator[tuple[str, Sample]]:
    """Each of its verbs; what ``up`` makes is looked at where it is to be ``judged``."""
    scene.clear()
    for verb, words in one.verbs.items():
        yield verb, timed(words, keep=verb in one.keeps_output)
        if judged and verb == "up":
            judge(one.name, judged)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NotMadeError as error:
        sys.exit(f"scripts/bench: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"scripts/bench: {error}\n{error.stderr or ''}")
