"""Files and texts to topologies: all that is wrong with one, in one run, at its place.

What does the checking is imported when something is to be checked: `down` checks nothing.
"""

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from vlanlink.errors import Diagnostic, Problem, TopologyError, UsageError
from vlanlink.topology import values
from vlanlink.topology.model import Topology
from vlanlink.topology.positions import Severity, Source, Span, without_source
from vlanlink.topology.problems import InvalidEntry, InvalidValue, quote

if TYPE_CHECKING:
    from vlanlink.topology.salvage import Salvage

LARGEST: Final = 4 * 1024 * 1024
"""The size of file that is still read, in bytes. 4,000 endpoints take a tenth of it."""

Text = str | bytes | BinaryIO


def load(path: str | os.PathLike[str], *, text: Text | None = None) -> Topology:
    """Read and check a topology file. ``text``: its content, or an open binary file.

    Raises TopologyError with everything that is wrong. Needs no root, and asks the machine nothing.
    """
    return parse(content(path, text), file=os.fspath(path))


def content(path: str | os.PathLike[str], text: Text | None = None) -> str:
    """What stands in a file, or ``text`` decoded. Raises TopologyError."""
    file = os.fspath(path)
    found = _content(file) if text is None else text
    if not isinstance(found, str | bytes):
        found = found.read(LARGEST + 1)
    return found if isinstance(found, str) else _decoded(file, found)


def parse(text: str, file: str = "topology.toml") -> Topology:
    """Check a topology that stands in a text; ``file`` is named in messages."""
    source = Source(text.removeprefix("\ufeff").replace("\r\n", "\n"), file)
    return _settled(*examine(source), source)


def build(mapping: Mapping[str, Any] | Topology) -> Topology:
    """Check a topology that was made in code; the keys are those of a file."""
    from vlanlink.topology.salvage import Salvage

    if isinstance(mapping, Topology):
        mapping = mapping.as_written()
    return _settled(*_checked(Salvage(mapping, set())), None)


def settled(topology: Topology) -> Topology:
    """The topology, checked whole also where it was made in code. Raises TopologyError."""
    return topology if topology.checked else build(topology)


def empty(name: str) -> Topology:
    """The topology of a name with nothing in it. Raises UsageError for what can't be a name."""
    try:
        # Nothing else is to be checked, and it takes a while to make what checks.
        topology = Topology.model_construct(name=values.topology_name(name))
    except InvalidValue as wrong:
        raise UsageError(Diagnostic(wrong.message, hint=wrong.hint)) from None
    topology._checked = True
    return topology


def examine(source: Source) -> tuple[Topology | None, list[InvalidEntry]]:
    """What can be made of a text, and all that there is to say about it."""
    from vlanlink.topology.salvage import Salvage
    from vlanlink.topology.syntax import read

    reading = read(source)
    doubled = [InvalidEntry("doubled", problem, span=span) for span, problem in reading.doubled]
    if reading.faults:
        faults = [InvalidEntry("syntax", problem, span=span) for span, problem in reading.faults]
        return None, faults + doubled
    data, findings = _named(reading.data, PurePath(source.file or "").stem)
    draft = Salvage(data, reading.left_out)
    draft.findings += doubled + findings
    return _checked(draft)


def _checked(draft: "Salvage") -> tuple[Topology, list[InvalidEntry]]:
    from vlanlink.topology.rules import judge

    topology = draft.topology()
    return topology, draft.findings + judge(topology, draft)


def _settled(
    topology: Topology | None, findings: list[InvalidEntry], source: Source | None
) -> Topology:
    errors = [one for one in findings if not one.warning]
    if topology is None or errors:
        raise TopologyError(*diagnostics(errors, source))
    topology._checked = True
    topology._source = source
    topology._warnings = tuple(diagnostics(findings, source))
    return topology


def diagnostics(findings: Iterable[InvalidEntry], source: Source | None) -> list[Diagnostic]:
    """Findings at their places, by line, each thing said once."""
    once = dict.fromkeys(_diagnostic(one, source) for one in findings)
    return sorted(once, key=lambda one: (one.line or 0, one.column or 0, one.message))


def _diagnostic(one: InvalidEntry, source: Source | None) -> Diagnostic:
    severity: Severity = "warning" if one.warning else "error"
    if source is None:
        return without_source(one.problem, severity)
    if one.span:
        problem = one.problem
        return source.at(one.span, problem.message, problem.hint, path=problem.path)
    return source.diagnose(one.problem, severity)


def _named(data: dict[str, Any], stem: str) -> tuple[dict[str, Any], list[InvalidEntry]]:
    """The data with a name: that of the file if they have none."""
    heading = data.get("topology", {})
    if "name" in data:
        problem = Problem(("name",), "unknown key name", "write it under [topology]", at_key=True)
        data = {key: value for key, value in data.items() if key != "name"}
        return data | {"topology": {"name": "unnamed"}}, [InvalidEntry("unknown_key", problem)]
    if not isinstance(heading, dict) or "name" in heading:
        return data, []
    try:
        return data | {"topology": heading | {"name": values.topology_name(stem)}}, []
    except InvalidValue as wrong:
        problem = Problem(
            ("topology",),
            f"the topology has no name, and that of the file, {quote(stem)}, can't be one",
            "write name = … under [topology]",
        )
        return data | {"topology": heading | {"name": "unnamed"}}, [
            InvalidEntry(wrong.code, problem)
        ]


def _content(file: str) -> bytes:
    try:
        return _bytes(file)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _unreadable(file, f"can't read {quote(file)}: {reason}") from error


def _decoded(file: str, data: bytes) -> str:
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
    try:
        mode = os.fstat(number).st_mode
        if stat.S_ISDIR(mode):
            raise OSError(0, "it is a directory")
        if not stat.S_ISREG(mode):
            raise OSError(0, "it is no regular file (a topology from a pipe is read as '-')")
        return _all(number)
    finally:
        os.close(number)


def _all(number: int) -> bytes:
    found = b""
    while len(found) <= LARGEST and (more := os.read(number, LARGEST)):
        found += more
    return found


def _unreadable(file: str, message: str) -> TopologyError:
    return TopologyError(Diagnostic(message=message, file=file))


def _no_text(file: str, data: bytes, error: UnicodeDecodeError) -> Diagnostic:
    before = data[: error.start].decode("utf-8")
    lines = before.split("\n")
    source = Source(data.decode("utf-8", "replace"), file)
    span = Span(len(lines), len(lines[-1]) + 1)
    return source.at(span, f"byte 0x{data[error.start]:02x} is no UTF-8", "save the file as UTF-8")
