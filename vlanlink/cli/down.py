"""``vlanlink down FILE|NAME``."""

import argparse

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import exits, output

EXAMPLES = ("sudo vlanlink down office", "sudo vlanlink down office.toml --dry-run")
EXITS = {0: "done, or it is not up", **exits.ROLLED_BACK}
READ_ON = "docs/faults.md"


def arguments(parser: argparse.ArgumentParser) -> None:
    """FILE|NAME [--dry-run] [--forget] [--lock-timeout SECONDS] [--json]."""
    shared.add_file_or_name(parser)
    shared.add_dry_run(parser)
    parser.add_argument(
        "--forget", action="store_true", help="also drop the leases of its endpoints' addresses"
    )
    shared.add_lock_timeout(parser)
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0 when it is down."""
    wanted = shared.heading_or_name(options.topology)
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
    if options.json:
        output.print_json(result.to_dict())
    elif options.dry_run:
        output.print_plan(result)
    else:
        output.print_changes(result)
        output.say(f"{name} is {_outcome(result)}.")
    return 0


def _outcome(result: vlanlink.Plan) -> str:
    if not result.was_up:
        return "not up: nothing to do"
    return f"down: {output.done(result)}" if result.changes else "down"
