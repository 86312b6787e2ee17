"""The ``vlanlink`` command: runs a verb and reports its errors."""

import argparse
import gc
import os
import resource
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal, NamedTuple

import vlanlink
from vlanlink.cli import debug, output, streams
from vlanlink.cli.interrupts import Interrupts
from vlanlink.cli.parser import parse, parser
from vlanlink.cli.verbs import CHANGING, OFFLINE

_READER_GONE = 128 + signal.SIGPIPE
"""The exit code that a shell reports for a command killed by SIGPIPE."""

_GC_THRESHOLD = 100_000
"""Allocations before a garbage collection: a run is short and leaves little garbage, and Python's
default threshold costs a tenth of the time of a large run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; its exit code. Errors go to stderr, with --json to stdout.

    Without ``arguments`` those of the process, which ends then: signals have no effect any more.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    _prepare()
    signals = Interrupts()
    try:
        return _main(words, signals)
    finally:
        if arguments is not None:
            signals.uninstall()


def _main(words: list[str], signals: Interrupts) -> int:
    with streams.installed() as written:
        done = _run(words, signals)
        try:
            signals.resume()
            written.drain()
            code = _reported(done, written)
            signals.complete()
        except KeyboardInterrupt:  # while the reader was waited for
            return done.code if done.work else vlanlink.Interrupted.exit_code
        return code


class _Done(NamedTuple):
    """A verb's exit code, and whether it tells of work: what is printed is only a report then."""

    code: int
    work: bool = False


def _reported(done: _Done, written: "streams.Streams") -> int:
    """The exit code, now that the output is written or can't be."""
    if written.reader_is_gone:
        return done.code if done.work else _READER_GONE
    lost = written.out.error
    if lost is None:
        return done.code
    severity: Literal["error", "warning"] = "warning" if done.work else "error"
    message = f"can't write the output: {lost.strerror}"
    output.print_notes([vlanlink.Diagnostic(message, severity=severity)])
    written.err.drain()
    return done.code if done.work else vlanlink.VlanlinkError.exit_code


def _run(words: list[str], signals: Interrupts) -> _Done:
    as_json = "--json" in words and words[:1] != ["exec"]  # CMD's own options follow exec
    try:
        signals.install()  # here: what it raises from now on is told
        done = _run_words(words, signals, as_json=as_json)
        signals.complete()
    except KeyboardInterrupt as stop:
        signals.complete()
        failed = stop.__context__  # what was about to be told
        told = failed if isinstance(failed, vlanlink.VlanlinkError) else None
        error = told or vlanlink.Interrupted(vlanlink.Diagnostic("interrupted"))
        output.print_error(error, as_json=as_json)
        return _Done(error.exit_code, work=True)
    return done


def _run_words(words: list[str], signals: Interrupts, *, as_json: bool) -> _Done:
    work = False
    try:
        if not words:
            sys.stdout.write(parser(()).format_help())
            return _Done(0)
        options = parse(words)
        work = _does_work(options)
        return _Done(_run_verb(options), work)
    except SystemExit as end:  # --help, --version
        return _Done(int(end.code or 0))
    except vlanlink.VlanlinkError as error:
        signals.complete()
        output.print_error(error, as_json=as_json)
        return _Done(error.exit_code, work)
    except MemoryError:
        hint = "raise the limit (ulimit -v), then vlanlink status shows how things stand"
        output.print_notes([vlanlink.Diagnostic("out of memory", hint=hint)])
        return _Done(vlanlink.VlanlinkError.exit_code, work)
    except OSError as error:
        if error.filename is None:
            raise
        where = error.filename if isinstance(error.filename, str) else ascii(error.filename)
        output.print_notes([vlanlink.Diagnostic(f"can't use {where}: {error.strerror}")])
        return _Done(vlanlink.VlanlinkError.exit_code, work)


def _does_work(options: argparse.Namespace) -> bool:
    if options.verb == "leases":
        return bool(options.release)
    return options.verb in CHANGING and not getattr(options, "dry_run", False)


def _run_verb(options: argparse.Namespace) -> int:
    if options.verb != "exec":  # CMD keeps the caller's limits
        _raise_file_limit()
    if level := getattr(options, "log_level", None):
        debug.start(level)
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
            output.print_notes([vlanlink.Diagnostic(message, severity="warning")])
    except vlanlink.PrivilegeError:
        pass  # the verb needs no less, and says so
    except vlanlink.VlanlinkError as error:
        output.print_error(error, as_json=False)


def _open_closed_streams() -> None:
    """Reopen streams that the caller closed: the next open file would get their number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - open to the end


def _prepare() -> None:
    _open_closed_streams()
    gc.set_threshold(_GC_THRESHOLD)
