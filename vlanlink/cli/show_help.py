"""``vlanlink help [VERB]``."""

import argparse
import sys

from vlanlink import UsageError

NAME = "help"
HELP = "show the verbs, or one verb's options, examples and exit codes"
EXAMPLES = ("vlanlink help", "vlanlink help up")
EXITS = {0: "done", 2: "unknown verb"}
READ_ON = "docs/reference.md"


def arguments(parser: argparse.ArgumentParser) -> None:
    """[VERB]."""
    parser.add_argument("about", metavar="VERB", nargs="?", help="a verb")


def run(options: argparse.Namespace) -> int:
    """Print the help of the command or of a verb."""
    from vlanlink.cli import parser

    top = parser.parser()
    subs = parser.parsers(top)
    if options.about is not None and options.about not in subs:
        raise UsageError(parser.unknown_verb(options.about))
    shown = subs[options.about] if options.about else top
    sys.stdout.write(shown.format_help())
    return 0
