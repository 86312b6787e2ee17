"""``dataclass`` as of the standard library, created in a third of the time.

Until Python 3.13 a dataclass compiles each of its methods on its own. For the hundred classes of a
run that was a third of its start. Here one compiles ``__init__`` and shares the others.
"""

import dataclasses
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Never

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - exported
else:

    def dataclass(cls=None, /, *, frozen=False, init=True, eq=True, **settings):
        """As ``dataclasses.dataclass``; InitVar is unknown."""

        def made(cls):
            if not (init and eq):
                return dataclasses.dataclass(cls, frozen=frozen, init=init, eq=eq, **settings)
            shared = _FROZEN if frozen else _MUTABLE
            for name in shared.keys() - vars(cls).keys():
                setattr(cls, name, shared[name])
            cls = dataclasses.dataclass(cls, init=False, repr=False, eq=False, **settings)
            cls.__init__ = _init(cls, frozen)
            cls._compared = _compared(cls)
            return cls

        return made if cls is None else made(cls)


def _init(cls: type[Any], frozen: bool) -> Callable[..., None]:
    """Compile ``__init__``: the fields by position, those of ``kw_only`` by name."""
    fields = [field for field in dataclasses.fields(cls) if field.init]
    by_name = [field for field in fields if field.kw_only]
    parameters = [_parameter(field) for field in fields if not field.kw_only]
    if by_name:
        parameters += ["*", *map(_parameter, by_name)]
    form = "_set(self, {!r}, {})" if frozen else "self.{} = {}"
    lines = [form.format(field.name, _value(field)) for field in dataclasses.fields(cls)]
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    body = "\n  ".join(lines or ["pass"])
    names: dict[str, Any] = {"_set": object.__setattr__, "_new": _new}
    for field in dataclasses.fields(cls):
        names[f"_default_{field.name}"] = field.default
        names[f"_factory_{field.name}"] = field.default_factory
    exec(f"def __init__({', '.join(['self', *parameters])}):\n  {body}", names)
    made: Callable[..., None] = names["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


_new = object()
"""The default of a parameter whose field has a factory."""


def _parameter(field: "dataclasses.Field[Any]") -> str:
    if field.default is not dataclasses.MISSING:
        return f"{field.name}=_default_{field.name}"
    if field.default_factory is not dataclasses.MISSING:
        return f"{field.name}=_new"
    return field.name


def _value(field: "dataclasses.Field[Any]") -> str:
    name = field.name
    if field.default_factory is not dataclasses.MISSING:
        made = f"_factory_{name}()"
        return f"{made} if {name} is _new else {name}" if field.init else made
    return name if field.init else f"_default_{name}"


def _compared(cls: type[Any]) -> Callable[[Any], object]:
    """What equality and hash look at."""
    names = [field.name for field in dataclasses.fields(cls) if field.compare]
    return attrgetter(*names) if names else type  # a function would be bound as a method


def _eq(self: Any, other: Any) -> Any:
    if type(self) is not type(other):
        return NotImplemented
    return self._compared(self) == other._compared(other)


def _hash(self: Any) -> int:
    return hash(self._compared(self))


def _repr(self: Any) -> str:
    shown = (field.name for field in dataclasses.fields(self) if field.repr)
    values = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
    return f"{type(self).__qualname__}({values})"


def _setattr(_self: Any, name: str, _value: object) -> Never:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(_self: Any, name: str) -> Never:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _setstate(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


_MUTABLE: Mapping[str, Any] = {"__eq__": _eq, "__hash__": None, "__repr__": _repr}
_FROZEN = {
    **_MUTABLE,
    "__hash__": _hash,
    "__setattr__": _setattr,
    "__delattr__": _delattr,
    "__getstate__": _getstate,
    "__setstate__": _setstate,
}
