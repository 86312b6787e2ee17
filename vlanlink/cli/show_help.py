"""``vlanlink help [VERB]``."""

import argparse
import sys

from vlanlink import UsageError
from vlanlink.cli.parser import parser, parsers, unknown_verb
from vlanlink.cli.verbs import VERBS

EXAMPLES = ("vlanlink help", "vlanlink help up")
EXITS = {0: "done", 2: "unknown verb"}
READ_ON = "docs/reference.md"


def arguments(parser: argparse.ArgumentParser) -> None:
    """[VERB]."""
    parser.add_argument("about", metavar="VERB", nargs="?", help="a verb")


def run(options: argparse.Namespace) -> int:
    """Print the help of the command or of a verb."""
    verb = options.about
    if verb is not None and verb not in VERBS:
        raise UsageError(unknown_verb(verb))
    top = parser([verb] if verb else ())
    shown = parsers(top)[verb] if verb else top
    sys.stdout.write(shown.format_help())
    return 0
