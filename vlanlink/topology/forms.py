"""Forms of values: each reads the value of a key, and guesses what a wrong value was meant to be.

``read`` takes any TOML value. A mistake is raised, or collected by the salvage if the rest of the
value can still be read.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol

from vlanlink.dataclass import dataclass
from vlanlink.errors import Path
from vlanlink.kinds import kind as rows
from vlanlink.topology import habits, toml, values
from vlanlink.topology.problems import InvalidValue, one_of, quote
from vlanlink.topology.salvage import Salvage


class At(NamedTuple):
    """The place of a value: its path in the file, and who collects what is wrong there."""

    path: Path
    salvage: Salvage

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

    def meant(self, value: Any) -> Any:
        """The value of this form that was meant by one of another; None if that can't be told."""


class Readable(Protocol):
    """A class of entries, which its table can read."""

    def read(self, value: dict[str, Any], at: At) -> Any:
        """The entry of a table."""

    def meant(self, text: str) -> dict[str, Any] | None:
        """The table that a string stands for."""


def read_parts(parts: Mapping[Any, tuple[Form, Any]], at: At) -> dict[Any, Any]:
    """The parts of a value that can be read; the others are refused one by one."""
    found: dict[Any, Any] = {}
    for part, (form, value) in parts.items():
        here = at.inside(part)
        try:
            found[part] = form.read(value, here)
        except InvalidValue as wrong:
            at.salvage.refuse(here.path, wrong)
    return found


def wrong_type(wanted: str, value: object, at: At, form: Form) -> InvalidValue:
    """The refusal of a value that has another type than ``wanted``."""
    inside = bool(at.path) and isinstance(at.path[-1], int)
    subject = f"an entry of {at.name}" if inside else at.name
    message = f"{subject} must be {wanted}, not {values.describe(value)}"
    meant = form.meant(value)
    hint = None if meant is None else f"write {toml.value(meant)}"
    return InvalidValue("wrong_type", message, hint if hint and len(hint) < _LONGEST else None)


_LONGEST: Final = 120


@dataclass(frozen=True)
class Text:
    """A string, or one that ``parse`` takes apart; ``name`` says which."""

    name: str = "a string"
    parse: Callable[[str], Any] = str

    def read(self, value: Any, at: At) -> Any:
        """What ``parse`` makes of a string."""
        if not isinstance(value, str):
            raise wrong_type(self.name, value, at, self)
        return self.parse(value)

    def meant(self, value: Any) -> str | None:
        """A number in quotes; the only entry of an array."""
        if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
            return value[0]
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        return str(value) if plain or values.is_time(value) else None


@dataclass(frozen=True)
class Integer:
    """A whole number in a range."""

    minimum: int
    maximum: int

    def read(self, value: Any, at: At) -> int:
        """The number."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_type("a whole number", value, at, self)
        return int(_within(value, self.minimum, self.maximum, at))

    def meant(self, value: Any) -> int | None:
        """The number in a string."""
        return habits.as_integer(value)


@dataclass(frozen=True)
class Number:
    """A number in a range, whole or not."""

    minimum: float
    maximum: float

    def read(self, value: Any, at: At) -> float:
        """The number."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong_type("a number", value, at, self)
        return float(_within(value, self.minimum, self.maximum, at))

    def meant(self, value: Any) -> float | None:
        """The number in a string."""
        return habits.as_number(value)


def _within(value: float, minimum: float, maximum: float, at: At) -> float:
    if not minimum <= value <= maximum:
        hint = f"write a number from {minimum} to {maximum}"
        raise InvalidValue("out_of_range", f"{at.name} = {value} is out of range", hint)
    return value


class Boolean:
    """true or false."""

    def read(self, value: Any, at: At) -> bool:
        """The value."""
        if not isinstance(value, bool):
            raise wrong_type("true or false", value, at, self)
        return value

    def meant(self, value: Any) -> bool | None:
        """What ``"yes"`` and its like mean."""
        return habits.as_boolean(value)


@dataclass(frozen=True)
class Choice:
    """One of several words."""

    words: tuple[str, ...]

    def read(self, value: Any, at: At) -> str:
        """The word."""
        if value in self.words:
            return str(value)
        shown = quote(value) if isinstance(value, str | int | float) else values.describe(value)
        meant = self.meant(value)
        raise InvalidValue(
            "not_a_choice",
            f"{shown} is not a valid {at.name}: choose {one_of(self.words)}",
            f'did you mean "{meant}"?' if meant else None,
        )

    def meant(self, value: Any) -> str | None:
        """The word that is spelled like it or means the same elsewhere."""
        return habits.meant_word(value, self.words) if isinstance(value, str | bool) else None


@dataclass(frozen=True)
class KindName:
    """The name of a link kind."""

    words: tuple[str, ...]
    parse: Callable[[str], str]

    def read(self, value: Any, at: At) -> Any:
        """The name."""
        return Text("a string", self.parse).read(value, at)

    def meant(self, value: Any) -> str | None:
        """The only entry of an array."""
        return Text().meant(value)


