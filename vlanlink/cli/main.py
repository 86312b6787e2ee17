"""The ``vlanlink`` command: runs a verb and reports its errors."""

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

import vlanlink
from vlanlink import Diagnostic, Interrupted, PrivilegeError, VlanlinkError
from vlanlink.cli import output
from vlanlink.cli.parser import parse, parser
from vlanlink.cli.verbs import OFFLINE

_READER_GONE = 128 + signal.SIGPIPE
"""The exit code that a shell reports for a command killed by SIGPIPE."""

_GC_THRESHOLD = 100_000
"""Allocations before a garbage collection: a run is short and leaves little garbage, and Python's
default threshold costs a tenth of the time of a large run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; its exit code. Errors go to stderr, with --json to stdout."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    _prepare()
    try:
        code = _run(words)
        sys.stdout.flush()
    except OSError as error:
        if error.filename is not None:  # a file, not a stream
            where = error.filename if isinstance(error.filename, str) else ascii(error.filename)
            output.print_notes([Diagnostic(f"can't use {where}: {error.strerror}")])
            return VlanlinkError.exit_code
        _discard_output()
        if isinstance(error, BrokenPipeError):
            return _READER_GONE
        output.print_notes([Diagnostic(f"can't write the output: {error.strerror}")])
        return VlanlinkError.exit_code
    return code


def _run(words: list[str]) -> int:
    as_json = "--json" in words and words[:1] != ["exec"]  # CMD's own options follow exec
    try:
        if not words:
            sys.stdout.write(parser(()).format_help())
            return 0
        return _run_verb(parse(words))
    except VlanlinkError as error:
        output.print_error(error, as_json=as_json)
        return error.exit_code
    except KeyboardInterrupt:
        output.print_error(Interrupted(Diagnostic("interrupted")), as_json=as_json)
        return Interrupted.exit_code


def _run_verb(options: argparse.Namespace) -> int:
    if options.verb != "exec":  # CMD keeps the caller's limits
        _raise_file_limit()
    if options.verb not in OFFLINE:
        _revert_overdue()
    code: int = options.run(options)
    return code


def _raise_file_limit() -> None:
    """Raise the soft limit: namespaces that are read, removed or watched are open files."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # above fs.nr_open
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _revert_overdue() -> None:
    """Roll back overdue unconfirmed changes first, if their reverter is gone."""
    try:
        for found in vlanlink.revert_overdue():
            message = f"{found.topology} was not confirmed within {found.seconds:g} s; rolled back"
            output.print_notes([Diagnostic(message, severity="warning")])
    except PrivilegeError:
        pass  # the verb needs no less, and says so
    except VlanlinkError as error:
        output.print_error(error, as_json=False)


def _discard_output() -> None:
    """Discard unwritable output; Python would retry it at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(null, stream.fileno())
            os.close(null)


def _open_closed_streams() -> None:
    """Reopen streams that the caller closed: the next open file would get their number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - open to the end


def _prepare() -> None:
    """Treat SIGTERM and SIGHUP as interrupts; escape what the terminal's encoding lacks."""
    _open_closed_streams()
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # ignored under nohup(1)
        signal.signal(signal.SIGHUP, _terminate)
    gc.set_threshold(_GC_THRESHOLD)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
