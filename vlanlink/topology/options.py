"""The options of the link kinds as pydantic models, made from the registry's data."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainValidator,
    create_model,
)

from vlanlink.errors import nearest
from vlanlink.kinds import KINDS, Choice, Flag, Kind, MacList, Number, Option, QosMap
from vlanlink.kinds.kind import OptionValue
from vlanlink.topology import values
from vlanlink.topology.problems import InvalidValue, one_of, quote

ALL_KEYS: Final = tuple(
    dict.fromkeys(option.key for kind in KINDS.values() for option in kind.options)
)
"""The options of all kinds, for the place where the kind is not known."""

NETWORK_KINDS: Final = tuple(name for name, kind in KINDS.items() if kind.rx_handler)
"""The kinds that a network can have: their links stand on the LAN beside the parent."""


def link_kind(name: str) -> str:
    """A kind that the registry has."""
    if name not in KINDS:
        near = nearest(name, list(KINDS))
        raise InvalidValue(
            "unknown_kind",
            f"{quote(name)} is no link kind; there are {one_of(list(KINDS))}",
            f'did you mean "{near}"?' if near else None,
        )
    return name


def network_kind(name: str) -> str:
    """A kind that a network can have."""
    if link_kind(name) not in NETWORK_KINDS:
        raise InvalidValue(
            "network_kind",
            f"{quote(name)} is no kind of network; there are {one_of(NETWORK_KINDS)}",
            f'write such a link under [links] and a network of kind "{NETWORK_KINDS[0]}" on it',
        )
    return name


def kind_named(name: object) -> Kind | None:
    """The kind of that name; None for what is no kind's name."""
    return KINDS.get(name) if isinstance(name, str) else None


@cache
def options_model(name: str) -> type[BaseModel]:
    """The model whose fields are the options of the kind of that name."""
    kind = KINDS[name]
    fields: dict[str, Any] = {
        option.key: (_type(option), ... if option.required else None) for option in kind.options
    }
    return create_model(
        f"{name.capitalize()}Options",
        __config__=ConfigDict(strict=True, extra="forbid"),
        **fields,
    )


def options_of(kind: Kind, written: Mapping[str, object]) -> dict[str, OptionValue]:
    """The options as written, and the defaults of those that are always sent."""
    model = options_model(kind.name).model_validate(dict(written))
    always = {
        option.key: option.default
        for option in kind.options
        if option.always and option.default is not None
    }
    return always | model.model_dump(exclude_unset=True)


def _type(option: Option) -> Any:
    match option:
        case Number():
            return Annotated[int, AfterValidator(values.between(option.minimum, option.maximum))]
        case Choice():
            return Literal[tuple(option.choices)]
        case Flag():
            return bool
        case QosMap():
            return Annotated[tuple[tuple[int, int], ...], PlainValidator(_pairs(option))]
        case MacList():
            return Annotated[
                tuple[str, ...], BeforeValidator(values.listed), AfterValidator(values.macs)
            ]
    raise TypeError(option)


def _pairs(option: QosMap) -> Callable[[object], tuple[tuple[int, int], ...]]:
    def pairs(value: object) -> tuple[tuple[int, int], ...]:
        if not isinstance(value, Mapping):
            raise InvalidValue(
                "wrong_type",
                f"a table belongs here, not {values.describe(value)}",
                f'write {option.key} = {{ "0" = 1 }}, from = to',
            )
        return tuple(sorted(_pair(option, key, to) for key, to in value.items()))

    return pairs


def _pair(option: QosMap, key: object, to: object) -> tuple[int, int]:
    start = int(key) if isinstance(key, str) and key.isascii() and key.isdigit() else key
    for number, most in ((start, option.maximum_from), (to, option.maximum_to)):
        if type(number) is not int or not 0 <= number <= most:
            raise InvalidValue(
                "qos_map",
                f"{quote(number)} is no priority for this side of {option.key}",
                f"from is a number up to {option.maximum_from}, to one up to {option.maximum_to}",
            )
    assert type(start) is int
    assert type(to) is int
    return start, to