@dataclass(frozen=True)
class Array:
    """A list of values of one form."""

    item: Form

    def read(self, value: Any, at: At) -> tuple[Any, ...]:
        """The entries that can be read; the others are refused one by one."""
        if isinstance(value, list):
            found = read_parts({i: (self.item, one) for i, one in enumerate(value)}, at)
            if len(found) < len(value):
                at.salvage.keep(at.path, list(found))
            return tuple(found.values())
        if isinstance(value, str) and isinstance(self.item, Text) and "," not in value:
            self.item.read(value, at)
        raise wrong_type("an array", value, at, self)

    def meant(self, value: Any) -> list[Any] | None:
        """The only entry in brackets; several from one string."""
        if isinstance(value, dict):
            return [value] if value and isinstance(self.item, Table) else None
        if not isinstance(value, str):
            return None
        if isinstance(self.item, Text):
            return habits.as_list(value)
        meant = self.item.meant(value)
        return None if meant is None else [meant]


class Macs:
    """A set of MAC addresses."""

    def read(self, value: Any, at: At) -> tuple[str, ...]:
        """Each once, sorted."""
        return tuple(sorted(set(_MACS.read(value, at))))

    def meant(self, value: Any) -> list[Any] | None:
        """As of any array."""
        return _MACS.meant(value)


_MACS: Final = Array(Text("a MAC address", values.mac))


@dataclass(frozen=True)
class Table:
    """A table with keys of its own."""

    entry: Readable

    def read(self, value: Any, at: At) -> Any:
        """The entry."""
        if not isinstance(value, dict):
            raise self._not_a_table(value, at)
        return self.entry.read(value, at)

    def _not_a_table(self, value: Any, at: At) -> InvalidValue:
        wrong = wrong_type("a table", value, at, self)
        if isinstance(value, list) and value and isinstance(value[0], dict):
            header = toml.dotted(at.path)
            wrong.hint = f"write [{header}] instead of [[{header}]]"
        return wrong

    def meant(self, value: Any) -> dict[str, Any] | None:
        """The table whose main value it is."""
        return self.entry.meant(value) if isinstance(value, str) else None


@dataclass(frozen=True)
class Switch:
    """true, false, or a table of details."""

    entry: Readable

    def read(self, value: Any, at: At) -> Any:
        """The value, or the entry."""
        if isinstance(value, bool):
            return value
        if isinstance(value, dict):
            return self.entry.read(value, at)
        raise wrong_type("true, false or a table", value, at, self)

    def meant(self, value: Any) -> bool | None:
        """What ``"yes"`` and its like mean; an address asks for what it belongs to."""
        address = isinstance(value, str) and values.repaired(value) is not None
        return True if address else habits.as_boolean(value)


@dataclass(frozen=True)
class ByName:
    """A table whose keys are names that the user chooses."""

    item: Form

    def read(self, value: Any, at: At) -> dict[str, Any]:
        """The entries that can be read, by name."""
        if not isinstance(value, dict):
            raise self._not_a_table(value, at)
        return read_parts({name: (self.item, one) for name, one in value.items()}, at)

    def _not_a_table(self, value: Any, at: At) -> InvalidValue:
        wrong = wrong_type("a table", value, at, self)
        if not isinstance(self.item, Table):
            return wrong
        one = value[0] if isinstance(value, list) and value else value
        name = one.get("name") if isinstance(one, dict) else one
        header = toml.dotted((*at.path, name if isinstance(name, str) and name else "NAME"))
        wrong.hint = f"write [{header}] and its keys below it"
        if isinstance(one, dict):
            wrong.hint = f"write [{header}] instead of [[{toml.dotted(at.path)}]]"
        return wrong

    def meant(self, value: Any) -> dict[str, Any] | None:
        """The table of a list: ``"name = value"`` each, or names made up."""
        if not isinstance(value, list) or isinstance(self.item, Table) or not value:
            return None
        pairs = [str(one).partition("=") for one in value]
        if all(sign for _, sign, _ in pairs):
            return {name.strip(): _plain(word.strip()) for name, _, word in pairs}
        return {f"host{at}": one for at, one in enumerate(value, 1)}


def _plain(word: str) -> int | str:
    return int(word) if word.isascii() and word.isdigit() else word


@dataclass(frozen=True)
class SwitchByName:
    """true, false, or a table whose keys are names that the user chooses."""

    item: Form

    def read(self, value: Any, at: At) -> bool | dict[str, Any]:
        """The value, or the entries by name."""
        if isinstance(value, bool):
            return value
        if isinstance(value, dict):
            return ByName(self.item).read(value, at)
        raise wrong_type("true, false or a table", value, at, self)

    def meant(self, value: Any) -> bool | dict[str, Any] | None:
        """What ``"yes"`` and its like mean; the table of a list of pairs."""
        if isinstance(value, list):
            return ByName(self.item).meant(value)
        return habits.as_boolean(value)


@dataclass(frozen=True)
class QosPairs:
    """A table of priorities, from = to."""

    maximum_from: int
    maximum_to: int

    def read(self, value: Any, at: At) -> tuple[tuple[int, int], ...]:
        """The pairs, sorted."""
        if not isinstance(value, dict):
            raise wrong_type("a table from = to", value, at, self)
        return tuple(sorted(self._pair(key, to, at) for key, to in value.items()))

    def meant(self, value: Any) -> dict[str, int] | None:
        """The pairs of ``["0:1"]``; else an example."""
        written = habits.as_list(value) if isinstance(value, str) else value
        return (habits.as_pairs(written) if isinstance(written, list) else None) or {"0": 1}

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


def form_of(option: rows.Option) -> Form:
    """The form of a kind's option."""
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
