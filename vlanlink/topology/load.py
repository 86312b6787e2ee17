"""Files and texts to topologies: all that is wrong with one, in one run, at its place."""

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any, Final

from vlanlink.errors import Diagnostic, Problem, TopologyError
from vlanlink.topology import values
from vlanlink.topology.checked import Draft
from vlanlink.topology.model import Topology
from vlanlink.topology.positions import Source, Span
from vlanlink.topology.rules import judge
from vlanlink.topology.syntax import Reading, read
from vlanlink.topology.wrong import Finding, Wrong, quote

LARGEST: Final = 4 * 1024 * 1024
"""The size of file that is still read, in bytes. 4,000 endpoints take a tenth of it."""


def load(path: str | os.PathLike[str], *, text: str | None = None) -> Topology:
    """Read and check a topology file. ``text`` is its content, if that was read elsewhere.

    Raises TopologyError with everything that is wrong. Needs no root, and asks the machine nothing.
    """
    file = os.fspath(path)
    return parse(_content(file) if text is None else text, file=file)


def parse(text: str, file: str = "topology.toml") -> Topology:
    """Check a topology that stands in a text; ``file`` is named in messages."""
    source = Source(text.removeprefix("\ufeff").replace("\r\n", "\n"), file)
    reading = read(source)
    if reading.faults:
        raise _error(source.at(span, one.message, one.hint) for span, one in _all(reading))
    findings = [Finding("doubled", problem, span=span) for span, problem in reading.doubled]
    data, more = _named(reading.data, PurePath(file).stem)
    draft = Draft(data, reading.left_out)
    draft.findings += findings + more
    return _checked(draft, source)


def build(mapping: Mapping[str, Any]) -> Topology:
    """Check a topology that was made in code; the keys are those of a file."""
    return _checked(Draft(mapping, set()), None)


def _all(reading: Reading) -> list[tuple[Span, Problem]]:
    return sorted(reading.faults + reading.doubled, key=lambda fault: fault[0])


def _checked(draft: Draft, source: Source | None) -> Topology:
    topology = draft.topology()
    topology._source = source
    findings = draft.findings + judge(topology, draft)
    errors = [_diagnostic(topology, one) for one in findings if not one.warning]
    if errors:
        raise _error(errors)
    topology._warnings = tuple(_sorted(_diagnostic(topology, one) for one in findings))
    return topology


def _diagnostic(topology: Topology, one: Finding) -> Diagnostic:
    if one.span and topology.source:
        problem = one.problem
        return topology.source.at(one.span, problem.message, problem.hint, path=problem.path)
    return topology.diagnose(one.problem, "warning" if one.warning else "error")


def _error(diagnostics: Iterable[Diagnostic]) -> TopologyError:
    return TopologyError(*_sorted(diagnostics))


def _sorted(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """By line, each thing said once."""
    once = dict.fromkeys(diagnostics)
    return sorted(once, key=lambda one: (one.line or 0, one.column or 0, one.message))


def _named(data: dict[str, Any], stem: str) -> tuple[dict[str, Any], list[Finding]]:
    """The data with a name: that of the file if they have none."""
    heading = data.get("topology", {})
    if "name" in data:
        problem = Problem(("name",), "unknown key name", "write it under [topology]", at_key=True)
        data = {key: value for key, value in data.items() if key != "name"}
        return data | {"topology": {"name": "unnamed"}}, [Finding("unknown_key", problem)]
    if not isinstance(heading, dict) or "name" in heading:
        return data, []
    try:
        return data | {"topology": heading | {"name": values.topology_name(stem)}}, []
    except Wrong as wrong:
        problem = Problem(
            ("topology",),
            f"the topology has no name, and that of the file, {quote(stem)}, can't be one",
            "write name = … under [topology]",
        )
        return data | {"topology": heading | {"name": "unnamed"}}, [Finding(wrong.code, problem)]


def _content(file: str) -> str:
    try:
        data = _bytes(file)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _unreadable(file, f"can't read {quote(file)}: {reason}") from error
    if len(data) > LARGEST:
        size = f"more than {LARGEST // 1024 // 1024} MiB"
        raise _unreadable(file, f"{quote(file)} is no topology: it has {size}")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TopologyError(_no_text(file, data, error)) from error


def _bytes(file: str) -> bytes:
    # O_NONBLOCK: a FIFO without a writer would block the open itself.
    number = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(number, "rb") as opened:
        mode = os.fstat(number).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(0, "it is a directory")
        if not stat.S_ISREG(mode):
            raise OSError(0, "it is no regular file (a topology from a pipe is read as '-')")
        return opened.read(LARGEST + 1)


def _unreadable(file: str, message: str) -> TopologyError:
    return TopologyError(Diagnostic(message=message, file=file))


def _no_text(file: str, data: bytes, error: UnicodeDecodeError) -> Diagnostic:
    before = data[: error.start].decode("utf-8")
    lines = before.split("\n")
    source = Source(data.decode("utf-8", "replace"), file)
    span = Span(len(lines), len(lines[-1]) + 1)
    return source.at(span, f"byte 0x{data[error.start]:02x} is no UTF-8", "save the file as UTF-8")
