"""``vlanlink up FILE``."""

import argparse
import time

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import output

NAME = "up"
HELP = "make this machine what FILE says, all of it or nothing"


def arguments(parser: argparse.ArgumentParser) -> None:
    """FILE, how long to wait for what, and what to tell."""
    shared.add_file(parser)
    shared.add_wait(parser)
    shared.add_dry_run(parser)
    parser.add_argument(
        "--replace", action="store_true", help="go on if the topology is up from another file"
    )
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
    else:
        with output.progress("up") as report:
            result = vlanlink.up(
                topology,
                on_progress=report,
                wait=options.wait,
                on_wait=on_wait,
                replace_file=options.replace,
                lock_timeout=options.lock_timeout,
            )
    output.print_notes((*topology.warnings, *result.notes))
    if options.json:
        timings = {"timings": {"file": file, **result.timings}} if options.timings else {}
        output.print_json({**result.to_dict(), **timings})
    elif options.dry_run:
        output.print_plan(result)
    else:
        output.print_changes(result)
        how = f"up: {output.done(result)}" if result.changes else "up already"
        print(f"{topology.name} is {how}.")
    if options.timings and not options.json:
        output.print_timings({"file": file, **result.timings})
    return 0
