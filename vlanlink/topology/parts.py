"""The small tables of a topology (subnet, shim, probe, route, DHCP), and forms of single keys."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from vlanlink.dataclass import dataclass, field
from vlanlink.kinds import KINDS
from vlanlink.topology import habits, mac_parents, toml, values
from vlanlink.topology.forms import (
    Array,
    At,
    Boolean,
    ByName,
    Integer,
    KindName,
    Number,
    Readable,
    Switch,
    Table,
    Text,
    wrong_type,
)
from vlanlink.topology.problems import InvalidValue, quote
from vlanlink.topology.tables import Entry, Key, entry
from vlanlink.topology.values import Ip, Prefix

TEXT: Final = Text()
BOOLEAN: Final = Boolean()
ADDRESS: Final = Text("an IP address", values.address)
HOST_PART: Final = Text("the host part of an IPv6 address", values.host_part)
UNICAST: Final = Text("an IP address", values.unicast_address)
PREFIX: Final = Text("an IP prefix", values.prefix)
ADDRESSES: Final = Array(Text("an IP address", values.entry))
NAME_SERVERS: Final = Array(Text("an IP address", values.name_server))
UNITS: Final = Array(Text("the name of a unit", values.unit_name))
DOMAINS: Final = Array(Text("a domain name", values.domain))
TOPOLOGY_NAME: Final = Text("a string", values.topology_name)
NETWORK_KIND: Final = KindName(values.NETWORK_KINDS, values.network_kind)
LINK_KIND: Final = KindName(tuple(KINDS), values.link_kind)
UINT32: Final = Integer(0, 0xFFFFFFFF)
MTU: Final = Integer(68, 65535)


@entry
class ParentConfig(Entry):
    """A parent by the MAC of its NIC, whatever the NIC is called."""

    mac: Annotated[
        str, Key(Text("a MAC address", values.mac), "the permanent MAC of a physical link")
    ]
    vlan: Annotated[
        int | None, Key(Integer(1, 4094), "this VLAN of it; left out: the NIC itself")
    ] = None


@dataclass(frozen=True)
class Parent:
    """A link of the host: its name or an altname, or a table that tells its MAC."""

    entry: Readable

    def read(self, value: Any, at: At) -> str:
        """The name, or the word for a MAC."""
        if isinstance(value, dict):
            found = self.entry.read(value, at)
            return mac_parents.as_word(found.mac, found.vlan)
        if not isinstance(value, str):
            raise wrong_type("a link's name or a table", value, at, self)
        if isinstance(meant := self._by_mac(value), dict):
            message = f"{quote(value)} is a MAC address, not the name of a link"
            raise InvalidValue("parent_mac", message, f"write {toml.value(meant)}")
        return value

    def meant(self, value: Any) -> Any:
        """As of any string."""
        return Text().meant(value)

    def _by_mac(self, value: str) -> str | dict[str, Any]:
        """What is meant by a MAC in a string, with the id of a VLAN or without."""
        mac, dot, vlan = value.lower().replace("-", ":").partition(".")
        return mac_parents.as_written(f"{mac}{dot}{vlan}")


PARENT: Final = Parent(ParentConfig)


class SysctlValue:
    """A sysctl's value as the kernel's file takes it."""

    def read(self, value: Any, at: At) -> str:
        """The text to write."""
        if isinstance(value, bool | int):
            return str(int(value))
        if isinstance(value, dict):
            raise self._dotted(value, at)
        if not isinstance(value, str):
            raise wrong_type("a whole number, a string or a boolean", value, at, self)
        if not value.replace("\t", " ").isprintable():
            raise InvalidValue("wrong_type", f"{quote(value)} is not one line of plain text")
        return value

    def _dotted(self, value: Any, at: At) -> InvalidValue:
        key = at.name
        while isinstance(value, dict) and len(value) == 1:
            ((part, value),) = value.items()
            key += f".{part}"
        key = key if not isinstance(value, dict) else "net.ipv4.ip_forward"
        message = f"{at.name} must be a sysctl's value, not a table"
        return InvalidValue("wrong_type", message, f"quote a key that has dots in it: {quote(key)}")

    def meant(self, value: Any) -> str | None:
        """A number or list as the kernel's file has it."""
        if isinstance(value, list):
            return " ".join(map(str, value))
        return str(value) if isinstance(value, float) else None


