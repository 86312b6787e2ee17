"""The tables of the file: which keys each of them has, and what each key means.

An entry is a frozen dataclass whose fields carry a ``Key``: the form of the value and one line of
help. That declaration is all there is: the reader, the export and the schema are made from it.
Reading goes on past errors, so that all problems of a file come in one run.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Final, NamedTuple, Self, TypeVar, cast, dataclass_transform

from vlanlink.dataclass import MISSING, dataclass, field, fields
from vlanlink.kinds import KINDS, Kind
from vlanlink.kinds.kind import OptionValue
from vlanlink.topology import habits, toml
from vlanlink.topology.forms import At, Form, form_of, read_parts
from vlanlink.topology.problems import InvalidValue, quote
from vlanlink.topology.salvage import Lost


class Key(NamedTuple):
    """The annotation of a field that a key of the file fills."""

    form: Form
    help: str


class Row(NamedTuple):
    """All that is known of a key of the file."""

    name: str
    form: Form
    help: str = ""
    required: bool = False
    default: Any = None


def _row(one: Any) -> Row | None:
    notes = getattr(one.type, "__metadata__", ())
    key = next((note for note in notes if isinstance(note, Key)), None)
    if key is None:
        return None
    default = _default(one)
    return Row(one.name, key.form, key.help, default is MISSING, default)


_T = TypeVar("_T")


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field,))
def entry(table: type[_T]) -> type[_T]:
    """Make a table a frozen dataclass that knows its keys."""
    made: Any = dataclass(frozen=True, kw_only=True, repr=False)(table)
    made._keys = {row.name: row for row in map(_row, fields(made)) if row is not None}
    return table


def _default(of: Any) -> Any:
    return of.default if of.default_factory is MISSING else of.default_factory()


@entry
class Entry:
    """A table of the file: a frozen dataclass."""

    _keys = cast("Mapping[str, Row]", {})
    """Without an annotation: those are the fields."""

    def __repr__(self) -> str:
        """The fields that differ from their defaults."""
        shown = [
            f"{one.name}={getattr(self, one.name)!r}"
            for one in fields(self)
            if one.repr and getattr(self, one.name) != _default(one)
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    elsewhere: ClassVar[Mapping[str, str]] = {}
    """Keys that people expect here, and where they belong."""

    @classmethod
    def rows(cls, written: Mapping[str, Any]) -> Mapping[str, Row]:
        """The keys that such a table can have."""
        del written
        return cls._keys

    @classmethod
    def offered(cls, known: Mapping[str, Row], written: Mapping[str, Any]) -> tuple[str, ...]:
        """The keys that a hint about an unknown one may name."""
        del written
        return tuple(known)

    @classmethod
    def refusal(cls, key: str, written: Mapping[str, Any], at: At) -> InvalidValue | None:
        """What a table says about a key that it knows and can't have here."""
        del written, at
        if key in cls.elsewhere:
            hint = cls.elsewhere[key]
            return InvalidValue("unknown_key", f"unknown key {quote(key)}", hint, at_key=True)
        return None

    @classmethod
    def prepared(cls, written: dict[str, Any]) -> dict[str, Any]:
        """The table, with what one value means for another put right."""
        return written

    @classmethod
    def meant(cls, text: str) -> dict[str, Any] | None:
        """The table that a string stands for."""
        del text
        return None

    @classmethod
    def made(cls, found: dict[str, Any]) -> Self:
        """The entry, of the values that could be read."""
        return cls(**found)

    @classmethod
    def read(cls, value: dict[str, Any], at: At) -> Self:
        """Read a table. Raises InvalidValue if a required key is missing or unreadable."""
        written = cls.prepared(value)
        known = cls.rows(written)
        for key in written:
            if key not in known:
                at.salvage.refuse((*at.path, key), cls._unknown(key, written, known, at))
        for name, row in known.items():
            if row.required and name not in written:
                wrong = InvalidValue(
                    "missing_key", f"{name} is missing", f"add {name} = …", at_key=True
                )
                at.salvage.refuse((*at.path, name), wrong)
        parts = {name: (row.form, written[name]) for name, row in known.items() if name in written}
        found = read_parts(parts, at)
        if any(row.required and name not in found for name, row in known.items()):
            raise Lost
        return cls.made(found)

    @classmethod
    def _unknown(
        cls, key: str, written: Mapping[str, Any], known: Mapping[str, Row], at: At
    ) -> InvalidValue:
        refusal = cls.refusal(key, written, at)
        if refusal is not None:
            return refusal
        return unknown_key(key, written[key], cls.offered(known, written), at)


