"""How a table of the file is read: what its keys may hold, and what each of them means.

An entry is a frozen dataclass whose fields carry a ``Key``: the form of the value and one line of
help. That declaration is all there is: the reader, the export and the schema are made from it.
Reading goes on past errors, so that all problems of a file come in one run.
"""

import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Protocol, Self, cast

from vlanlink.errors import Path, nearest
from vlanlink.kinds import KINDS, Kind
from vlanlink.kinds import kind as rows
from vlanlink.kinds.kind import OptionValue
from vlanlink.topology import values
from vlanlink.topology.problems import InvalidValue, one_of, quote

if TYPE_CHECKING:
    from vlanlink.topology.salvage import Salvage


class At(NamedTuple):
    """The place of a value: its path in the file, and who collects what is wrong there."""

    path: Path
    salvage: "Salvage"

    @property
    def name(self) -> str:
        """The key that the value stands under; of a list's entry, the list's."""
        return next((part for part in reversed(self.path) if isinstance(part, str)), "topology")

    def inside(self, part: str | int) -> "At":
        """The place of a part of the value."""
        return At((*self.path, part), self.salvage)


class Form(Protocol):
    """What a value may be."""

    def read(self, value: Any, at: At) -> Any:
        """The value as an entry holds it. Raises InvalidValue if nothing of it can be read."""


def wrong_type(wanted: str, value: object, at: At, hint: str | None = None) -> InvalidValue:
    """The refusal of a value that has another type than ``wanted``."""
    inside = bool(at.path) and isinstance(at.path[-1], int)
    subject = f"an entry of {at.name}" if inside else at.name
    message = f"{subject} must be {wanted}, not {values.describe(value)}"
    return InvalidValue("wrong_type", message, hint)


class Text(NamedTuple):
    """A string, or one that ``parse`` takes apart; ``name`` says which."""

    name: str = "a string"
    parse: Callable[[str], Any] = str

    def read(self, value: Any, at: At) -> Any:
        """What ``parse`` makes of a string."""
        if not isinstance(value, str):
            number = isinstance(value, int | float)
            raise wrong_type(
                self.name, value, at, f'write "{str(value).lower()}"' if number else None
            )
        return self.parse(value)


class ParentLink(Text):
    """The name of a link of the host."""

    def read(self, value: Any, at: At) -> Any:
        """The name."""
        if isinstance(value, dict):
            hint = 'write the name of a link of the host, such as "eth0"'
            raise InvalidValue("not_supported", "a parent table is not supported yet", hint)
        return Text.read(self, value, at)


class Integer(NamedTuple):
    """A whole number in a range."""

    minimum: int
    maximum: int

    def read(self, value: Any, at: At) -> int:
        """The number."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_type("a whole number", value, at, _unquoted(value))
        return int(_within(value, self, at))


class Number(NamedTuple):
    """A number in a range, whole or not."""

    minimum: float
    maximum: float

    def read(self, value: Any, at: At) -> float:
        """The number."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong_type("a number", value, at, _unquoted(value))
        return float(_within(value, self, at))


def _within(value: float, form: Integer | Number, at: At) -> float:
    if not form.minimum <= value <= form.maximum:
        raise InvalidValue(
            "out_of_range",
            f"{at.name} = {value} is out of range",
            f"write a number from {form.minimum} to {form.maximum}",
        )
    return value


def _unquoted(value: object) -> str | None:
    plain = isinstance(value, str) and re.fullmatch(r"-?[0-9]+|true|false", value)
    return f"write {value}, without quotes" if plain else None


class Boolean:
    """true or false."""

    def read(self, value: Any, at: At) -> bool:
        """The value."""
        if not isinstance(value, bool):
            raise wrong_type("true or false", value, at, _unquoted(value))
        return value


class Choice(NamedTuple):
    """One of several words."""

    words: tuple[str, ...]

    def read(self, value: Any, at: At) -> str:
        """The word."""
        if value in self.words:
            return str(value)
        near = nearest(value, self.words) if isinstance(value, str) else None
        shown = quote(value) if isinstance(value, str | int | float) else values.describe(value)
        raise InvalidValue(
            "not_a_choice",
            f"{shown} is not a valid {at.name}: choose {one_of(self.words)}",
            f'did you mean "{near}"?' if near else None,
        )


