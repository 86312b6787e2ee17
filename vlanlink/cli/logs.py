"""``vlanlink logs FILE|NAME``."""

import argparse
import sys

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import output

EXAMPLES = ("sudo vlanlink logs office", "sudo vlanlink logs office --follow --lines 20")
EXITS = {
    0: "done",
    1: "journalctl is missing or fails",
    2: "the command line has errors, or the name is unknown",
    4: "the user may not read the system's journal",
    130: "Ctrl-C",
}
READ_ON = "docs/boot.md"


def arguments(parser: argparse.ArgumentParser) -> None:
    """FILE|NAME [-f] [-n N] [--json]."""
    shared.add_file_or_name(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="wait for new entries")
    parser.add_argument(
        "-n", "--lines", metavar="N", type=_count, help="only the newest N entries (default: all)"
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object; with --follow one per entry"
    )


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text} is not a number of entries")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Exit 0 at the end of the journal."""
    wanted = shared.heading_or_name(options.topology)
    name = wanted if isinstance(wanted, str) else wanted.name
    entries = vlanlink.logs(wanted, follow=options.follow, lines=options.lines)
    if options.json and not options.follow:
        found = [entry.to_dict() for entry in entries]
        output.print_json({"topology": name, "entries": found})
        return 0
    found_any = False
    for entry in entries:
        found_any = True
        if options.json:
            sys.stdout.write(output.json_text(entry.to_dict()) + "\n")
        else:
            when = entry.time.astimezone().strftime("%Y-%m-%d %H:%M:%S")
            output.say(f"{when} {entry.program}: {entry.message}")
        sys.stdout.flush()
    if not found_any and options.lines != 0:
        output.say(f"the journal has no entries of vlanlink@{name}.service", stream=sys.stderr)
    return 0
