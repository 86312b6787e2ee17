"""A topology as written: frozen values, nothing resolved.

The fields are the keys of the file: form, default and meaning of each stand here and nowhere else.
What several values must be to each other stands in ``rules``.
"""

from collections.abc import Mapping
from copy import copy
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from vlanlink.dataclass import field
from vlanlink.errors import Diagnostic, Problem
from vlanlink.kinds import COMMON, KINDS, Kind
from vlanlink.kinds.vlan import implied_vlan
from vlanlink.topology import habits, toml, values
from vlanlink.topology.forms import (
    Array,
    At,
    ByName,
    Choice,
    Integer,
    Switch,
    SwitchByName,
    Table,
    form_of,
)
from vlanlink.topology.parts import (
    ADDRESS,
    ADDRESSES,
    BOOLEAN,
    DOMAINS,
    HOST_PART,
    LINK_KIND,
    MTU,
    NAME_SERVERS,
    NETWORK_KIND,
    PARENT,
    PROBE,
    PROBE_HELP,
    ROUTES,
    TAKE_PARENT_HELP,
    TEXT,
    TOPOLOGY_NAME,
    UNITS,
    DefaultRouteConfig,
    DhcpConfig,
    HostRouteConfig,
    InterfaceDhcpConfig,
    ProbeConfig,
    RouteConfig,
    ShimConfig,
    SubnetConfig,
    SysctlValue,
)
from vlanlink.topology.positions import Severity, Source, without_source
from vlanlink.topology.problems import InvalidValue, quote
from vlanlink.topology.tables import ALL_OPTIONS, Entry, Key, Kinded, Row, entry
from vlanlink.topology.values import Ip

_VLAN_KEYS: Final = ("vlan", "vlan_id", "vid", "id", "tag")


@entry
class NetworkConfig(Kinded):
    """What ``docker network create`` makes: a kind and a parent that endpoints share."""

    elsewhere: ClassVar[Mapping[str, str]] = habits.NETWORK_ELSEWHERE

    kind: Annotated[str, Key(NETWORK_KIND, "kind of the links")]
    parent: Annotated[
        str | None, Key(PARENT, "link of the host; NAME.N: VLAN N of NAME; left out: a dummy link")
    ] = None
    internal: Annotated[bool, Key(BOOLEAN, "no parent and no default route")] = False
    subnets: Annotated[
        tuple[SubnetConfig, ...] | None,
        Key(Array(Table(SubnetConfig)), "what addresses are chosen from; left out: see above"),
    ] = None
    shim: Annotated[
        bool | ShimConfig, Key(Switch(ShimConfig), "let the host reach the endpoints")
    ] = False
    probe: Annotated[bool | ProbeConfig, Key(PROBE, PROBE_HELP)] = True
    dhcp: Annotated[
        bool | DhcpConfig,
        Key(Switch(DhcpConfig), "endpoints without addresses get theirs by DHCP"),
    ] = False
    mtu: Annotated[int | None, Key(MTU, "MTU of the endpoints")] = None
    hairpin: Annotated[
        bool, Key(BOOLEAN, "vepa: the switch sends frames back out of the port they came in on")
    ] = False
    take_parent: Annotated[bool, Key(BOOLEAN, TAKE_PARENT_HELP)] = False
    wait: Annotated[
        Literal["address"] | None,
        Key(Choice(("address",)), "`up --wait` and the boot unit wait for the parent's address"),
    ] = None
    manage_bridge_vlan: Annotated[
        bool, Key(BOOLEAN, "parent on a VLAN-aware bridge: open its VLAN to the host there")
    ] = False

    @classmethod
    def kind_in(cls, written: Mapping[str, Any]) -> Kind | None:
        """None for a kind that no network has, whatever its options."""
        kind = written.get("kind")
        return Kinded.kind_in(written) if kind in values.NETWORK_KINDS else None

    @classmethod
    def refusal(cls, key: str, written: Mapping[str, Any], at: At) -> InvalidValue | None:
        """A network is on a VLAN by its parent."""
        parent, vlan = written.get("parent"), written[key]
        on = {**parent, "vlan": vlan} if isinstance(parent, dict) else f"{parent}.{vlan}"
        if key not in _VLAN_KEYS or parent is None or not isinstance(vlan, int):
            return super().refusal(key, written, at)
        hint = f"write parent = {toml.value(on)} instead"
        return InvalidValue("unknown_key", f"unknown key {quote(key)}", hint, at_key=True)

    @classmethod
    def meant(cls, text: str) -> dict[str, Any] | None:
        """The kind alone."""
        kind = habits.meant_word(text, values.NETWORK_KINDS)
        return {"kind": kind} if kind else None


if TYPE_CHECKING:

    @entry
    class CommonConfig(Entry):
        """The options of links of every kind that code here names."""

        mac: str | None = None
        mtu: int | None = None
        altnames: tuple[str, ...] = ()
        up: bool = True

