"""Arguments that several verbs share, and what they stand for."""

import argparse
import sys
from typing import BinaryIO

import vlanlink
from vlanlink import Diagnostic, UsageError

LONGEST_WAIT = 86400


def add_file(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """FILE: a topology."""
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?" if optional else None,
        help="a topology (TOML), or - for standard input",
    )


def add_file_or_name(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """FILE or NAME: a topology, or one that is up."""
    parser.add_argument(
        "topology",
        metavar="FILE|NAME",
        nargs="?" if optional else None,
        help="a topology (TOML), or the name of one that is up",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")


def add_dry_run(parser: argparse.ArgumentParser) -> None:
    """--dry-run."""
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, do nothing")


def add_replace(parser: argparse.ArgumentParser) -> None:
    """--replace."""
    parser.add_argument(
        "--replace", action="store_true", help="go on if the topology is up from another file"
    )


def add_wait(parser: argparse.ArgumentParser) -> None:
    """--wait SECONDS."""
    parser.add_argument(
        "--wait",
        metavar="SECONDS",
        type=_seconds,
        default=0.0,
        help="wait that long at the most for parents that are not there yet",
    )


def add_lock_timeout(parser: argparse.ArgumentParser) -> None:
    """--lock-timeout SECONDS."""
    parser.add_argument(
        "--lock-timeout",
        metavar="SECONDS",
        type=_seconds,
        default=vlanlink.LOCK_SECONDS,
        help="how long to wait while another vlanlink is at work (default: %(default)g)",
    )


def add_confirm(parser: argparse.ArgumentParser) -> None:
    """--confirm SECONDS."""
    parser.add_argument(
        "--confirm",
        metavar="SECONDS",
        type=_some_seconds,
        help="put it back after that time unless Enter or `vlanlink confirm` says to keep it",
    )


def _some_seconds(text: str) -> float:
    seconds = _seconds(text)
    if seconds < 1:
        raise argparse.ArgumentTypeError(f"{text} is too short: a second at the least")
    return seconds


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST_WAIT:
        message = f"{text} is no number of seconds from 0 to {LONGEST_WAIT} (a day)"
        raise argparse.ArgumentTypeError(message)
    return seconds


def read(file: str) -> "vlanlink.Topology":
    """The topology of a FILE argument. Raises UsageError for a word that is none."""
    if not is_file(file):
        message = f"{file} is the name of a topology, and a file is wanted"
        raise UsageError(Diagnostic(message, hint=f"write ./{file} if it is a file"))
    return vlanlink.load(file, text=_standard_input(file))


def _standard_input(file: str) -> BinaryIO | None:
    return sys.stdin.buffer if file == "-" else None


def read_or_name(word: str) -> "vlanlink.Topology | str":
    """The topology of a FILE|NAME argument that is a file; a name as it is."""
    return read(word) if is_file(word) else word


def heading_or_name(word: str) -> "vlanlink.Heading | str":
    """The same for what needs the name alone: the rest of the file may be wrong."""
    if not is_file(word):
        return word
    return vlanlink.heading(word, text=_standard_input(word))


def name(word: str) -> str:
    """The name that a FILE|NAME argument stands for."""
    found = heading_or_name(word)
    return found if isinstance(found, str) else found.name


def is_file(word: str) -> bool:
    """Whether an argument means a file."""
    return word == "-" or "/" in word or word.endswith(".toml")
