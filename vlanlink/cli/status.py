"""``vlanlink status [FILE|NAME]``."""

import argparse

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import exits, output
from vlanlink.cli.tables import Column, print_table

DIFFERS = 3
EXAMPLES = ("sudo vlanlink status", "sudo vlanlink status office")
EXITS = {
    0: "up, and the machine matches the file",
    **exits.READING,
    DIFFERS: "the machine differs from the file (down included)",
}
READ_ON = "docs/watch.md"
_COLUMNS = (Column("topology"), Column("state", style=output.state_style), Column("differences"))


def arguments(parser: argparse.ArgumentParser) -> None:
    """[FILE|NAME] [--json]."""
    shared.add_file_or_name(parser, optional=True)
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0 if everything shown is up, 3 if something differs."""
    if options.topology is None:
        return _all(as_json=options.json)
    found = vlanlink.status(shared.read_or_name(options.topology))
    if options.json:
        output.print_json(found.to_dict())
    else:
        output.print_notes((*found.notes, *found.problems))
        output.say(f"{found.topology}: {found.state}", style=output.state_style(found.state))
        _print_waiting(found)
        if found.state == "drifted":
            output.print_plan(found.plan)
    return 0 if found.state == "up" else DIFFERS


def _all(*, as_json: bool) -> int:
    found, warnings = vlanlink.status(), vlanlink.file_problems()
    if as_json:
        topologies = {"topologies": [one.to_dict() for one in found]}
        output.print_json(output.with_warnings(topologies, warnings))
    else:
        output.print_notes(warnings)
        _print_all(found)
    return 0 if all(one.state == "up" for one in found) else DIFFERS


def _print_all(found: "tuple[vlanlink.Status, ...]") -> None:
    if found:
        rows = [(one.topology, one.state, _count(one)) for one in found]
        print_table(_COLUMNS, rows)
        for one in found:
            _print_waiting(one)
    else:
        output.say("No topology is up.")


def _print_waiting(one: "vlanlink.Status") -> None:
    """The deadline of a change that waits for confirmation, and the commands that settle it."""
    if one.waiting:
        left = f"{max(one.waiting.seconds_left, 0):.0f} s left"
        output.say(f"{one.topology} waits for confirmation until {one.waiting.until} ({left})")
        output.say(f"  {one.waiting.hint}")


def _count(one: "vlanlink.Status") -> str:
    return str(len(one.plan.changes)) if one.plan.changes else "-"
