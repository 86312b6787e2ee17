"""The ``vlanlink`` command: which verb, and what becomes of its errors."""

import argparse
import gc
import io
import os
import resource
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

import vlanlink
from vlanlink import Diagnostic, Interrupted, UsageError, VlanlinkError, __version__
from vlanlink.cli import (
    confirm,
    disable,
    doctor,
    down,
    enable,
    enter,
    inspect,
    ls,
    output,
    plan,
    status,
    up,
    validate,
    verify,
    watch,
)

VERBS = (
    up,
    confirm,
    down,
    plan,
    status,
    verify,
    ls,
    inspect,
    validate,
    enter,
    enable,
    disable,
    watch,
    doctor,
)
MACHINELESS = (validate,)
"""Verbs that are the same on whatever machine."""

_READER_GONE = 128 + signal.SIGPIPE
"""As a shell has it for a command that SIGPIPE ended."""

_COLLECT_AFTER = 100_000
"""Objects made before garbage is looked for: a run ends soon and leaves little of it, and the
interpreter's own bound costs a tenth of the time of a large one."""


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are errors like any other. Options are written in full."""

    def __init__(self, **settings: Any) -> None:
        """As ArgumentParser."""
        super().__init__(**settings, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError, with how the verb is used for a hint."""
        raise UsageError(Diagnostic(message, hint=" ".join(self.format_usage().split())))


def parser() -> Parser:
    """The whole command line."""
    top = Parser(
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
    _prepare()
    try:
        code = _run(words)
        sys.stdout.flush()
    except OSError as error:
        if error.filename is not None:  # not of a stream
            raise
        _give_up_streams()
        if isinstance(error, BrokenPipeError):
            return _READER_GONE
        message = f"the output can't be written: {error.strerror}"
        output.print_notes([Diagnostic(message)])
        return VlanlinkError.exit_code
    return code


def _run(words: list[str]) -> int:
    as_json = "--json" in words and words[:1] != [enter.NAME]  # the rest is another command's
    try:
        options = parser().parse_args(words)
        if options.verb != enter.NAME:  # what is run there has the caller's limits
            _allow_many_files()
        if options.verb not in {verb.NAME for verb in MACHINELESS}:
            _revert_overdue()
        code: int = options.run(options)
    except VlanlinkError as error:
        output.print_error(error, as_json=as_json)
        return error.exit_code
    except KeyboardInterrupt:
        output.print_error(Interrupted(Diagnostic("interrupted")), as_json=as_json)
        return Interrupted.exit_code
    return code


def _allow_many_files() -> None:
    """Take the hard limit: namespaces that are read, removed or watched are open files."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # more than fs.nr_open
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _revert_overdue() -> None:
    """Put back first what was not confirmed in time, if the process for that is gone."""
    try:
        for found in vlanlink.revert_overdue():
            message = f"{found.topology} was not confirmed within {found.seconds:g} s; rolled back"
            output.print_notes([Diagnostic(message, severity="warning")])
    except VlanlinkError as error:
        output.print_error(error, as_json=False)


def _give_up_streams() -> None:
    """Let what can't be written go nowhere, or Python would try it again at the end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def _open_closed_streams() -> None:
    """The next file opened would have the number of a stream that the caller closed."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - open to the end


def _prepare() -> None:
    """Take an end from outside for an interrupt; print whatever the terminal can't show."""
    _open_closed_streams()
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup(1) sets it
        signal.signal(signal.SIGHUP, _terminate)
    gc.set_threshold(_COLLECT_AFTER)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
