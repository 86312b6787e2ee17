"""``vlanlink up FILE``."""

import argparse
import sys
import time
from contextlib import ExitStack
from functools import partial

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import output
from vlanlink.cli.prompt import Prompt

NAME = "up"
HELP = "make this machine what FILE says, all of it or nothing"


def arguments(parser: argparse.ArgumentParser) -> None:
    """FILE, how long to wait for what, and what to tell."""
    shared.add_file(parser)
    shared.add_wait(parser)
    shared.add_dry_run(parser)
    shared.add_replace(parser)
    shared.add_confirm(parser)
    shared.add_lock_timeout(parser)
    parser.add_argument("--timings", action="store_true", help="tell where the time went")
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0 when all is done, or was so before."""
    start = time.perf_counter()
    topology = shared.read(options.file)
    file = time.perf_counter() - start

    def on_wait(parents: tuple[str, ...]) -> None:
        output.print_waiting(parents, options.wait)

    if options.dry_run:
        result = vlanlink.plan(
            topology, wait=options.wait, on_wait=on_wait, replace_file=options.replace
        )
        _show(result, options, topology)
    else:
        with ExitStack() as terminal:
            report, decide = None, None
            if options.confirm is None:
                report = terminal.enter_context(output.progress("up"))
            else:
                show = partial(_show, options=options, topology=topology)
                decide = terminal.enter_context(Prompt(topology.name, show))
            result = vlanlink.up(
                topology,
                on_progress=report,
                wait=options.wait,
                on_wait=on_wait,
                replace_file=options.replace,
                lock_timeout=options.lock_timeout,
                confirm=options.confirm,
                decide=decide,
            )
        if options.confirm is None or not result.changes:
            _show(result, options, topology)
        elif not options.json:
            output.say(f"{topology.name} confirmed.")
    timings = {"file": file, **result.timings}
    if options.json:
        confirmed = {} if options.confirm is None else {"confirmed": True}
        told = {"timings": timings} if options.timings else {}
        output.print_json({**result.to_dict(), **confirmed, **told})
    elif options.timings:
        output.print_timings(timings)
    return 0


def _show(
    result: "vlanlink.Plan", options: argparse.Namespace, topology: "vlanlink.Topology"
) -> None:
    """What was done, or would be; with --json only the notes."""
    output.print_notes((*topology.warnings, *result.notes))
    if options.json:
        return
    if options.dry_run:
        output.print_plan(result)
        return
    output.print_changes(result)
    how = f"up: {output.done(result)}" if result.changes else "up already"
    output.say(f"{topology.name} is {how}.")
    sys.stdout.flush()
