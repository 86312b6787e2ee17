"""``vlanlink exec NAMESPACE -- CMD [ARG...]``."""

import argparse
import os
import sys

import vlanlink
from vlanlink.cli import output, streams

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""Exit codes of a shell."""
EXAMPLES = (
    "sudo vlanlink exec web -- ip address",
    "sudo vlanlink exec --user www-data web -- curl -s http://192.0.2.1/",
)
EXITS = {
    "N": "CMD's exit code (128+n: killed by signal n)",
    2: "the command line has errors, or the namespace is unknown",
    4: "a privilege is missing",
    NOT_EXECUTABLE: "CMD can't be executed",
    NOT_FOUND: "CMD not found",
}
USAGE = "vlanlink exec [--user USER] NAMESPACE -- CMD [ARG...]"
READ_ON = "ip-netns(8): files in /etc/netns/NAMESPACE replace those in /etc"


def arguments(parser: argparse.ArgumentParser) -> None:
    """[--user USER] NAMESPACE -- CMD [ARG...]."""
    parser.add_argument(
        "--user", metavar="USER", help="run CMD as this user, with its groups; by name or number"
    )
    parser.add_argument("namespace", metavar="NAMESPACE", help="a network namespace")
    parser.add_argument(
        "command", metavar="CMD", nargs=argparse.REMAINDER, help="a command and its arguments"
    )


def run(options: argparse.Namespace) -> int:
    """Replace this process by the command."""
    if options.command[:1] == ["--"]:
        del options.command[0]
    if options.command[:1] == ["--user"]:
        message, hint = "--user follows NAMESPACE", f"{USAGE}: options go before NAMESPACE"
        raise vlanlink.UsageError(vlanlink.Diagnostic(message, hint=hint))
    if not options.command:
        raise vlanlink.UsageError(vlanlink.Diagnostic("missing argument: CMD", hint=USAGE))
    streams.drain()
    try:
        vlanlink.enter(options.namespace, options.command, user=options.user, on_warning=_warn)
    except FileNotFoundError:
        output.say(f"error: {options.command[0]}: not found", stream=sys.stderr)
        return NOT_FOUND
    except OSError as error:
        text = os.strerror(error.errno) if error.errno else str(error)
        output.say(f"error: {options.command[0]}: {text}", stream=sys.stderr)
        return NOT_EXECUTABLE


def _warn(warning: vlanlink.Diagnostic) -> None:
    """Print it before the command replaces this process."""
    output.print_notes((warning,))
    streams.drain()
