"""Files, texts and mappings to topologies: everything wrong in one run, each at its place.

The checks are imported when something is checked: `down` checks nothing.
"""

import os
import stat
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from vlanlink.dataclass import dataclass
from vlanlink.errors import Diagnostic, Path, Problem, TopologyError, UsageError, nearest
from vlanlink.topology import toml, values
from vlanlink.topology.model import UNNAMED, Topology
from vlanlink.topology.positions import DEEPEST, Severity, Source, Span, without_source
from vlanlink.topology.problems import InvalidEntry, InvalidValue, quote

if TYPE_CHECKING:
    from vlanlink.topology.salvage import Salvage

LARGEST: Final = 4 * 1024 * 1024
"""The largest file that is read, in bytes. 4,000 endpoints take a tenth of it."""


Text = str | bytes | BinaryIO


def load(
    source: str | os.PathLike[str] | Mapping[str, Any], *, text: Text | None = None
) -> Topology:
    """Read and check a topology: a file, or a mapping with the keys of a file.

    ``text`` is the file's content, or an open binary file, if it is to be read from there. Raises
    TopologyError with everything that is wrong. Needs no root and asks the machine nothing.
    """
    if isinstance(source, Mapping):
        return _from_mapping(source)
    return parse(content(source, text), file=os.fspath(source))


def content(path: str | os.PathLike[str], text: Text | None = None) -> str:
    """The text of a file, or ``text`` decoded. Raises TopologyError."""
    file = os.fspath(path)
    found = _content(file) if text is None else text
    if not isinstance(found, str | bytes):
        found = found.read(LARGEST + 1)
    return found if isinstance(found, str) else _decoded(file, found)


def parse(text: str, file: str = "topology.toml") -> Topology:
    """Check the topology in a text; ``file`` is named in messages."""
    source = Source(text.removeprefix("\ufeff").replace("\r\n", "\n"), file)
    return _accepted(*analyse(source), source)


def validated(topology: Topology) -> Topology:
    """The topology, checked now if it was made in code. Raises TopologyError."""
    if topology.checked:
        return topology
    from vlanlink.topology.export import as_mapping

    return load(as_mapping(topology))


def empty(name: str) -> Topology:
    """A topology without anything in it. Raises UsageError for an invalid name."""
    try:
        topology = Topology(name=values.topology_name(name))
    except InvalidValue as wrong:
        raise UsageError(Diagnostic(wrong.message, hint=wrong.hint)) from None
    return _marked(topology, None, ())


@dataclass(frozen=True)
class Heading:
    """The name of a topology, and its text, which may be wrong otherwise."""

    name: str
    text: str
    file: str

    def whole(self) -> Topology | None:
        """The topology; None if it is not valid."""
        try:
            return parse(self.text, self.file)
        except TopologyError:
            return None


def heading(path: str | os.PathLike[str], *, text: Text | None = None) -> Heading:
    """The name that a file gives its topology: all that it takes to take it down.

    ``text`` is as for ``load``. The rest of the file is not checked. Raises TopologyError if the
    name can't be read.
    """
    file, whole = os.fspath(path), content(path, text)
    try:
        table = toml.loads(whole.removeprefix("\ufeff")).get("topology", {})
        name = values.topology_name(table.get("name", PurePath(file).stem))
    except (toml.TOMLDecodeError, AttributeError, TypeError, InvalidValue):
        name = load(file, text=whole).name
    return Heading(name, whole, file)


def formatted(path: str | os.PathLike[str], *, text: Text | None = None) -> str:
    """The text of a file in vlanlink's layout: values, their order and comments stay.

    ``text`` as in ``load``. Raises TopologyError for a syntax error.
    """
    from vlanlink.topology import layout

    file, whole = os.fspath(path), content(path, text)
    try:
        return layout.formatted(whole)
    except (ValueError, RecursionError):
        load(file, text=whole)  # raises, with places
        raise


def analyse(source: Source) -> tuple[Topology | None, list[InvalidEntry]]:
    """The topology that can be read from a text, and all that is wrong with it."""
    from vlanlink.topology.salvage import Salvage
    from vlanlink.topology.syntax import read

    reading = read(source)
    doubled = [InvalidEntry("doubled", problem, span=span) for span, problem in reading.doubled]
    if reading.faults:
        from vlanlink.topology.corrections import has_statement

        if not has_statement(source.text):
            return None, [_not_toml(source.text)]
        faults = [InvalidEntry("syntax", problem, span=span) for span, problem in reading.faults]
        return None, faults + doubled
    draft = Salvage(reading.data, reading.left_out)
    draft.findings += doubled if reading.data or doubled else [_no_table(source)]
    _name(draft, PurePath(source.file or "").stem)
    return _checked(draft)


def _not_toml(text: str) -> InvalidEntry:
    """One sentence, and none of the lines: the file may be anything."""
    from vlanlink.topology.corrections import format_of

    found = format_of(text)
    message = f"not a TOML file: it looks like {found}" if found else "not a TOML file"
    hint = "write tables such as [networks.lan], and key = value lines below them"
    if found:
        hint += "; vlanlink import reads compose files and the JSON of docker network inspect"
    return InvalidEntry("not_toml", Problem((), message, hint), span=_NOTHING_SHOWN)


def _no_table(source: Source) -> InvalidEntry:
    try:
        name = values.topology_name(PurePath(source.file or "").stem)
    except InvalidValue:
        name = "NAME"
    hint = f"to take a topology down, run: vlanlink down {name}"
    return InvalidEntry("no_table", Problem((), "the file has no table", hint), span=_NOTHING_SHOWN)


_NOTHING_SHOWN: Final = Span(1, 1, 0)