class Array(NamedTuple):
    """A list of values of one form."""

    item: Form

    def read(self, value: Any, at: At) -> tuple[Any, ...]:
        """The entries that can be read; the others are refused one by one."""
        if not isinstance(value, list):
            raise wrong_type("an array", value, at, self._in_brackets(value, at))
        return at.salvage.entries(self.item, value, at)

    def _in_brackets(self, value: Any, at: At) -> str | None:
        if not isinstance(value, str):
            return None
        self.item.read(value, at)
        return f"write [{quote(value)}]"


class Macs:
    """A set of MAC addresses."""

    def read(self, value: Any, at: At) -> tuple[str, ...]:
        """Each once, sorted."""
        return tuple(sorted(set(Array(Text("a MAC address", values.mac)).read(value, at))))


class Table(NamedTuple):
    """A table with keys of its own."""

    entry: "type[Entry]"

    def read(self, value: Any, at: At) -> "Entry":
        """The entry."""
        return self.entry.read(value, at)


class Switch(NamedTuple):
    """true, false, or a table of details."""

    entry: "type[Entry]"

    def read(self, value: Any, at: At) -> "bool | Entry":
        """The value, or the entry."""
        if isinstance(value, bool):
            return value
        if isinstance(value, dict):
            return self.entry.read(value, at)
        raise wrong_type("true, false or a table", value, at, _unquoted(value))


class ByName(NamedTuple):
    """A table whose keys are names that the user chooses."""

    item: Form

    def read(self, value: Any, at: At) -> dict[str, Any]:
        """The entries that can be read, by name."""
        return at.salvage.named_entries(self.item, as_table(value, at), at)


class SysctlValue:
    """A sysctl's value as the kernel's file takes it."""

    def read(self, value: Any, at: At) -> str:
        """The text to write."""
        if isinstance(value, bool | int):
            return str(int(value))
        if not isinstance(value, str):
            quoted = 'quote a key that has dots in it: "net.ipv4.ip_forward"'
            raise wrong_type(
                "a whole number, a string or a boolean",
                value,
                at,
                quoted if isinstance(value, dict) else None,
            )
        if not value.replace("\t", " ").isprintable():
            raise InvalidValue("wrong_type", f"{quote(value)} is not one line of plain text")
        return value


class QosPairs(NamedTuple):
    """A table of priorities, from = to."""

    maximum_from: int
    maximum_to: int

    def read(self, value: Any, at: At) -> tuple[tuple[int, int], ...]:
        """The pairs, sorted."""
        if not isinstance(value, dict):
            raise wrong_type("a table", value, at, f'write {at.name} = {{ "0" = 1 }}, from = to')
        return tuple(sorted(self._pair(key, to, at) for key, to in value.items()))

    def _pair(self, key: str, to: Any, at: At) -> tuple[int, int]:
        start = int(key[:20]) if key.isascii() and key.isdigit() else -1
        if start > self.maximum_from or start < 0:
            raise self._wrong(key, at)
        if type(to) is not int or not 0 <= to <= self.maximum_to:
            raise self._wrong(to, at)
        return start, to

    def _wrong(self, value: object, at: At) -> InvalidValue:
        return InvalidValue(
            "qos_map",
            f"{quote(value)} is not a valid priority in {at.name}",
            f"write from = to, from 0 to {self.maximum_from} and 0 to {self.maximum_to}",
        )


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


def keys_of(entry: type[Any]) -> Mapping[str, Row]:
    """The keys of a table, whatever its kind."""
    return _keys_of(cast("Hashable", entry))


@cache
def _keys_of(entry: Any) -> Mapping[str, Row]:
    return {row.name: row for row in map(_row, fields(entry)) if row is not None}


def _row(one: Any) -> Row | None:
    notes = getattr(one.type, "__metadata__", ())
    key = next((note for note in notes if isinstance(note, Key)), None)
    if key is None:
        return None
    default = one.default if one.default_factory is MISSING else one.default_factory()
    return Row(one.name, key.form, key.help, default is MISSING, default)


