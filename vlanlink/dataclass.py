"""``dataclass``, ``field``, ``fields`` and ``replace`` as of the standard library, quicker to make.

Importing ``dataclasses`` takes three times as long as ``python -c pass`` does after its start, and
making a class compiles each of its methods. Here a class compiles ``__init__`` alone, when many
instances are made: of the hundred classes that ``plan`` imports, most have few or none.
"""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Never

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - exported, as are the others
    from dataclasses import field as field  # noqa: PLC0414
    from dataclasses import fields as fields  # noqa: PLC0414
    from dataclasses import replace as replace  # noqa: PLC0414

MISSING: Any = object()
"""The default of a field that has none."""
_NEW: Any = object()
"""The default of a parameter whose field has a factory."""
FEW = 30
"""So many instances of a class are made sooner than its ``__init__`` is compiled."""


class _Field:
    """A field: the arguments of ``field``, its name and its type."""

    __slots__ = ("compare", "default", "default_factory", "init", "kw_only", "name", "repr", "type")

    def __init__(self, default: Any, default_factory: Any, init: bool, compare: bool) -> None:
        self.default = default
        self.default_factory = default_factory
        self.init = init
        self.compare = compare
        self.repr = True
        self.kw_only: bool | None = None
        self.name = ""
        self.type: Any = None


def _field(
    *,
    default: Any = MISSING,
    default_factory: Any = MISSING,
    init: bool = True,
    repr: bool = True,  # noqa: A002 - as in the standard library
    compare: bool = True,
    kw_only: bool | None = None,
) -> _Field:
    made = _Field(default, default_factory, init, compare)
    made.repr, made.kw_only = repr, kw_only
    return made


def _dataclass(
    cls: Any = None,
    /,
    *,
    frozen: bool = False,
    slots: bool = False,
    init: bool = True,
    repr: bool = True,  # noqa: A002
    eq: bool = True,
    kw_only: bool = False,
) -> Any:
    """As ``dataclasses.dataclass``; InitVar is unknown."""

    def made(cls: Any) -> Any:
        own = _own_fields(cls, kw_only)
        inherited: dict[str, _Field] = {}
        for base in reversed(cls.__bases__):
            inherited |= getattr(base, "_fields", {})
        methods = {**(_FROZEN if frozen else {}), **(_EQUALITY if eq else {})}
        if eq:
            methods["__hash__"] = _hash if frozen else None
        if repr:
            methods["__repr__"] = _repr
        for name in methods.keys() - vars(cls).keys():
            setattr(cls, name, methods[name])
        if slots:
            cls = _with_slots(cls, own, inherited)
        cls._fields = inherited | own
        cls._compared = _compared(cls)
        by_place = [one.name for one in _parameters(cls) if not one.kw_only]
        setattr(cls, "__match_args__", tuple(by_place))  # noqa: B010 - mypy knows it as final
        cls.__dataclass_fields__ = _AsDataclass()
        cls.__dataclass_params__ = _Settings(init=init, repr=repr, eq=eq, frozen=frozen)
        if init and "__init__" not in vars(cls):
            cls.__init__ = _first_init(cls, frozen)
        return cls

    return made if cls is None else made(cls)


def _own_fields(cls: Any, kw_only: bool) -> dict[str, _Field]:
    """The annotated fields; the class keeps their defaults."""
    found = {}
    for name, annotation in cls.__annotations__.items():
        if annotation is ClassVar or getattr(annotation, "__origin__", None) is ClassVar:
            continue
        default = vars(cls).get(name, MISSING)
        if type(default).__hash__ is None:
            raise ValueError(f"{cls.__name__}.{name}: a mutable default needs default_factory")
        one = default if isinstance(default, _Field) else _field(default=default)
        one.name, one.type = name, annotation
        one.kw_only = kw_only if one.kw_only is None else one.kw_only
        if one.default is not MISSING:
            setattr(cls, name, one.default)
        elif default is one:
            delattr(cls, name)
        found[name] = one
    return found


def _with_slots(cls: Any, own: Mapping[str, _Field], inherited: Mapping[str, _Field]) -> Any:
    """The class made again: slots can't be added to one that exists."""
    body = {name: value for name, value in vars(cls).items() if name not in own}
    body.pop("__dict__", None)
    body.pop("__weakref__", None)
    body["__slots__"] = tuple(name for name in own if name not in inherited)
    made = type(cls)(cls.__name__, cls.__bases__, body)
    made.__qualname__ = cls.__qualname__
    return made


