"""How a table of the file is read: which keys it can have, and what is wrong with the others.

Validation goes on past errors, so that a file's problems come all at once.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)

from vlanlink.errors import nearest
from vlanlink.kinds import Kind
from vlanlink.kinds.kind import OptionValue
from vlanlink.topology import options, values
from vlanlink.topology.problems import InvalidValue, as_error, merge_errors, quote


def bool_or_table(model: type[BaseModel]) -> Callable[[object], object]:
    """A validator for what is true, false or a table of details."""

    def check(value: object) -> object:
        if isinstance(value, bool | model):
            return value
        if isinstance(value, Mapping):
            return model.model_validate(value)
        raise InvalidValue(
            "wrong_type", f"true, false or a table belongs here, not {values.describe(value)}"
        )

    return check


class Entry(BaseModel):
    """A table of the file. It finds all its wrong keys at once, and names the nearest known one."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)

    unwritten: ClassVar[frozenset[str]] = frozenset()
    """Fields that no key of a file fills."""

    @classmethod
    def known_keys(cls) -> tuple[str, ...]:
        """The keys that the table can have, whatever its kind."""
        return _fields(cls)

    @classmethod
    def offered_keys(cls) -> tuple[str, ...]:
        """Those of them that a file would have."""
        return cls.known_keys()

    @classmethod
    def sort_out(cls, written: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
        """Split a table into what fills the fields and what is wrong with its keys."""
        wrong = [
            _unknown(key, written[key], cls.offered_keys())
            for key in written.keys() - cls.known_keys()
        ]
        return {key: value for key, value in written.items() if key in cls.known_keys()}, wrong

    @model_validator(mode="wrap")
    @classmethod
    def _gather(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, Mapping):
            return handler(data)
        fields, wrong = cls.sort_out(dict(data))
        try:
            made = handler(fields)
        except ValidationError as error:
            raise merge_errors([*wrong, *error.errors(include_url=False)]) from None
        if wrong:
            raise merge_errors(wrong)
        return made


@cache
def _fields(table: type[Entry]) -> tuple[str, ...]:
    return tuple(key for key in table.model_fields if key not in table.unwritten)


def _unknown(key: str, value: object, known: tuple[str, ...]) -> dict[str, Any]:
    near = nearest(key, known)
    hint = f"did you mean {near}?" if near else f"known here: {', '.join(known)}"
    if key.isdigit() and isinstance(value, Mapping) and "kind" in known:
        near, hint = "kind", f'a name with a dot in it stands in quotes: "eth0.{key}"'
    wrong = InvalidValue("unknown_key", f"unknown key {quote(key)}", hint, at_key=True, meant=near)
    return as_error(key, wrong, value)


class Kinded(Entry):
    """A table whose keys are those of its own and the options of its link kind."""

    unwritten = frozenset({"options"})

    options: Mapping[str, OptionValue] = {}

    @classmethod
    def kind_in(cls, written: Mapping[str, Any]) -> Kind | None:
        """The kind whose options stand in the table; None if it can't be told."""
        return options.kind_named(written.get("kind"))

    @classmethod
    def sort_out(cls, written: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
        """Gather the keys that are no fields under ``options``."""
        fields = {key: value for key, value in written.items() if key in cls.known_keys()}
        rest = {key: value for key, value in written.items() if key not in cls.known_keys()}
        kind = cls.kind_in(written)
        if kind is None:
            return fields, cls.without_kind(rest)
        chosen, wrong = _options(kind, rest, cls.known_keys())
        return fields | {"options": chosen}, wrong

    @classmethod
    def without_kind(cls, rest: Mapping[str, Any]) -> list[Any]:
        """What is wrong with keys that may be options, where the kind is not known."""
        return [
            _unknown(key, value, (*cls.known_keys(), *options.ALL_KEYS))
            for key, value in rest.items()
            if key not in options.ALL_KEYS
        ]


def _options(
    kind: Kind, rest: Mapping[str, Any], known: tuple[str, ...]
) -> tuple[Mapping[str, OptionValue], list[Any]]:
    keys = {option.key for option in kind.options}
    wrong = [
        _unknown(key, value, (*known, *keys)) for key, value in rest.items() if key not in keys
    ]
    try:
        return options.options_of(kind, {key: rest[key] for key in rest.keys() & keys}), wrong
    except ValidationError as error:
        return {}, wrong + error.errors(include_url=False)
