"""Arguments that several verbs share, and the values behind them."""

import argparse
import os
import sys
from pathlib import Path
from typing import BinaryIO

import vlanlink
from vlanlink import Diagnostic, UsageError
from vlanlink.cli import output

DEFAULT_FILE = "vlanlink.toml"
"""The topology of ``validate``, ``plan`` and ``up`` if FILE is omitted."""
LONGEST_WAIT = 86400
_LONGEST_PID = 9


def add_file(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """FILE: a topology."""
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?" if optional else None,
        help="a topology (TOML), or - for standard input",
    )


def add_default_file(parser: argparse.ArgumentParser) -> None:
    """[FILE]: a topology; vlanlink.toml if omitted."""
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        help=f"a topology (TOML), or - for standard input (default: {DEFAULT_FILE} here)",
    )


def add_files(parser: argparse.ArgumentParser) -> None:
    """[FILE...]: topologies; vlanlink.toml if omitted."""
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="*",
        help=f"topologies (TOML), or - for standard input (default: {DEFAULT_FILE} here)",
    )


def add_file_or_name(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """FILE or NAME: a topology, or the name of one."""
    parser.add_argument(
        "topology",
        metavar="FILE|NAME",
        nargs="?" if optional else None,
        help="a topology (TOML), or the name of one that is known here",
    )


def add_network(parser: argparse.ArgumentParser) -> None:
    """TOPOLOGY/NETWORK: a network that is up."""
    parser.add_argument("network", metavar="TOPOLOGY/NETWORK", help="a network that is up")


def add_output(parser: argparse.ArgumentParser) -> None:
    """-o FILE: where the result goes."""
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write the result to this file (default: stdout)"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")


def pid(text: str) -> int:
    """The pid in ``text``. Raises ArgumentTypeError."""
    if not text.isascii() or not text.isdigit() or len(text) > _LONGEST_PID:
        raise argparse.ArgumentTypeError(f"{text} is not a process id")
    return int(text)


def add_dry_run(parser: argparse.ArgumentParser) -> None:
    """--dry-run."""
    parser.add_argument("--dry-run", action="store_true", help="show the plan, change nothing")


def add_replace(parser: argparse.ArgumentParser) -> None:
    """--replace."""
    parser.add_argument(
        "--replace", action="store_true", help="go on if the topology is up from another file"
    )


def add_all(parser: argparse.ArgumentParser, which: str) -> None:
    """--all."""
    parser.add_argument("--all", action="store_true", help=which)


def add_wait(parser: argparse.ArgumentParser) -> None:
    """--wait SECONDS."""
    parser.add_argument(
        "--wait",
        metavar="SECONDS",
        type=_seconds,
        default=0.0,
        help="wait for missing parents, at most this long (default: don't wait)",
    )


def add_lock_timeout(parser: argparse.ArgumentParser) -> None:
    """--lock-timeout SECONDS."""
    parser.add_argument(
        "--lock-timeout",
        metavar="SECONDS",
        type=_seconds,
        default=vlanlink.LOCK_SECONDS,
        help="wait for another vlanlink process, at most this long (default: %(default)g)",
    )


def add_confirm(parser: argparse.ArgumentParser) -> None:
    """--confirm SECONDS."""
    parser.add_argument(
        "--confirm",
        metavar="SECONDS",
        type=_at_least_a_second,
        help="roll the change back after this time unless Enter or `vlanlink confirm` keeps it",
    )


def _at_least_a_second(text: str) -> float:
    seconds = _seconds(text)
    if seconds < 1:
        raise argparse.ArgumentTypeError(f"{text} is too short; the minimum is 1 s")
    return seconds


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST_WAIT:
        message = f"{text} is not a number of seconds from 0 to {LONGEST_WAIT} (one day)"
        raise argparse.ArgumentTypeError(message)
    return seconds


def file_or_default(file: str | None) -> str:
    """A FILE argument; if omitted, the default file here, announced on stderr."""
    if file is not None:
        return file
    if not Path(DEFAULT_FILE).exists():
        message = f"no FILE given, and there is no {DEFAULT_FILE} here"
        raise UsageError(Diagnostic(message, hint="write the path of a topology, or - for stdin"))
    output.say(f"using {DEFAULT_FILE}", stream=sys.stderr)
    return DEFAULT_FILE


def read(file: str) -> "vlanlink.Topology":
    """Load a FILE argument. Raises UsageError for a word that is not a file name."""
    return vlanlink.load(need_file(file), text=_standard_input(file))


def need_file(word: str) -> str:
    """The word. Raises UsageError if it is not a file name."""
    if not is_file(word):
        raise UsageError(
            Diagnostic(f"not a file name: {word or repr(word)}", hint=_file_hint(word))
        )
    return word


def _file_hint(word: str) -> str:
    if word and Path(word).is_file():
        return f"did you mean ./{word}? a file name ends in .toml or contains a /"
    files = sorted(str(file) for file in Path().glob("*.toml") if file.is_file())
    meant = vlanlink.nearest(f"{word}.toml", files) if word.strip("./") else None
    return f"did you mean {meant}?" if meant else "a file name ends in .toml or contains a /"


def _standard_input(file: str) -> BinaryIO | None:
    if file != "-":
        return None
    if getattr(sys.stdin, "name", None) == os.devnull:  # ``main`` opened it
        message = "can't read a topology from standard input: it is closed"
        hint = "redirect it from a file, or write the file's name instead of -"
        raise UsageError(Diagnostic(message, hint=hint))
    return sys.stdin.buffer


def read_or_name(word: str) -> "vlanlink.Topology | str":
    """The topology of a FILE|NAME argument that is a file, else the name."""
    return read(word) if is_file(word) else word


def heading_or_name(word: str) -> "vlanlink.Heading | str":
    """As ``read_or_name``, but only the file's name is read: the rest may have errors."""
    if not is_file(word):
        return word
    return vlanlink.heading(word, text=_standard_input(word))


def name(word: str) -> str:
    """The topology's name that a FILE|NAME argument stands for."""
    found = heading_or_name(word)
    return found if isinstance(found, str) else found.name


def is_file(word: str) -> bool:
    """True if an argument means a file."""
    return word == "-" or "/" in word or word.endswith(".toml")
