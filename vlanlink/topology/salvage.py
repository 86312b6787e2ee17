"""Plain data to a Topology, past what is wrong with them.

pydantic reports all that is wrong with single values. Those are cut out, and what depends on
them with them, until a Topology stands; so the rules about several values can be asked in the
same run. What was cut out is remembered: nobody is told twice, nor of what only the cut made so.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from vlanlink.errors import Path, Problem, nearest
from vlanlink.kinds import QosMap
from vlanlink.topology.model import Topology
from vlanlink.topology.options import kind_named
from vlanlink.topology.problems import InvalidEntry, InvalidValue, one_of, quote
from vlanlink.topology.values import GONE, describe

_Words = Callable[[Path, Any], InvalidValue]


class Salvage:
    """Data on the way to a Topology: what is left of them, and what was wrong."""

    def __init__(self, data: Mapping[str, Any], left_out: set[Path]) -> None:
        """Work on a copy."""
        self.data: dict[str, Any] = _plain(data)
        self.findings: list[InvalidEntry] = []
        self.gone: set[Path] = set()
        self._around: set[Path] = set()
        for path in left_out:
            self._remember(path)

    def topology(self) -> Topology:
        """Cut until what is left is a Topology."""
        while True:
            try:
                return Topology.model_validate(self.data)
            except ValidationError as error:
                failures = error.errors(include_url=False)
            places = [self._place(tuple(one["loc"])) for one in failures]
            self._tell(places, failures)
            before = len(self.gone)
            for path in places:
                self._cut(path)
            if any(path[:1] == ("topology",) for path in places):
                self.data = self.data | {"topology": {"name": "unnamed"}}
                self.data.pop("name", None)
            elif before == len(self.gone):
                raise AssertionError(f"nothing to cut out for {places}")

    def _tell(self, places: list[Path], failures: list[Any]) -> None:
        """Note what is new. A misspelt key is not missing besides: so these come first."""
        told = [(path, finding_of(path, one)) for path, one in zip(places, failures, strict=True)]
        for path, wrong in sorted(told, key=lambda one: one[1].meant is None):
            if self.is_gone(path):
                continue
            problem = Problem(path, wrong.message, wrong.hint, at_key=wrong.at_key)
            self.findings.append(InvalidEntry(wrong.code, problem))
            meant = (*path[:-1], wrong.meant or "")
            if wrong.meant is not None and not self._has(meant):
                self._remember(meant)

    def _place(self, loc: Path) -> Path:
        """Where a file has what pydantic speaks of."""
        nameless = loc == ("name",) and "name" not in self.data
        return ("topology", "name") if nameless else self.written(loc)

    def _remember(self, path: Path) -> None:
        self.gone.add(path)
        self._around.update(path[:length] for length in range(len(path) + 1))

    def is_gone(self, path: Path) -> bool:
        """Whether the place, or one that it is in, was cut out."""
        return any(path[:length] in self.gone for length in range(len(path) + 1))

    def touched(self, path: Path) -> bool:
        """Whether something was cut out at, in or around the place."""
        return path in self._around or self.is_gone(path)

    def written(self, path: Path) -> Path:
        """The path in the file of one in what is left of it: lists may have lost entries."""
        found: list[str | int] = []
        inside: Any = self.data
        for part in path:
            at: str | int = part
            if isinstance(inside, list | tuple) and isinstance(part, int):
                at = _before_cut(inside, part)
            inside = _inside(inside, at)
            found.append(at)
        return tuple(found)

    def placed(self, problem: Problem) -> Problem:
        """A problem of what is left of the data, at its places in the file."""
        related = problem.related and self.written(problem.related)
        return replace(problem, path=self.written(problem.path), related=related)

    def _has(self, path: Path) -> bool:
        inside: Any = self.data
        for part in path:
            inside = _inside(inside, part)
        return inside is not None

    def _cut(self, path: Path) -> None:
        """Cut out a place; one that is not there leaves nothing of what misses it."""
        for length in range(len(path), 0, -1):
            outer, last = path[: length - 1], path[length - 1]
            inside: Any = self.data
            for part in outer:
                inside = _inside(inside, part)
            if _inside(inside, last) is None:
                continue
            self._remember(path[:length])
            if isinstance(inside, list):
                inside[int(last)] = GONE
            else:
                del inside[last]
            return


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _inside(value: Any, part: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(part)
    if isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value):
        return None if value[part] is GONE else value[part]
    return None


def _before_cut(items: "list[Any] | tuple[Any, ...]", position: int) -> int:
    left = [at for at, item in enumerate(items) if item is not GONE]
    return left[position] if position < len(left) else position


def finding_of(path: Path, failure: Any) -> InvalidValue:
    """What a user reads about one error of pydantic."""
    wrong = failure.get("ctx", {}).get("error")
    if isinstance(wrong, InvalidValue):
        return wrong
    return _TYPES.get(failure["type"], _other)(path, failure)


def _wanted(word: str, hint: Callable[[Any], str | None] = lambda _: None) -> _Words:
    def wrong(path: Path, failure: Any) -> InvalidValue:
        del path
        value = failure["input"]
        return InvalidValue(
            "wrong_type", f"{word} belongs here, not {describe(value)}", hint(value)
        )

    return wrong


def _quoted(value: Any) -> str | None:
    return f'write "{str(value).lower()}"' if isinstance(value, int | float) else None


def _unquoted(value: Any) -> str | None:
    plain = isinstance(value, str) and re.fullmatch(r"-?[0-9]+|true|false", value)
    return f"write {value}, without quotes" if plain else None


def _in_brackets(value: Any) -> str | None:
    return f"write [{quote(value)}]" if isinstance(value, str) else None


def _missing(path: Path, failure: Any) -> InvalidValue:
    del failure
    return InvalidValue("missing_key", f"{path[-1]} is missing", f"add {path[-1]} = …", at_key=True)


def _choice(path: Path, failure: Any) -> InvalidValue:
    words = re.findall(r"'([^']*)'", failure["ctx"]["expected"])
    value = failure["input"]
    near = nearest(value, words) if isinstance(value, str) else None
    return InvalidValue(
        "not_a_choice",
        f"{_shown(value)} is no {path[-1]}; there are {one_of(words)}",
        f'did you mean "{near}"?' if near else None,
    )


def _shown(value: object) -> str:
    return quote(value) if isinstance(value, str | int | float) else describe(value)


def _other(path: Path, failure: Any) -> InvalidValue:
    del path
    return InvalidValue("wrong_type", str(failure["msg"]))


_TYPES: Final[Mapping[str, _Words]] = {
    "string_type": _wanted("a string", _quoted),
    "int_type": _wanted("a whole number", _unquoted),
    "float_type": _wanted("a number", _unquoted),
    "bool_type": _wanted("true or false", _unquoted),
    "model_type": _wanted("a table"),
    "mapping_type": _wanted("a table"),
    "dict_type": _wanted("a table"),
    "tuple_type": _wanted("an array", _in_brackets),
    "literal_error": _choice,
    "missing": _missing,
}


def _options(entry: BaseModel, written: dict[str, Any]) -> dict[str, Any]:
    kind = kind_named(getattr(entry, "kind", None))
    maps = {option.key for option in kind.options if isinstance(option, QosMap)} if kind else set()
    return {
        key: {str(start): to for start, to in value} if key in maps else value
        for key, value in written.items()
    }


def as_written(value: Any) -> Any:
    """A topology, or part of one, as the plain data of a file that says the same."""
    if isinstance(value, BaseModel):
        said = {key: getattr(value, key) for key in sorted(value.model_fields_set)}
        fields = {key: as_written(item) for key, item in said.items() if item is not None}
        return _options(value, fields.pop("options", {})) | fields
    if isinstance(value, Mapping):
        return {key: as_written(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [as_written(item) for item in value]
    return value if isinstance(value, str | int | float) else str(value)
