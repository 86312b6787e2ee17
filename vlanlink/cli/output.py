"""Printing: results on stdout, diagnostics and progress on stderr."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby
from typing import Any, TextIO

import vlanlink
from vlanlink.cli import interrupts, terminal
from vlanlink.cli.naming import as_run

Progress = Callable[[int, int, str], None]


def say(*lines: str, stream: TextIO | None = None, style: str = "") -> None:
    """Print lines (default: on stdout), fitted to a terminal.

    Only ``style`` (SGR) can act on a terminal, no text can.
    """
    to = stream or sys.stdout
    shown = (as_run(vlanlink.printable(line)) for line in lines)
    to.write("".join(f"{styled(part, style)}\n" for line in shown for part in fitted(line, to)))


def styled(text: str, style: str) -> str:
    """``text`` between SGR sequences, if a style is given."""
    return f"\x1b[{style}m{text}\x1b[0m" if style else text


def fitted(line: str, stream: TextIO, hang: str | None = None) -> list[str]:
    """``line`` as lines that fit ``stream``, if that is a terminal; see ``wrapping``."""
    if not stream.isatty() or len(line) <= (width := terminal.width(stream)):
        return [line]
    from vlanlink.cli import wrapping

    return wrapping.fitted(line, width, hang)


def json_text(value: object, indent: int | None = None) -> str:
    """``value`` as JSON, every character that can be printed as it stands, the others escaped."""
    import json

    ascii_only = (sys.stdout.encoding or "utf-8").lower().replace("-", "") != "utf8"
    lines = json.dumps(value, indent=indent, ensure_ascii=ascii_only).split("\n")
    return "\n".join(line if line.isprintable() else _escaped(line) for line in lines)


def _escaped(line: str) -> str:
    import json

    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)


def print_json(value: Mapping[str, object]) -> None:
    """One JSON object on stdout."""
    sys.stdout.write(json_text({"version": vlanlink.JSON_VERSION, **value}, indent=2) + "\n")


def write(text: str, file: str | None) -> None:
    """Write a whole document to a file, or to stdout. Raises OSError with the file's name."""
    if file is None or file == "-":
        sys.stdout.write(text)
    else:
        with open(file, "w", encoding="utf-8") as stream:
            stream.write(text)


def with_warnings(value: dict[str, Any], warnings: Iterable[Any]) -> dict[str, Any]:
    """A JSON object, with its warnings if there are any."""
    told = [warning.to_dict() for warning in warnings]
    return {**value, "warnings": told} if told else value


def print_error(error: "vlanlink.VlanlinkError", *, as_json: bool) -> None:
    """Every diagnostic of an error, and what could not be rolled back."""
    if as_json:
        print_json(error.to_dict())
        return
    print_notes(error.diagnostics)
    say(*(f"not rolled back: {line}" for line in error.not_undone), stream=sys.stderr)


def print_notes(diagnostics: Iterable[Any]) -> None:
    """Diagnostics on stderr, in colour on a terminal."""
    coloured = is_rich(sys.stderr)
    for diagnostic in diagnostics:
        text = "\n".join(_shown(diagnostic, sys.stderr))
        if coloured:
            colour = "1;31" if diagnostic.severity == "error" else "1;33"
            word = f"{diagnostic.severity}:"
            text = text.replace(word, f"\x1b[{colour}m{word}\x1b[0m", 1)
        sys.stderr.write(f"{text}\n")


def _shown(diagnostic: "vlanlink.Diagnostic", stream: TextIO) -> Iterator[str]:
    """Its lines, all of them printable; on a terminal the source line is cut, not wrapped."""
    lines = [as_run(line) for line in diagnostic.lines]
    if diagnostic.source is not None and len(lines) > 2 and stream.isatty():
        from vlanlink.cli import wrapping

        lines[1:3] = wrapping.cropped(lines[1], lines[2], terminal.width(stream))
    for line in lines:
        yield from fitted(line, stream)


def is_rich(stream: TextIO) -> bool:
    """True if colour and progress bars are wanted: a terminal without NO_COLOR."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def state_style(state: str) -> str:
    """The colour of a topology's state, if stdout takes colours."""
    colours = {"up": "32", "drifted": "33", "down": "31"}
    return colours.get(state, "") if is_rich(sys.stdout) else ""


def print_plan(plan: "vlanlink.Plan") -> None:
    """A plan as text, with its summary."""
    print_changes(plan)
    say(plan.summary)


def print_changes(plan: "vlanlink.Plan") -> None:
    """The lines of a plan; in colour on a terminal."""
    print_lines(plan.lines)


def print_lines(lines: Iterable[str]) -> None:
    """Lines that begin with ``+`` create, ``~`` change, ``-`` delete; in colour on a terminal."""
    colours = {"  + ": "32", "  ~ ": "33", "  - ": "31"} if is_rich(sys.stdout) else {}
    for style, group in groupby(lines, lambda line: colours.get(line[:4], "")):
        say(*group, style=style)


def done(plan: "vlanlink.Plan") -> str:
    """Counts of what was done: ``18 created, 1 changed``."""
    words = {"create": "created", "change": "changed", "delete": "deleted"}
    return ", ".join(f"{n} {words[action]}" for action, n in plan.counts.items() if n)


def print_waiting(links: Iterable[str], seconds: float) -> None:
    """The missing links, on stderr."""
    say(f"waiting for {', '.join(links)} (up to {seconds:g} s)", stream=sys.stderr)


def print_timings(seconds: Mapping[str, float]) -> None:
    """The time of each phase, on stderr."""
    for phase, spent in {**seconds, "total": sum(seconds.values())}.items():
        if spent:
            say(f"{phase:<12}{spent:9.3f} s", stream=sys.stderr)


_BAR = 28
"""Width of the progress bar."""


@contextmanager
def progress(verb: str) -> Iterator[Progress]:
    """A progress bar on a terminal; elsewhere a line if another process is waited for."""
    if not is_rich(sys.stderr):
        yield _plain_progress
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar
    from rich.table import Column

    columns = (  # of fixed widths, but the last, which is cut
        TextColumn(verb),
        BarColumn(bar_width=_BAR),
        MofNCompleteColumn(table_column=Column(min_width=len("1000/1000"), no_wrap=True)),
        TextColumn(
            "{task.description}",
            markup=False,
            table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
        ),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True, expand=True) as bar:
        task = bar.add_task("", total=None)

        def report(done: int, total: int, what: str) -> None:
            interrupts.progressed(what)
            if what:
                bar.update(task, completed=done, total=total, description=vlanlink.printable(what))

        yield report


def _plain_progress(done: int, total: int, what: str) -> None:
    interrupts.progressed(what)
    if what and not done and not total:
        say(what, stream=sys.stderr)