def _from_mapping(mapping: Mapping[str, Any]) -> Topology:
    from vlanlink.topology.salvage import Salvage

    draft = Salvage({}, set())
    draft.data = _plain(mapping, (), draft)
    _name(draft, None)
    return _accepted(*_checked(draft), None)


def _plain(value: Any, path: Path, draft: "Salvage") -> Any:
    """Python values as those of a file."""
    if len(path) > DEEPEST:
        draft.refuse(path, InvalidValue("wrong_type", "tables or arrays are nested too deep"))
        return None
    if isinstance(value, Mapping):
        return {
            key: _plain(one, (*path, key), draft)
            for key, one in value.items()
            if _is_key(key, path, draft)
        }
    if isinstance(value, list | tuple):
        return [_plain(one, (*path, at), draft) for at, one in enumerate(value)]
    if isinstance(value, str) and not _is_text(value):
        draft.refuse(path, InvalidValue("wrong_type", f"{quote(value)} is not valid Unicode"))
    return str(value) if isinstance(value, _WRITTEN_AS_TEXT) else value


def _is_key(key: object, path: Path, draft: "Salvage") -> bool:
    if not isinstance(key, str):
        wrong = InvalidValue("wrong_type", f"the key {quote(str(key))} must be a string")
        draft.refuse((*path, str(key)), wrong)
    return isinstance(key, str)


def _is_text(word: str) -> bool:
    try:
        return bool(word.encode()) or not word
    except UnicodeEncodeError:
        return False


_WRITTEN_AS_TEXT: Final = (IPv4Address, IPv6Address, IPv4Network, IPv6Network, os.PathLike)


def _checked(draft: "Salvage") -> tuple[Topology, list[InvalidEntry]]:
    from vlanlink.topology.forms import At
    from vlanlink.topology.rules import judge

    topology = Topology.read(draft.data, At((), draft))
    return topology, draft.findings + judge(topology, draft)


def _accepted(
    topology: Topology | None, findings: list[InvalidEntry], source: Source | None
) -> Topology:
    errors = [one for one in findings if not one.warning]
    if topology is None or errors:
        raise TopologyError(*diagnostics(errors, source))
    return _marked(topology, source, tuple(diagnostics(findings, source)))


def _marked(
    topology: Topology, source: Source | None, warnings: tuple[Diagnostic, ...]
) -> Topology:
    for key, value in (("checked", True), ("source", source), ("warnings", warnings)):
        object.__setattr__(topology, key, value)
    return topology


def diagnostics(findings: Iterable[InvalidEntry], source: Source | None) -> list[Diagnostic]:
    """Findings at their places, by line, each once."""
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


def _name(draft: "Salvage", stem: str | None) -> None:
    """Name the topology after its file if it has no name of its own."""
    table = draft.data.get("topology", {})
    if "name" in draft.data:
        hint = "write it under [topology]"
        draft.refuse(
            ("name",), InvalidValue("unknown_key", 'unknown key "name"', hint, at_key=True)
        )
        del draft.data["name"]
    elif isinstance(table, dict) and "name" not in table:
        draft.data = {**draft.data, "topology": {**table, "name": _from_stem(draft, stem)}}


def _from_stem(draft: "Salvage", stem: str | None) -> str:
    try:
        return values.topology_name(stem or "")
    except InvalidValue as wrong:
        why = "" if stem is None else f", and the file's, {quote(stem)}, is not a valid one"
        message, hint = f"the topology has no name{why}", "write name = … under [topology]"
        draft.refuse(("topology", "name"), InvalidValue(wrong.code, message, hint))
        return UNNAMED


def _content(file: str) -> bytes:
    try:
        return _bytes(file)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = nearest_file(file) if isinstance(error, FileNotFoundError) else None
        raise _unreadable(file, f"can't read {quote(file)}: {reason}", hint) from error


def nearest_file(missing: str) -> str | None:
    """A hint: the topology in the same directory whose name is most similar."""
    path = PurePath(missing)
    try:
        names = sorted(name for name in os.listdir(path.parent) if name.endswith(".toml"))
    except OSError:
        return None
    meant = nearest(path.name, names)
    return f"did you mean {path.with_name(meant)}?" if meant else None


def _decoded(file: str, data: bytes) -> str:
    if len(data) > LARGEST:
        size = f"more than {LARGEST // 1024 // 1024} MiB"
        raise _unreadable(file, f"{quote(file)} is too large for a topology: {size}")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TopologyError(_not_text(file, data, error)) from error


def _bytes(file: str) -> bytes:
    # O_NONBLOCK: a FIFO without a writer would block the open itself.
    number = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(number).st_mode
        if stat.S_ISDIR(mode):
            raise OSError(0, "it is a directory")
        if not stat.S_ISREG(mode):
            raise OSError(0, "not a regular file (use '-' to read a topology from a pipe)")
        return _all(number)
    finally:
        os.close(number)


def _all(number: int) -> bytes:
    found = b""
    while len(found) <= LARGEST and (more := os.read(number, LARGEST)):
        found += more
    return found


def _unreadable(file: str, message: str, hint: str | None = None) -> TopologyError:
    return TopologyError(Diagnostic(message=message, file=file, hint=hint))


def _not_text(file: str, data: bytes, error: UnicodeDecodeError) -> Diagnostic:
    from vlanlink.topology.corrections import has_statement

    before = data[: error.start].decode("utf-8")
    lines = before.split("\n")

    source = Source(data.decode("utf-8", "replace"), file)
    shown = has_statement(source.text)
    span = Span(len(lines), len(lines[-1]) + 1, width=int(shown))
    return source.at(span, f"byte 0x{data[error.start]:02x} is not UTF-8", "save the file as UTF-8")
