"""``vlanlink exec NAMESPACE -- CMD [ARG...]``."""

import argparse
import os
import sys

import vlanlink
from vlanlink.cli import output

NAME = "exec"
HELP = "run a command in a namespace"
NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""Exit codes as a shell has them."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """NAMESPACE -- CMD [ARG...]."""
    parser.add_argument("namespace", metavar="NAMESPACE")
    parser.add_argument(
        "command", metavar="CMD", nargs=argparse.REMAINDER, help="a command and its arguments"
    )


def run(options: argparse.Namespace) -> int:
    """Does not return when the command starts: this process becomes it."""
    if options.command[:1] == ["--"]:
        del options.command[0]
    if not options.command:
        raise vlanlink.UsageError(
            vlanlink.Diagnostic("a command is wanted: exec NAMESPACE -- CMD [ARG...]")
        )
    try:
        vlanlink.enter(options.namespace, options.command)
    except FileNotFoundError:
        output.say(f"error: {options.command[0]}: not found", stream=sys.stderr)
        return NOT_FOUND
    except OSError as error:
        text = os.strerror(error.errno) if error.errno else str(error)
        output.say(f"error: {options.command[0]}: {text}", stream=sys.stderr)
        return NOT_EXECUTABLE
