"""The ``vlanlink`` command: which verb, and what becomes of its errors."""

import argparse
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from vlanlink import VlanlinkError, __version__
from vlanlink.cli import down, enter, inspect, ls, output, plan, status, up, validate

VERBS = (up, down, plan, status, ls, inspect, validate, enter)
TO_COME = ("verify", "doctor", "watch", "confirm", "enable", "disable")
"""Verbs that a later version brings; refused by name until then."""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="vlanlink",
        description="VLAN, macvlan and ipvlan networks from a TOML topology: planned, applied, "
        "verified, undone.",
        epilog="FILE ends in .toml, contains a /, or is - (standard input); anything else is the "
        "NAME of a topology that is up.",
    )
    top.add_argument("--version", action="version", version=f"vlanlink {__version__}")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb in VERBS:
        sub = verbs.add_parser(verb.NAME, help=verb.HELP, description=verb.HELP)
        verb.arguments(sub)
        sub.set_defaults(run=verb.run)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; its exit code. Errors go to stderr, or as JSON to stdout."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] in TO_COME:
        return _refuse_to_come(words)
    options = parser().parse_args(words)
    as_json = bool(getattr(options, "json", False))
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code: int = options.run(options)
    except VlanlinkError as error:
        output.print_error(error, as_json=as_json)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 141
    return code


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _refuse_to_come(words: Sequence[str]) -> int:
    print(f"error: vlanlink {words[0]} comes with a later version", file=sys.stderr)
    return 2
