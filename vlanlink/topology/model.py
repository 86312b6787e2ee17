"""A topology as it is written: frozen values, nothing resolved.

What one value or table must look like is held here; what several must be to each other is in
``rules``.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    PrivateAttr,
    ValidationError,
)

from vlanlink.errors import Diagnostic, Problem
from vlanlink.kinds import Kind
from vlanlink.topology import options, values
from vlanlink.topology.positions import Severity, Source, without_source
from vlanlink.topology.problems import InvalidValue, as_error
from vlanlink.topology.tables import Entry, Kinded, bool_or_table
from vlanlink.topology.values import Ip, Prefix

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
SysctlValue = Annotated[str, BeforeValidator(values.setting)]


class SubnetConfig(Entry):
    """A subnet of a network, with the names of Docker's IPAM."""

    subnet: Network_
    gateway: Station | None = None
    ip_range: Network_ | None = None
    aux_addresses: Mapping[str, Address] = {}


class ShimConfig(Entry):
    """The host's own endpoint in a network, in detail."""

    name: str | None = None
    addresses: Addresses | None = None


class ProbeConfig(Entry):
    """How to ask the LAN whether an address is taken."""

    count: Annotated[int, AfterValidator(values.between(1, 100))] = 2
    seconds: Annotated[float, AfterValidator(values.between(0.01, 60))] = 1.0
    """In all, for all addresses together."""


class RouteConfig(Entry):
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


class HostRouteConfig(RouteConfig):
    """A route of the host, by way of any link there."""

    dev: str


class DefaultRouteConfig(Entry):
    """Which default routes an interface shall have; both where neither family is named."""

    ipv4: bool | None = None
    ipv6: bool | None = None
    metric: Number32 | None = None


Routes = Annotated[tuple[RouteConfig, ...], BeforeValidator(values.listed)]


class NetworkConfig(Kinded):
    """What ``docker network create`` makes: a kind and a parent that endpoints share."""

    kind: Annotated[str, AfterValidator(options.network_kind)]
    parent: str | None = None
    internal: bool = False
    subnets: Annotated[tuple[SubnetConfig, ...], BeforeValidator(values.listed)] | None = None
    """None: left out."""
    shim: Annotated[bool | ShimConfig, PlainValidator(bool_or_table(ShimConfig))] = False
    probe: Annotated[bool | ProbeConfig, PlainValidator(bool_or_table(ProbeConfig))] = True
    mtu: Mtu | None = None
    hairpin: bool = False
    """What the switch does with frames between two stations on this port."""
    take_parent: bool = False


class EndpointConfig(Entry):
    """What every link, peer and interface can have."""

    addresses: Addresses | None = None
    """In canonical text, as bare as they were written. None: left out."""
    mac: Mac | None = None
    mtu: Mtu | None = None
    altnames: Words = ()
    up: bool = True
    routes: Routes = ()


class PeerConfig(EndpointConfig):
    """The other end of a pair. No namespace: the host."""

    name: str
    namespace: str | None = None


class LinkConfig(Kinded, EndpointConfig):
    """A link on the host."""

    kind: Annotated[str, AfterValidator(options.link_kind)] | None = None
    parent: str | None = None
    peer: PeerConfig | None = None
    probe: Annotated[bool | ProbeConfig, PlainValidator(bool_or_table(ProbeConfig))] = True
    take_parent: bool = False


class InterfaceConfig(LinkConfig):
    """A link in a namespace, by itself or as an endpoint of a network."""

    network: str | None = None
    default_route: (
        Annotated[bool | DefaultRouteConfig, PlainValidator(bool_or_table(DefaultRouteConfig))]
        | None
    ) = None
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
    wrong = InvalidValue(
        "option_of_network",
        f"{key} belongs to the network, not to one of its endpoints",
        f"write it under [networks.{network}]" if isinstance(network, str) else None,
        at_key=True,
    )
    return as_error(key, wrong, written[key])


class NamespaceConfig(Entry):
    """A network namespace: one of that name, or the one at a path or of a process."""

    sysctls: Mapping[str, SysctlValue] = {}
    interfaces: Mapping[str, InterfaceConfig] = {}
    pid: Annotated[int, AfterValidator(values.between(1, 0x3FFFFFFF))] | None = None
    path: str | None = None


class HostConfig(Entry):
    """What the topology asks of the host itself."""

    sysctls: Mapping[str, SysctlValue] = {}
    routes: Annotated[tuple[HostRouteConfig, ...], BeforeValidator(values.listed)] = ()


class Heading(Entry):
    """The table [topology]."""

    name: Annotated[str, AfterValidator(values.topology_name)] | None = None


class Topology(Entry):
    """A whole file: what a user wants of the networks of one host.

    Made by ``load``, ``parse`` or ``Topology.build``, which check all of it; making one by its
    fields checks each value, but not what the values are to each other.
    """

    name: Annotated[str, AfterValidator(values.topology_name)]
    networks: Mapping[str, NetworkConfig] = {}
    namespaces: Mapping[str, NamespaceConfig] = {}
    links: Mapping[str, LinkConfig] = {}
    host: HostConfig = Field(default_factory=HostConfig.model_construct)

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
        from vlanlink.topology.salvage import as_written

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
