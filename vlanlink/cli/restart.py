"""``vlanlink restart FILE|NAME``."""

import argparse

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import exits, output

EXAMPLES = ("sudo vlanlink restart office", "sudo vlanlink restart office.toml")
EXITS = {0: "done", **exits.ROLLED_BACK}
READ_ON = "docs/topology.md"


def arguments(parser: argparse.ArgumentParser) -> None:
    """FILE|NAME [--replace] [--lock-timeout SECONDS] [--json]."""
    shared.add_file_or_name(parser)
    shared.add_replace(parser)
    shared.add_lock_timeout(parser)
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0 when it is up again."""
    wanted = shared.read_or_name(options.topology)
    with output.progress("restart") as report:
        result = vlanlink.restart(
            wanted,
            on_progress=report,
            replace_file=options.replace,
            lock_timeout=options.lock_timeout,
        )
    warnings = () if isinstance(wanted, str) else wanted.warnings
    output.print_notes((*warnings, *result.up.notes))
    if options.json:
        output.print_json(result.to_dict())
        return 0
    output.print_changes(result.down)
    output.print_changes(result.up)
    done = [text for plan in (result.down, result.up) if (text := output.done(plan))]
    output.say(f"{result.topology} is up again: {', then '.join(done) or 'nothing to create'}.")
    return 0
