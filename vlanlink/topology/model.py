"""A topology as it is written: frozen values, nothing resolved.

What one value or table must look like is held here; what several must be to each other is in
``rules``. Validation here goes on past errors, so that a file's problems come all at once.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PlainValidator,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from vlanlink.errors import Diagnostic, Problem, nearest
from vlanlink.kinds import Kind
from vlanlink.kinds._kind import OptionValue
from vlanlink.topology import options, values
from vlanlink.topology.positions import Severity, Source, without_source
from vlanlink.topology.values import Ip, Prefix
from vlanlink.topology.wrong import Wrong, again, failure, quote

Address = Annotated[Ip, PlainValidator(values.address)]
Station = Annotated[Ip, PlainValidator(values.station)]
Network_ = Annotated[Prefix, PlainValidator(values.prefix)]
Destination = Annotated[Prefix, PlainValidator(values.destination)]
Mac = Annotated[str, AfterValidator(values.mac)]
Mtu = Annotated[int, AfterValidator(values.between(68, 65535))]
Number32 = Annotated[int, AfterValidator(values.between(0, 0xFFFFFFFF))]
Table = Annotated[int, AfterValidator(values.between(1, 0xFFFFFFFF))]
Addresses = Annotated[
    tuple[Annotated[str, AfterValidator(values.entry)], ...], BeforeValidator(values.listed)
]
Words = Annotated[tuple[str, ...], BeforeValidator(values.listed)]
Sysctls = Mapping[str, Annotated[str, BeforeValidator(values.setting)]]


def flag_or(model: type[BaseModel]) -> Callable[[object], object]:
    """A validator for what is true, false or a table of details."""

    def check(value: object) -> object:
        if isinstance(value, bool | model):
            return value
        if isinstance(value, Mapping):
            return model.model_validate(value)
        raise Wrong(
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
            raise again([*wrong, *error.errors(include_url=False)]) from None
        if wrong:
            raise again(wrong)
        return made


@cache
def _fields(table: type[Entry]) -> tuple[str, ...]:
    return tuple(key for key in table.model_fields if key not in table.unwritten)


def _unknown(key: str, value: object, known: tuple[str, ...]) -> dict[str, Any]:
    near = nearest(key, known)
    hint = f"did you mean {near}?" if near else f"known here: {', '.join(known)}"
    if key.isdigit() and isinstance(value, Mapping) and "kind" in known:
        near, hint = "kind", f'a name with a dot in it stands in quotes: "eth0.{key}"'
    wrong = Wrong("unknown_key", f"unknown key {quote(key)}", hint, at_key=True, meant=near)
    return failure(key, wrong, value)


class Subnet(Entry):
    """A subnet of a network, with the names of Docker's IPAM."""

    subnet: Network_
    gateway: Station | None = None
    ip_range: Network_ | None = None
    aux_addresses: Mapping[str, Address] = {}


class Shim(Entry):
    """The host's own endpoint in a network, in detail."""

    name: str | None = None
    addresses: Addresses | None = None


class Probe(Entry):
    """How to ask the LAN whether an address is taken."""

    count: Annotated[int, AfterValidator(values.between(1, 100))] = 2
    seconds: Annotated[float, AfterValidator(values.between(0.01, 60))] = 1.0
    """In all, for all addresses together."""