else:
    _KEYS = {option.key: Key(form_of(option), option.help) for option in COMMON}
    _BODY = {option.key: option.default for option in COMMON}
    _BODY["__annotations__"] = {name: Annotated[Any, key] for name, key in _KEYS.items()}
    CommonConfig = entry(type("CommonConfig", (Entry,), _BODY))


@entry
class EndpointConfig(CommonConfig):
    """What every link, peer and interface can have."""

    addresses: Annotated[
        tuple[str, ...] | None,
        Key(ADDRESSES, "all its addresses; left out on a network: one per family is chosen"),
    ] = None
    """In canonical text, with a prefix length where one is written."""
    routes: Annotated[tuple[RouteConfig, ...], Key(ROUTES, "routes through it")] = ()


@entry
class PeerConfig(EndpointConfig):
    """The other end of a pair."""

    name: Annotated[str, Key(TEXT, "its name")]
    namespace: Annotated[str | None, Key(TEXT, "its namespace; left out: the host")] = None

    @classmethod
    def meant(cls, text: str) -> dict[str, Any]:
        """The name alone."""
        return {"name": text}


@entry
class LinkConfig(Kinded, EndpointConfig):
    """A link on the host."""

    elsewhere: ClassVar[Mapping[str, str]] = habits.LINK_ELSEWHERE

    kind: Annotated[str | None, Key(LINK_KIND, "kind of the link")] = None
    parent: Annotated[
        str | None, Key(PARENT, "link of the host; NAME.N that does not exist: VLAN N of NAME")
    ] = None
    peer: Annotated[PeerConfig | None, Key(Table(PeerConfig), "veth: the other end")] = None
    probe: Annotated[bool | ProbeConfig, Key(PROBE, PROBE_HELP)] = True
    take_parent: Annotated[bool, Key(BOOLEAN, TAKE_PARENT_HELP)] = False

    @classmethod
    def meant(cls, text: str) -> dict[str, Any] | None:
        """The kind alone."""
        kind = habits.meant_word(text, list(KINDS))
        return {"kind": kind} if kind else None


@entry
class InterfaceConfig(LinkConfig):
    """A link in a namespace, standalone or an endpoint of a network."""

    elsewhere: ClassVar[Mapping[str, str]] = habits.INTERFACE_ELSEWHERE

    network: Annotated[str | None, Key(TEXT, "the network that it is an endpoint of")] = None
    default_route: Annotated[
        bool | DefaultRouteConfig | None,
        Key(
            Switch(DefaultRouteConfig),
            "left out: if it is the first interface with a gateway",
        ),
    ] = None
    dhcp: Annotated[
        bool | InterfaceDhcpConfig | None,
        Key(
            Switch(InterfaceDhcpConfig),
            'how it asks for its address; without addresses it means addresses = ["dhcp"]',
        ),
    ] = None
    ipv6: Annotated[
        Literal["static", "slaac", "off"],
        Key(Choice(("static", "slaac", "off")), "as the file says, as the router says, or none"),
    ] = "static"
    ipv6_token: Annotated[
        IPv6Address | None,
        Key(HOST_PART, "with slaac, the host part of its addresses; left out: made of the MAC"),
    ] = None

    @classmethod
    def meant(cls, text: str) -> dict[str, Any]:
        """The network alone."""
        return {"network": text}

    @classmethod
    def kind_in(cls, written: Mapping[str, Any]) -> Kind | None:
        """An endpoint has its network's kind, and no options of its own."""
        return None if "network" in written else LinkConfig.kind_in(written)

    @classmethod
    def prepared(cls, written: dict[str, Any]) -> dict[str, Any]:
        """Keep the options of an endpoint: they are refused."""
        return written if "network" in written else super().prepared(written)

    @classmethod
    def refusal(cls, key: str, written: Mapping[str, Any], at: At) -> InvalidValue | None:
        """Refuse the options that the network decides."""
        if key not in ALL_OPTIONS or "network" not in written:
            return super().refusal(key, written, at)
        network = written["network"]
        return InvalidValue(
            "option_of_network",
            f"{key} belongs to the network, not to its endpoints",
            f"remove {key}, or write it under [networks.{network}]"
            if isinstance(network, str)
            else None,
            at_key=True,
        )

    @classmethod
    def offered(cls, known: Mapping[str, Row], written: Mapping[str, Any]) -> tuple[str, ...]:
        """Offer no option to an endpoint."""
        return tuple(known) if "network" in written else super().offered(known, written)


