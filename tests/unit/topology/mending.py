"""Hints carried out as a reader would: the text of a file with one hint applied."""

import re
from collections.abc import Iterator

from vlanlink.errors import Diagnostic, TopologyError
from vlanlink.topology import Source, parse, toml
from vlanlink.topology.load import analyse, diagnostics

VALUE = r"""("(?:[^"\\]|\\.)*"|\[.*\]|\{.*\}|-?[0-9.]+|true|false)"""


def first(text: str) -> Diagnostic | None:
    """The first error of a text, else its first warning."""
    return next(iter(errors(text)), None)


def errors(text: str) -> list[Diagnostic]:
    """The errors of a text; the warnings of one without."""
    source = Source(text, "x.toml")
    findings = analyse(source)[1]
    wrong = [one for one in findings if not one.warning]
    return diagnostics(wrong or findings, source)


def mended(text: str, limit: int = 6) -> str | None:
    """The text with the hints of its errors applied; None if a hint leaves a choice."""
    for at in range(limit):
        problem = first(text)
        if problem is None or (at and problem.severity == "warning"):
            return text
        after = apply(text, problem)
        if after is None or after == text:
            return None
        text = after
    return None


def is_valid(text: str) -> bool:
    try:
        parse(text)
    except TopologyError:
        return False
    return True


def apply(text: str, problem: Diagnostic) -> str | None:
    """The text with the problem's hint applied; None for a hint that leaves a choice."""
    return next(iter(_all(text, problem)), None)


def _all(text: str, problem: Diagnostic) -> Iterator[str]:
    hint = problem.hint or ""
    lines = text.split("\n")
    at = (problem.line or 1) - 1
    if "syntax" in problem.message:
        if found := re.fullmatch(r"write (.+)", hint):
            yield _lines(lines, at, _indent(lines[at]) + found[1])
        elif found := re.fullmatch(r"remove (\S+): TOML has no null", hint):
            yield _lines(lines, at, None)
        return
    header = lines[at].lstrip().startswith("[")
    if header and (found := re.match(r"write \[([^\]\s]+)\](?: instead of .*)?$", hint)):
        yield _lines(lines, at, f"[{found[1]}]")
    elif found := re.match(r"quote a name that has a dot in it: (\[.+\])$", hint):
        yield _lines(lines, at, found[1])
    elif found := re.match(rf"write (\w+) = {VALUE}( instead)?(?! for)", hint):
        rest = lines if not found[3] else [*lines[:at], *lines[at + 1 :]]
        yield from _set(rest, at, found[1], found[2])
    elif (
        found := re.match(
            rf"(?:write|did you mean|add the prefix length:) {VALUE}(?:$|\?|,|:| )", hint
        )
    ) or (found := re.search(rf"such as {VALUE}", hint)):
        yield _at_span(lines, problem, found[1])
    elif found := re.match(r'quote a key that has dots in it: ("(.+)")$', hint):
        pattern = re.escape(found[2])
        yield re.sub(rf'(?<!"){pattern}(?!")', found[1], text, count=1)
    elif found := re.match(r"did you mean ([\w-]+)\?$", hint):
        yield _at_span(lines, problem, found[1])
    elif found := re.match(r"remove (\w+)(?:$|:|,| \()", hint):
        yield _removed(text, problem)


def _lines(lines: list[str], at: int, new: str | None) -> str:
    return "\n".join([*lines[:at], *([new] if new is not None else []), *lines[at + 1 :]])


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _at_span(lines: list[str], problem: Diagnostic, new: str) -> str:
    assert problem.line
    assert problem.column
    line = lines[problem.line - 1]
    start, end = problem.column - 1, problem.column - 1 + problem.width
    return _lines(lines, problem.line - 1, line[:start] + new + line[end:])


def _set(lines: list[str], at: int, key: str, value: str) -> Iterator[str]:
    """The key's value, in the line or in the lines of the same table."""
    pattern = re.compile(rf"(^|[\s{{,]){key}(\s*=\s*){VALUE}")
    new = rf"\g<1>{key}\g<2>{_escaped(value)}"
    near = sorted(range(len(lines)), key=lambda one: abs(one - at))
    for one in near:
        if pattern.search(lines[one]):
            yield _lines(lines, one, pattern.sub(new, lines[one], count=1))


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\")


def _removed(text: str, problem: Diagnostic) -> str:
    """Without the statement, or the part of an inline table, that the problem points at."""
    assert problem.line
    assert problem.column
    lines = text.split("\n")
    line = lines[problem.line - 1]
    if line.lstrip().startswith("["):
        end = problem.line
        while end < len(lines) and not lines[end].startswith("["):
            end += 1
        return "\n".join([*lines[: problem.line - 1], *lines[end:]])
    if isinstance(problem.path[-1], int):
        start, end = problem.column - 1, problem.column - 1 + problem.width
        left, right = line[:start].rstrip(" ,"), line[end:].lstrip(" ,")
        comma = ", " if not left.endswith("[") and not right.startswith("]") else ""
        return _lines(lines, problem.line - 1, f"{left}{comma}{right}")
    key = str(problem.path[-1])
    if re.match(rf"\s*{re.escape(toml.key(key))}\s*=", line):
        return _lines(lines, problem.line - 1, None)
    pair = rf"{re.escape(toml.key(key))}\s*=\s*{VALUE}"
    pattern = rf"{pair}\s*,\s*|,\s*{pair}|{pair}"
    return _lines(lines, problem.line - 1, re.sub(pattern, "", line, count=1))