def as_table(value: Any, at: At) -> dict[str, Any]:
    """The value, if it is a table."""
    if not isinstance(value, dict):
        raise wrong_type("a table", value, at)
    return value


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A table of the file."""

    planned: ClassVar[Mapping[str, str]] = {}
    """Keys of the format that don't work yet, and what to write instead."""

    @classmethod
    def rows(cls, written: Mapping[str, Any]) -> Mapping[str, Row]:
        """The keys that such a table can have."""
        del written
        return keys_of(cls)

    @classmethod
    def offered(cls, known: Mapping[str, Row], written: Mapping[str, Any]) -> tuple[str, ...]:
        """The keys that a hint about an unknown one may name."""
        del written
        return tuple(known)

    @classmethod
    def refusal(cls, key: str, written: Mapping[str, Any]) -> InvalidValue | None:
        """What a table says about a key that it knows and can't have here."""
        del written
        if key not in cls.planned:
            return None
        hint = cls.planned[key] or f"leave {key} out"
        return InvalidValue("not_supported", f"{key} is not supported yet", hint, at_key=True)

    @classmethod
    def prepared(cls, written: dict[str, Any]) -> dict[str, Any]:
        """The table, with what one value means for another put right."""
        return written

    @classmethod
    def made(cls, found: dict[str, Any]) -> Self:
        """The entry, of the values that could be read."""
        return cls(**found)

    @classmethod
    def read(cls, value: Any, at: At) -> Self:
        """Read a table. Raises InvalidValue if a required key is missing or unreadable."""
        written = cls.prepared(as_table(value, at))
        known = cls.rows(written)
        for key in written:
            if key not in known:
                at.salvage.refuse((*at.path, key), cls._unknown(key, written, known))
        return cls.made(at.salvage.values(known, written, at))

    @classmethod
    def _unknown(
        cls, key: str, written: Mapping[str, Any], known: Mapping[str, Row]
    ) -> InvalidValue:
        refusal = cls.refusal(key, written)
        if refusal is not None:
            return refusal
        return unknown_key(key, written[key], cls.offered(known, written))


def unknown_key(key: str, value: object, known: tuple[str, ...]) -> InvalidValue:
    """The refusal of an unknown key, with the known one that was meant."""
    near = nearest(key, known)
    hint = f"did you mean {near}?" if near else f"known keys: {', '.join(known)}"
    if key.isdigit() and isinstance(value, dict) and "kind" in known:
        near, hint = "kind", f'quote a name that has a dot in it: "eth0.{key}"'
    return InvalidValue("unknown_key", f"unknown key {quote(key)}", hint, at_key=True, meant=near)


def kind_named(name: object) -> Kind | None:
    """The kind of that name; None if there is none."""
    return KINDS.get(name) if isinstance(name, str) else None


@cache
def option_rows(kind: str) -> Mapping[str, Row]:
    """The options of a kind as keys of a table."""
    return {
        option.key: Row(option.key, form_of(option), option.help, option.required)
        for option in KINDS[kind].options
    }


def form_of(option: rows.Option) -> Form:
    """What a value of an option may be."""
    match option:
        case rows.Number():
            return Integer(option.minimum, option.maximum)
        case rows.Choice():
            return Choice(tuple(option.choices))
        case rows.Flag() | rows.InterfaceFlag():
            return Boolean()
        case rows.Mac():
            return Text("a MAC address", values.mac)
        case rows.Names():
            return Array(Text())
        case rows.QosMap():
            return QosPairs(option.maximum_from, option.maximum_to)
        case rows.MacList():
            return Macs()
    raise TypeError(option)


ALL_OPTIONS: Final = tuple(
    dict.fromkeys(option.key for kind in KINDS.values() for option in kind.options)
)
"""The options of all kinds, for tables whose kind is unknown."""


@dataclass(frozen=True, kw_only=True)
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
        return {**keys_of(cls), **(option_rows(kind.name) if kind else {})}

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
        own = {key: value for key, value in found.items() if key in keys_of(cls)}
        kind = cls.kind_in(found)
        if kind is None:
            return cls(**own)
        options: dict[str, OptionValue] = {
            one.key: one.default for one in kind.options if one.always and one.default is not None
        }
        options |= {key: value for key, value in found.items() if key not in own}
        return cls(**own, options=options)