def keys_of(table: type[Entry]) -> Mapping[str, Row]:
    """The keys of a table, whatever its kind."""
    return table._keys


_TELLING: Final = frozenset({"kind", "parent", "network"})
"""Keys of networks, links and interfaces that no other table has."""


def unknown_key(key: str, value: object, known: tuple[str, ...], at: At) -> InvalidValue:
    """The refusal of an unknown key, with the known one that was meant."""
    near = habits.meant_key(key, known)
    hint = f"did you mean {near}?" if near else f"known keys: {', '.join(known)}"
    is_part = isinstance(value, dict) and (key.isdigit() or (not near and set(value) & _TELLING))
    if is_part and "kind" in known:
        near, name = "kind", f"{at.name}.{key}"
        hint = f"quote a name that has a dot in it: [{toml.dotted((*at.path[:-1], name))}]"
    return InvalidValue("unknown_key", f"unknown key {quote(key)}", hint, at_key=True, meant=near)


def kind_named(name: object) -> Kind | None:
    """The kind of that name; None if there is none."""
    return KINDS.get(name) if isinstance(name, str) else None


@cache
def option_rows(kind: str) -> Mapping[str, Row]:
    """The options of a kind as keys of a table."""
    return {
        option.key: Row(option.key, form_of(option), option.help, option.required, option.default)
        for option in KINDS[kind].options
    }


ALL_OPTIONS: Final = tuple(
    dict.fromkeys(option.key for kind in KINDS.values() for option in kind.options)
)
"""The options of all kinds, for tables whose kind is unknown."""


@entry
class Kinded(Entry):
    """A table whose keys are its own and the options of its link kind."""

    options: Mapping[str, OptionValue] = field(default_factory=dict)

    @classmethod
    def kind_in(cls, written: Mapping[str, Any]) -> Kind | None:
        """The kind whose options the table has; None if unknown."""
        return kind_named(written.get("kind"))

    @classmethod
    def rows(cls, written: Mapping[str, Any]) -> Mapping[str, Row]:
        """Its own keys and the options of its kind."""
        kind = cls.kind_in(written)
        return {**cls._keys, **(option_rows(kind.name) if kind else {})}

    @classmethod
    def prepared(cls, written: dict[str, Any]) -> dict[str, Any]:
        """Without what may be an option, where the kind is unknown."""
        if cls.kind_in(written) is not None:
            return written
        return {key: value for key, value in written.items() if key not in ALL_OPTIONS}

    @classmethod
    def offered(cls, known: Mapping[str, Row], written: Mapping[str, Any]) -> tuple[str, ...]:
        """The options of all kinds too, where the kind is unknown."""
        return tuple(known) if cls.kind_in(written) else (*known, *ALL_OPTIONS)

    @classmethod
    def made(cls, found: dict[str, Any]) -> Self:
        """Collect the options under ``options``, with those that are always sent."""
        own = {key: value for key, value in found.items() if key in cls._keys}
        kind = cls.kind_in(found)
        if kind is None:
            return cls(**own)
        options: dict[str, OptionValue] = {
            one.key: one.default for one in kind.options if one.always and one.default is not None
        }
        options |= {key: value for key, value in found.items() if key not in own}
        return cls(**own, options=options)
