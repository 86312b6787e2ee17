"""``vlanlink down FILE|NAME``."""

import argparse
from typing import Any

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import every, exits, output

EXAMPLES = (
    "sudo vlanlink down office",
    "sudo vlanlink down office.toml --dry-run",
    "sudo vlanlink down --all",
)
EXITS = {0: "done, or it is not up", **exits.ROLLED_BACK}
READ_ON = "docs/faults.md"


def arguments(parser: argparse.ArgumentParser) -> None:
    """[FILE|NAME] [--all] [--dry-run] [--forget] [--lock-timeout SECONDS] [--json]."""
    shared.add_file_or_name(parser, optional=True)
    shared.add_all(parser, "take down every topology that is up")
    shared.add_dry_run(parser)
    parser.add_argument(
        "--forget", action="store_true", help="also drop the leases of its endpoints' addresses"
    )
    shared.add_lock_timeout(parser)
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0 when it is down."""
    if options.all:
        return _all(options)
    if options.topology is None:
        hint = "write the name of a topology, its file, or --all"
        raise vlanlink.UsageError(vlanlink.Diagnostic("missing argument: FILE|NAME", hint=hint))
    document = _one(options.topology, options)
    if options.json:
        output.print_json(document)
    return 0


def _all(options: argparse.Namespace) -> int:
    every.refuse(*[options.topology] * bool(options.topology))
    names = vlanlink.active()
    if not names and not options.json:
        output.say("No topology is up.")
    return every.each(names, lambda name: _one(name, options), as_json=options.json)


def _one(word: str, options: argparse.Namespace) -> dict[str, Any]:
    """Take a topology down; the JSON form of what was done."""
    wanted = shared.heading_or_name(word)
    name = wanted if isinstance(wanted, str) else wanted.name
    with output.progress("down") as report:
        result = vlanlink.down(
            wanted,
            on_progress=report,
            dry_run=options.dry_run,
            forget=options.forget,
            lock_timeout=options.lock_timeout,
        )
    output.print_notes(result.notes)
    if options.dry_run and not options.json:
        output.print_plan(result)
    elif not options.json:
        output.print_changes(result)
        output.say(f"{name} is {_outcome(result)}.")
    return result.to_dict()


def _outcome(result: vlanlink.Plan) -> str:
    if not result.was_up:
        return "not up: nothing to do"
    return f"down: {output.done(result)}" if result.changes else "down"