@entry
class NamespaceConfig(Entry):
    """A network namespace: a named one, or that of a path or a process."""

    elsewhere: ClassVar[Mapping[str, str]] = habits.NAMESPACE_ELSEWHERE
    sysctls: Annotated[
        Mapping[str, str], Key(ByName(SysctlValue()), "sysctls below net, set in the namespace")
    ] = field(default_factory=dict)
    interfaces: Annotated[
        Mapping[str, InterfaceConfig], Key(ByName(Table(InterfaceConfig)), "its links, by name")
    ] = field(default_factory=dict)
    units: Annotated[
        tuple[str, ...], Key(UNITS, "systemd services that live in it, with their sockets")
    ] = ()
    dns: Annotated[
        tuple[Ip, ...] | None, Key(NAME_SERVERS, "name servers for the processes in it")
    ] = None
    search: Annotated[
        tuple[str, ...] | None, Key(DOMAINS, "domains in which short names are looked up")
    ] = None
    hosts: Annotated[
        bool | Mapping[str, Ip],
        Key(SwitchByName(ADDRESS), "endpoints by name in its hosts file, and these names"),
    ] = False
    pid: Annotated[int | None, Key(Integer(1, 0x3FFFFFFF), "the namespace of a process")] = None
    path: Annotated[str | None, Key(TEXT, "the namespace at a path")] = None
    unprivileged: Annotated[
        bool, Key(BOOLEAN, "every user in it may use ports below 1024, and ping")
    ] = False

    @classmethod
    def refusal(cls, key: str, written: Mapping[str, Any], at: At) -> InvalidValue | None:
        """Interfaces are one level deeper."""
        if not isinstance(written[key], dict) or habits.meant_key(key, tuple(cls._keys)):
            return super().refusal(key, written, at)
        dotted = habits.dotted_name((at.name, key), written[key], tuple(cls._keys))
        if dotted:
            header = toml.dotted((*at.path[:-1], *dotted))
            hint = f"quote a name that has a dot in it: [{header}]"
        else:
            hint = f"write [{toml.dotted((*at.path, 'interfaces', key))}]"
        return InvalidValue("unknown_key", f"unknown key {quote(key)}", hint, at_key=True)


@entry
class HostConfig(Entry):
    """Sysctls and routes of the host itself."""

    sysctls: Annotated[
        Mapping[str, str], Key(ByName(SysctlValue()), "sysctls below net, set on the host")
    ] = field(default_factory=dict)
    routes: Annotated[
        tuple[HostRouteConfig, ...], Key(Array(Table(HostRouteConfig)), "routes of the host")
    ] = ()


@entry
class HeadingConfig(Entry):
    """The table [topology]."""

    name: Annotated[
        str | None, Key(TOPOLOGY_NAME, "the topology's name; default: the file's stem")
    ] = None

    @classmethod
    def meant(cls, text: str) -> dict[str, Any]:
        """The name alone."""
        return {"name": text}


UNNAMED: Final = "unnamed"
"""The name that stands in for one that can't be read."""


@entry
class Topology(Entry):
    """A whole file: the networks of one host as a user wants them.

    ``load`` makes and checks it; one that is made by its fields is checked when it is used.
    """

    elsewhere: ClassVar[Mapping[str, str]] = habits.TOPOLOGY_ELSEWHERE

    name: str
    networks: Annotated[
        Mapping[str, NetworkConfig], Key(ByName(Table(NetworkConfig)), "networks, by name")
    ] = field(default_factory=dict)
    namespaces: Annotated[
        Mapping[str, NamespaceConfig], Key(ByName(Table(NamespaceConfig)), "namespaces, by name")
    ] = field(default_factory=dict)
    links: Annotated[
        Mapping[str, LinkConfig], Key(ByName(Table(LinkConfig)), "links of the host, by name")
    ] = field(default_factory=dict)
    host: Annotated[HostConfig, Key(Table(HostConfig), "the host itself")] = field(
        default_factory=HostConfig
    )

    checked: bool = field(default=False, init=False, compare=False, repr=False)
    """Whether the whole of it is known to be valid."""
    source: Source | None = field(default=None, init=False, compare=False, repr=False)
    """The text that it was read from; None if it was made in code."""
    warnings: tuple[Diagnostic, ...] = field(default=(), init=False, compare=False, repr=False)
    """What is allowed but probably not meant."""
    written: "Topology | None" = field(default=None, init=False, compare=False, repr=False)
    """Where this one names its parents as they are called now: as the file has it."""
    vlans: Mapping[str, tuple[str, int]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )
    """In such a one, the link below and the id of VLANs whose name does not tell."""

    @classmethod
    def rows(cls, written: Mapping[str, Any]) -> Mapping[str, Row]:
        """The tables of a file."""
        del written
        return {_HEADING.name: _HEADING, **cls._keys}

    @classmethod
    def made(cls, found: dict[str, Any]) -> "Topology":
        """The topology, named by its heading."""
        heading = found.pop(_HEADING.name, None)
        return cls(**found, name=(heading and heading.name) or UNNAMED)

    def edited(self, **changes: Any) -> "Topology":
        """With other values for some fields; all that is known of its file stays."""
        made = copy(self)
        made.__dict__.update(changes)
        return made

    def implied(self, name: str) -> tuple[str, int] | None:
        """The link below and the VLAN id of a parent that is made when it is missing."""
        return self.vlans.get(name) or implied_vlan(name)

    def diagnose(self, problem: Problem, severity: Severity = "error") -> Diagnostic:
        """A problem at its place in the file; at its path if the topology was made in code."""
        if self.source is None:
            return without_source(problem, severity)
        return self.source.diagnose(problem, severity)


_HEADING: Final = Row("topology", Table(HeadingConfig), "the topology itself")
