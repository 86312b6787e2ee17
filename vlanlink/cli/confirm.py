"""``vlanlink confirm [NAME]``."""

import argparse

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import output

EXAMPLES = ("sudo vlanlink confirm", "sudo vlanlink confirm office --revert")
EXITS = {
    0: "done",
    1: "another vlanlink process holds the lock, or the rollback failed",
    2: "no change waits for confirmation, or several do and none is named",
    4: "a privilege is missing",
    130: "interrupted",
}
READ_ON = "docs/confirm.md"


def arguments(parser: argparse.ArgumentParser) -> None:
    """[FILE|NAME] [--revert] [--lock-timeout SECONDS] [--json]."""
    shared.add_file_or_name(parser, optional=True)
    parser.add_argument("--revert", action="store_true", help="roll the change back now")
    shared.add_lock_timeout(parser)
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0 when done; 2 if no change waits."""
    found = vlanlink.confirm(
        shared.name(options.topology) if options.topology else None,
        revert=options.revert,
        lock_timeout=options.lock_timeout,
    )
    if options.json:
        output.print_json(found.to_dict())
    else:
        output.say(f"{found.topology} {'confirmed' if found.confirmed else 'rolled back'}.")
    return 0