class Route(Entry):
    """A route by way of the interface under which it stands."""

    via: Station | None = None
    to: Destination
    metric: Number32 | None = None
    onlink: bool = False
    src: Station | None = None
    table: Table | None = None

    @classmethod
    def sort_out(cls, written: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
        """As ``ip route`` does, read ``default`` in the family of the next hop, IPv4 without."""
        if written.get("to") == values.DEFAULT:
            six = any(":" in str(written.get(key)) for key in ("via", "src"))
            written["to"] = "::/0" if six else "0.0.0.0/0"
        return super().sort_out(written)


class HostRoute(Route):
    """A route of the host, by way of any link there."""

    dev: str


class DefaultRoute(Entry):
    """Which default routes an interface shall have; both where neither family is named."""

    ipv4: bool | None = None
    ipv6: bool | None = None
    metric: Number32 | None = None


Routes = Annotated[tuple[Route, ...], BeforeValidator(values.listed)]


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


class Network(Kinded):
    """What ``docker network create`` makes: a kind and a parent that endpoints share."""

    kind: Annotated[str, AfterValidator(options.network_kind)]
    parent: str | None = None
    internal: bool = False
    subnets: Annotated[tuple[Subnet, ...], BeforeValidator(values.listed)] | None = None
    """None: left out."""
    shim: Annotated[bool | Shim, PlainValidator(flag_or(Shim))] = False
    probe: Annotated[bool | Probe, PlainValidator(flag_or(Probe))] = True
    mtu: Mtu | None = None
    hairpin: bool = False
    """What the switch does with frames between two stations on this port."""
    take_parent: bool = False


class Endpoint(Entry):
    """What every link, peer and interface can have."""

    addresses: Addresses | None = None
    """In canonical text, as bare as they were written. None: left out."""
    mac: Mac | None = None
    mtu: Mtu | None = None
    altnames: Words = ()
    up: bool = True
    routes: Routes = ()


class Peer(Endpoint):
    """The other end of a pair. No namespace: the host."""

    name: str
    namespace: str | None = None


class Link(Kinded, Endpoint):
    """A link on the host."""

    kind: Annotated[str, AfterValidator(options.link_kind)] | None = None
    parent: str | None = None
    peer: Peer | None = None
    probe: Annotated[bool | Probe, PlainValidator(flag_or(Probe))] = True
    take_parent: bool = False


class Interface(Link):
    """A link in a namespace, by itself or as an endpoint of a network."""

    network: str | None = None
    default_route: Annotated[bool | DefaultRoute, PlainValidator(flag_or(DefaultRoute))] | None = (
        None
    )
    ipv6: Literal["static", "slaac", "off"] = "static"

    @classmethod
    def kind_in(cls, written: Mapping[str, Any]) -> Kind | None:
        """An endpoint has its network's kind, and no options of its own."""
        return None if "network" in written else super().kind_in(written)

    @classmethod
    def sort_out(cls, written: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
        """Refuse the options that an endpoint's network has the say over."""
        fields, wrong = super().sort_out(written)
        strange = written.keys() & options.ALL_KEYS if "network" in written else set()
        return fields, wrong + [_of_network(key, written) for key in strange]


def _of_network(key: str, written: Mapping[str, Any]) -> dict[str, Any]:
    network = written["network"]
    wrong = Wrong(
        "option_of_network",
        f"{key} belongs to the network, not to one of its endpoints",
        f"write it under [networks.{network}]" if isinstance(network, str) else None,
        at_key=True,
    )
    return failure(key, wrong, written[key])


class Namespace(Entry):
    """A network namespace: one of that name, or the one at a path or of a process."""

    sysctls: Sysctls = {}
    interfaces: Mapping[str, Interface] = {}
    pid: Annotated[int, AfterValidator(values.between(1, 0x3FFFFFFF))] | None = None
    path: str | None = None


class HostSection(Entry):
    """What the topology asks of the host itself."""

    sysctls: Sysctls = {}
    routes: Annotated[tuple[HostRoute, ...], BeforeValidator(values.listed)] = ()


class Heading(Entry):
    """The table [topology]."""

    name: Annotated[str, AfterValidator(values.topology_name)] | None = None


class Topology(Entry):
    """A whole file: what a user wants of the networks of one host.

    Made by ``load``, ``parse`` or ``Topology.build``, which check all of it; making one by its
    fields checks each value, but not what the values are to each other.
    """

    name: Annotated[str, AfterValidator(values.topology_name)]
    networks: Mapping[str, Network] = {}
    namespaces: Mapping[str, Namespace] = {}
    links: Mapping[str, Link] = {}
    host: HostSection = Field(default_factory=HostSection.model_construct)

    _checked: bool = PrivateAttr(default=False)
    _source: Source | None = PrivateAttr(default=None)
    _warnings: tuple[Diagnostic, ...] = PrivateAttr(default=())

    @classmethod
    def known_keys(cls) -> tuple[str, ...]:
        """A file has its name in a table of its own."""
        return ("topology", *super().known_keys())

    @classmethod
    def offered_keys(cls) -> tuple[str, ...]:
        """The name by itself is for Python only."""
        return tuple(key for key in cls.known_keys() if key != "name")

    @classmethod
    def sort_out(cls, written: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
        """Take the name from where a file has it."""
        fields, wrong = super().sort_out(written)
        if "topology" not in fields:
            return fields, wrong
        try:
            heading = Heading.model_validate(fields.pop("topology"))
        except ValidationError as error:
            return {"name": "unnamed"} | fields, wrong + _below("topology", error)
        return ({"name": heading.name} if heading.name else {}) | fields, wrong

    @classmethod
    def build(cls, mapping: "Mapping[str, Any] | Topology") -> "Topology":
        """Check a topology made in code, or one to be made of a file's tables as Python values.

        Raises TopologyError with everything that is wrong.
        """
        from vlanlink.topology.load import build

        return build(mapping)

    def as_written(self) -> dict[str, Any]:
        """Plain data that ``build`` makes an equal topology of."""
        from vlanlink.topology.checked import as_written

        written: dict[str, Any] = as_written(self)
        return {"topology": {"name": written.pop("name")}} | written

    def model_copy(
        self, *, update: Mapping[str, Any] | None = None, deep: bool = False
    ) -> "Topology":
        """As pydantic has it; one with an ``update`` is no longer what was read and checked."""
        copied = super().model_copy(update=update, deep=deep)
        if update:
            copied._checked, copied._source, copied._warnings = False, None, ()
        return copied

    @property
    def checked(self) -> bool:
        """Whether it is known that nothing is wrong with the whole of it."""
        return self._checked

    @property
    def source(self) -> Source | None:
        """The text that it was read from; None for what was built in code."""
        return self._source

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What is allowed but probably not meant."""
        return self._warnings

    def diagnose(self, problem: Problem, severity: Severity = "error") -> Diagnostic:
        """A problem at its place in the file, or at its path where there is no file."""
        if self._source is None:
            return without_source(problem, severity)
        return self._source.diagnose(problem, severity)

    def __eq__(self, other: object) -> bool:
        """Two topologies are equal when they say the same, from whatever file."""
        if not isinstance(other, Topology):
            return NotImplemented
        return all(getattr(self, key) == getattr(other, key) for key in Topology.model_fields)

    __hash__ = None  # type: ignore[assignment]


def _below(key: str, error: ValidationError) -> list[Any]:
    return [one | {"loc": (key, *one["loc"])} for one in error.errors(include_url=False)]