@entry
class SubnetConfig(Entry):
    """A subnet of a network, with the key names of Docker's IPAM."""

    subnet: Annotated[Prefix, Key(PREFIX, "its prefix")]
    gateway: Annotated[Ip | None, Key(UNICAST, "the router; endpoints get a default route")] = None
    onlink: Annotated[
        bool, Key(BOOLEAN, "the gateway answers on this link, though outside the subnet")
    ] = False
    ip_range: Annotated[Prefix | None, Key(PREFIX, "the part to choose addresses from")] = None
    aux_addresses: Annotated[
        Mapping[str, Ip], Key(ByName(ADDRESS), "addresses of others, never handed out")
    ] = field(default_factory=dict)

    @classmethod
    def meant(cls, text: str) -> dict[str, Any]:
        """A bare prefix."""
        return {"subnet": text}


@entry
class ShimConfig(Entry):
    """The host's own endpoint in a network, in detail."""

    name: Annotated[str | None, Key(TEXT, "the link's name; left out: derived")] = None
    addresses: Annotated[
        tuple[str, ...] | None, Key(ADDRESSES, "its addresses; left out: chosen if needed")
    ] = None


@entry
class ProbeConfig(Entry):
    """How to ask the LAN whether an address is in use."""

    count: Annotated[int, Key(Integer(1, 100), "probes for each address")] = 2
    seconds: Annotated[float, Key(Number(0.01, 60), "duration, for all addresses together")] = 1.0


@entry
class RouteConfig(Entry):
    """A route through the interface that it is listed under."""

    to: Annotated[
        Prefix, Key(Text("an IP prefix", values.destination), 'destination, or "default"')
    ]
    via: Annotated[Ip | None, Key(UNICAST, "next hop; left out: on-link")] = None
    metric: Annotated[int | None, Key(UINT32, "priority; the lowest wins")] = None
    onlink: Annotated[
        bool, Key(BOOLEAN, "the next hop answers on this link, in no subnet of it")
    ] = False
    src: Annotated[Ip | None, Key(UNICAST, "preferred source address")] = None
    table: Annotated[int | None, Key(Integer(1, 0xFFFFFFFF), "routing table; default main")] = None

    @classmethod
    def meant(cls, text: str) -> dict[str, Any] | None:
        """A route as ``ip route`` has it."""
        return habits.as_route(text)

    @classmethod
    def prepared(cls, written: dict[str, Any]) -> dict[str, Any]:
        """As ``ip route`` does, read ``default`` in the family of the next hop, else as IPv4."""
        if written.get("to") != values.DEFAULT:
            return written
        six = any(":" in str(written.get(key)) for key in ("via", "src"))
        return {**written, "to": "::/0" if six else "0.0.0.0/0"}


@entry
class HostRouteConfig(RouteConfig):
    """A route of the host, through any link there."""

    dev: Annotated[str, Key(TEXT, "the outgoing link")]


@entry
class DefaultRouteConfig(Entry):
    """Which default routes an interface gets; both families if none is named."""

    ipv4: Annotated[bool | None, Key(BOOLEAN, "an IPv4 default route")] = None
    ipv6: Annotated[bool | None, Key(BOOLEAN, "an IPv6 default route")] = None
    metric: Annotated[int | None, Key(UINT32, "priority; the lowest wins")] = None


@entry
class DhcpConfig(Entry):
    """How endpoints ask for an address by DHCP."""

    timeout: Annotated[
        float | None, Key(Number(1, 3600), "seconds that `up` waits for a lease; default 15")
    ] = None
    use_routes: Annotated[bool | None, Key(BOOLEAN, "take the server's routes; default true")] = (
        None
    )
    use_dns: Annotated[
        bool | None,
        Key(
            BOOLEAN,
            "take name servers and domains of the server and, with slaac, of routers; default true",
        ),
    ] = None
    metric: Annotated[int | None, Key(UINT32, "priority of these routes; the lowest wins")] = None
    vendor_class: Annotated[
        str | None, Key(Text("a string", values.option_text), "vendor class (option 60)")
    ] = None


@entry
class InterfaceDhcpConfig(DhcpConfig):
    """The same for one interface; what it leaves out is as the network says."""

    hostname: Annotated[
        str | None, Key(Text("a string", values.host_name), "host name for the server (option 12)")
    ] = None
    client_id: Annotated[
        str | None,
        Key(
            Text("a string", values.client_id),
            "client identifier (option 61), text or bytes with colons; default: the MAC, in "
            "ipvlan one of its own (RFC 4361)",
        ),
    ] = None


ROUTES: Final = Array(Table(RouteConfig))
PROBE: Final = Switch(ProbeConfig)
PROBE_HELP: Final = "ask the LAN whether an address is in use before taking it"
TAKE_PARENT_HELP: Final = "passthru: take the parent from the host even if the host uses it"
