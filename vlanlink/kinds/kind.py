"""A link kind: name, options, and the few rules its links follow."""

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar, Final, Literal

from vlanlink.dataclass import dataclass

OptionValue = str | int | bool | tuple[str, ...] | tuple[tuple[int, int], ...]
"""Value of an option: a choice, a number, a flag, a list of MACs or pairs of a QoS map."""

ETHERNET_MTU: Final = 1500
"""linux/if_ether.h ETH_DATA_LEN."""
IPV6_MINIMUM_MTU: Final = 1280
"""RFC 8200, section 5. The kernel turns IPv6 off on a link with a smaller MTU."""

Options = Mapping[str, OptionValue | None]

MacRule = Literal["derived", "inherited", "fixed"]
"""MAC of a link: its own, the parent's unless the file sets one, or always the parent's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of a link and its netlink attribute.

    ``key`` is its name in TOML, JSON and messages; ``attribute`` its number, in IFLA_INFO_DATA
    for an option of a kind, of the link itself for a common one. ``default`` is the kernel's
    value when nothing is sent; a link returns to it when the option leaves the file. ``live``
    options can change on an existing link. ``since`` is the first Linux that knows the option;
    older ones ignore it silently. ``always`` options are sent even if the file leaves them out;
    ``per_parent`` ones are shared by all links of the kind on a parent.
    """

    at_creation: ClassVar[bool] = True
    """Part of the request that makes a link; others are set once it exists."""

    key: str
    help: str = ""
    """What it means, in a line."""
    attribute: int
    live: bool = False
    required: bool = False
    always: bool = False
    per_parent: bool = False
    default: OptionValue | None = None
    since: tuple[int, int] = (0, 0)
    absent: Callable[["Kind", "Options"], bool] = lambda _kind, _options: False
    """Of a common option: whether links of a kind, with some options, can't have it."""

    def canonical(self, value: OptionValue) -> OptionValue:
        """The value as the kernel reports it."""
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Option):
    """An integer from ``minimum`` to ``maximum``."""

    wire: Literal["uint16", "uint32"]
    minimum: int = 0
    maximum: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Option):
    """One of several words, each a number on the wire."""

    wire: Literal["uint16", "uint32", "be16"]
    choices: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag(Option):
    """One bit of an attribute of flags and mask (struct ifla_vlan_flags)."""

    bit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QosMap(Option):
    """Pairs (from, to): nested attributes of struct ifla_vlan_qos_mapping."""

    maximum_from: int
    maximum_to: int

    def canonical(self, value: OptionValue) -> OptionValue:
        """The pairs in order, without those to 0: the kernel's default, which it doesn't list."""
        pairs = value if isinstance(value, tuple) else ()
        return tuple(sorted(pair for pair in pairs if isinstance(pair, tuple) and pair[1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class MacList(Option):
    """Nested MAC addresses; attribute ``command`` says how to apply the list."""

    entry: int
    command: int
    command_set: int
    command_flush: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mac(Option):
    """A MAC address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names(Option):
    """Names, nested as attributes ``entry``; added and removed by messages of their own."""

    at_creation = False

    entry: int

    def canonical(self, value: OptionValue) -> OptionValue:
        """The names in order."""
        names = value if isinstance(value, tuple) else ()
        return tuple(sorted(name for name in names if isinstance(name, str)))


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceFlag(Option):
    """One bit of a link's own flags (struct ifinfomsg)."""

    at_creation = False

    attribute: int = 0
    bit: int


def _no_problems(options: Options) -> Iterator[tuple[str, str, str | None]]:
    del options
    yield from ()


def _derived(options: Options) -> MacRule:
    del options
    return "derived"


RxHandler = Literal["macvlan", "ipvlan"]
"""Drivers that install a receive handler on the parent; a device has room for one."""

SiblingTraffic = Literal["bridge", "hairpin", "none"]
"""How links on one parent reach each other: directly, by a switch that reflects, not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of link (IFLA_INFO_KIND)."""

    name: str
    module: str
    """The kernel module that provides it, for the hint when the kernel lacks the kind."""
    options: tuple[Option, ...] = ()
    has_parent: bool = False
    has_peer: bool = False
    multicast: bool = True
    """IFF_MULTICAST of a new link."""
    default_mtu: int | None = None
    """MTU of a new link; None: the parent's."""
    rx_handler: RxHandler | None = None
    """Receive handler that it installs on its parent: links of the other one don't fit there."""
    attaches_to_real_dev: bool = False
    """On a parent of its own kind it attaches to the real device below."""
    mac: Callable[[Options], MacRule] = _derived
    exclusive: Callable[[Options], bool] = lambda _: False
    """Must be the only link of its kind on its parent."""
    sibling_traffic: Callable[[Options], SiblingTraffic] = lambda _: "bridge"
    accepts_source: Callable[[Options, str], bool] = lambda _options, _mac: True
    """Whether it receives frames from a source MAC."""
    isolated: bool = False
    """Its traffic, and that of links on top of it, never leaves the machine."""
    layer3: Callable[[Options], bool] = lambda _: False
    """Routes only, no ARP or neighbour discovery: a gateway is useless to it."""
    recreate: Callable[[Options, Options], str | None] = lambda _old, _new: None
    """Why a change between two sets of options needs a new link, beyond options not ``live``."""
    problems: Callable[[Options], Iterator[tuple[str, str, str | None]]] = _no_problems
    """Errors in a set of options, beyond each one's type: (key, message, hint)."""

    def option(self, key: str) -> Option | None:
        """The option of that name, or None."""
        return next((option for option in self.options if option.key == key), None)

    def get(self, options: Options, key: str) -> OptionValue | None:
        """The value of ``key`` in ``options``, or else the kernel's default."""
        option = self.option(key)
        return options.get(key, option.default if option else None)