def _first_init(cls: Any, frozen: bool) -> Callable[..., None]:
    """The ``__init__`` of the first instances. What it can't serve goes to the compiled one."""
    fields = cls._fields.values()
    by_place = [one.name for one in fields if one.init and not one.kw_only]
    known = {one.name for one in fields if one.init}
    defaults = {one.name: one.default for one in fields if one.default is not MISSING}
    made = [one for one in fields if one.default_factory is not MISSING]
    needed = known - defaults.keys() - {one.name for one in made}
    put = object.__setattr__
    instances = 0

    def __init__(self: Any, *values: Any, **named: Any) -> None:  # noqa: N807
        nonlocal instances
        instances += 1
        given = dict(zip(by_place, values)) | named if values else named  # noqa: B905 - slower
        fits = needed <= given.keys() <= known and len(given) == len(values) + len(named)
        if not fits or instances > FEW:
            cls.__init__ = _init(cls, frozen)
            cls.__init__(self, *values, **named)
            return
        for name, value in (defaults | given).items():
            put(self, name, value)
        for one in made:
            if one.name not in given:
                put(self, one.name, one.default_factory())
        if hasattr(cls, "__post_init__"):
            self.__post_init__()

    return __init__


def _init(cls: Any, frozen: bool) -> Callable[..., None]:
    """Compile ``__init__``: the fields by position, those of ``kw_only`` by name."""
    by_place = [_parameter(one) for one in _parameters(cls) if not one.kw_only]
    by_name = [_parameter(one) for one in _parameters(cls) if one.kw_only]
    parameters = ["self", *by_place, *(["*"] if by_name else []), *by_name]
    form = "_set(self, {!r}, {})" if frozen else "self.{} = {}"
    lines = [form.format(name, _value(one)) for name, one in cls._fields.items()]
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    names: dict[str, Any] = {"_set": object.__setattr__, "_NEW": _NEW}
    for name, one in cls._fields.items():
        names[f"_default_{name}"] = one.default
        names[f"_factory_{name}"] = one.default_factory
    body = "\n  ".join(lines or ["pass"])
    exec(f"def __init__({', '.join(parameters)}):\n  {body}", names)
    made: Callable[..., None] = names["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


def _parameters(cls: Any) -> list[_Field]:
    return [one for one in cls._fields.values() if one.init]


def _parameter(one: _Field) -> str:
    if one.default is not MISSING:
        return f"{one.name}=_default_{one.name}"
    return one.name if one.default_factory is MISSING else f"{one.name}=_NEW"


def _value(one: _Field) -> str:
    name = one.name
    if one.default_factory is not MISSING:
        made = f"_factory_{name}()"
        return f"{made} if {name} is _NEW else {name}" if one.init else made
    return name if one.init else f"_default_{name}"


def _compared(cls: Any) -> Callable[[Any], object]:
    """What equality and hash look at."""
    names = [name for name, one in cls._fields.items() if one.compare]
    return attrgetter(*names) if names else type  # a function would be bound as a method


def _fields(of: Any) -> tuple[_Field, ...]:
    """The fields of a class or an instance."""
    return tuple(of._fields.values())


def _replace(value: Any, /, **changes: Any) -> Any:
    """A copy with ``changes``."""
    for name, one in value._fields.items():
        if one.init and name not in changes:
            changes[name] = getattr(value, name)
    return type(value)(**changes)


class _AsDataclass:
    """``__dataclass_fields__``: what ``dataclasses.fields`` and the like need of a class."""

    def __get__(self, _value: object, cls: Any) -> Any:
        import dataclasses

        rows = [(one.name, one.type, _as_field(one)) for one in _fields(cls)]
        made: Any = dataclasses.make_dataclass(cls.__name__, rows)
        cls.__dataclass_fields__ = made.__dataclass_fields__
        return made.__dataclass_fields__


class _Settings:
    """``__dataclass_params__``: ``pprint`` asks each dataclass for it."""

    __slots__ = ("_settings",)

    def __init__(self, **settings: Any) -> None:
        self._settings = settings

    def __get__(self, _value: object, cls: Any) -> Any:
        import dataclasses

        made: Any = dataclasses.make_dataclass(cls.__name__, (), **self._settings)
        return made.__dataclass_params__


def _as_field(one: _Field) -> Any:
    import dataclasses

    given = {} if one.default is MISSING else {"default": one.default}
    if one.default_factory is not MISSING:
        given["default_factory"] = one.default_factory
    settings = {name: getattr(one, name) for name in ("init", "repr", "compare")}
    return dataclasses.field(kw_only=True, **settings, **given)


def _eq(self: Any, other: Any) -> Any:
    if type(self) is not type(other):
        return NotImplemented
    return self._compared(self) == other._compared(other)


def _hash(self: Any) -> int:
    return hash(self._compared(self))


def _repr(self: Any) -> str:
    shown = (name for name, one in self._fields.items() if one.repr)
    values = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
    return f"{type(self).__qualname__}({values})"


def _setattr(_self: Any, name: str, _value: object) -> Never:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(_self: Any, name: str) -> Never:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, name) for name in self._fields]


def _setstate(self: Any, state: list[Any]) -> None:
    for name, value in zip(self._fields, state, strict=True):
        object.__setattr__(self, name, value)


_EQUALITY: Mapping[str, Any] = {"__eq__": _eq}
_FROZEN: Mapping[str, Any] = {
    "__setattr__": _setattr,
    "__delattr__": _delattr,
    "__getstate__": _getstate,
    "__setstate__": _setstate,
}

if not TYPE_CHECKING:
    dataclass, field, fields, replace = _dataclass, _field, _fields, _replace
