"""``vlanlink up [FILE]``."""

import argparse
import sys
import time
from contextlib import ExitStack
from functools import partial
from typing import Any

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import every, exits, output

EXAMPLES = (
    "sudo vlanlink up office.toml --dry-run",
    "sudo vlanlink up office.toml",
    "sudo vlanlink up office.toml --confirm 60   # rolled back unless you confirm",
    "sudo vlanlink up --all   # every topology in /etc/vlanlink",
)
EXITS = {0: "done, or nothing to do", **exits.ROLLED_BACK}
READ_ON = "docs/topology.md, docs/confirm.md, docs/faults.md"


def arguments(parser: argparse.ArgumentParser) -> None:
    """[FILE], what to wait for, and what to print."""
    shared.add_default_file(parser)
    shared.add_all(parser, "bring up every topology in /etc/vlanlink")
    shared.add_wait(parser)
    shared.add_dry_run(parser)
    shared.add_replace(parser)
    shared.add_confirm(parser)
    shared.add_lock_timeout(parser)
    parser.add_argument("--timings", action="store_true", help="print the time of each phase")
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0 when the machine matches the file."""
    if options.all:
        return _all(options)
    file = shared.file_or_default(options.file)
    if options.file is None:
        vlanlink.refuse_untrusted_file(file)
    document = _one(file, options)
    if options.json:
        output.print_json(document)
    return 0


def _all(options: argparse.Namespace) -> int:
    every.refuse(*[options.file] * bool(options.file), *["--confirm"] * bool(options.confirm))
    files = {path.stem: str(path) for path in vlanlink.boot_files()}
    if not files and not options.json:
        output.say("No topology is in /etc/vlanlink.")
    return every.each(files, lambda name: _unnamed(files[name], options), as_json=options.json)


def _unnamed(file: str, options: argparse.Namespace) -> dict[str, Any]:
    vlanlink.refuse_untrusted_file(file)
    return _one(file, options)


def _one(file: str, options: argparse.Namespace) -> dict[str, Any]:
    """Bring the topology of a file up; the JSON form of what was done."""
    start = time.perf_counter()
    topology = shared.read(file)
    read = time.perf_counter() - start
    result = _plan(topology, options) if options.dry_run else _up(topology, options)
    timings = {"file": read, **result.timings}
    if options.timings and not options.json:
        output.print_timings(timings)
    confirmed = {} if options.confirm is None else {"confirmed": True}
    return {**result.to_dict(), **confirmed, **({"timings": timings} if options.timings else {})}


def _plan(topology: "vlanlink.Topology", options: argparse.Namespace) -> "vlanlink.Plan":
    report = partial(output.print_waiting, seconds=options.wait)
    result = vlanlink.plan(
        topology, wait=options.wait, on_wait=report, replace_file=options.replace
    )
    _show(result, options, topology)
    return result


def _up(topology: "vlanlink.Topology", options: argparse.Namespace) -> "vlanlink.Plan":
    with ExitStack() as terminal:
        report, decide = None, None
        if options.confirm is None:
            report = terminal.enter_context(output.progress("up"))
        else:
            from vlanlink.cli.prompt import Prompt

            show = partial(_show, options=options, topology=topology)
            decide = terminal.enter_context(Prompt(topology.name, show))
        result = vlanlink.up(
            topology,
            on_progress=report,
            wait=options.wait,
            on_wait=partial(output.print_waiting, seconds=options.wait),
            replace_file=options.replace,
            lock_timeout=options.lock_timeout,
            confirm=options.confirm,
            decide=decide,
        )
    if options.confirm is None or not result.changes:
        _show(result, options, topology)
    elif not options.json:
        output.say(f"{topology.name} confirmed.")
    return result


def _show(
    result: "vlanlink.Plan", options: argparse.Namespace, topology: "vlanlink.Topology"
) -> None:
    """Print what was done, or would be; with --json only the notes."""
    output.print_notes((*topology.warnings, *result.notes))
    if options.json:
        return
    if options.dry_run:
        output.print_plan(result)
        return
    output.print_changes(result)
    nothing = "already up" if result.was_up else "up: nothing to create"
    how = f"up: {output.done(result)}" if result.changes else nothing
    output.say(f"{topology.name} is {how}.")
    sys.stdout.flush()
