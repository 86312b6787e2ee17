"""What a link kind is: a name, its options, and the few rules that its links keep."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

OptionValue = str | int | bool | tuple[str, ...] | tuple[tuple[int, int], ...]
"""What an option can hold: a choice, a number, a flag, a list of MACs, pairs of a QoS map."""

Options = Mapping[str, OptionValue | None]

MacRule = Literal["derived", "inherited", "fixed"]
"""Whose MAC a link has: one of its own, the parent's unless the file says, the parent's always."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of a kind, and how it travels.

    ``key`` is its name in TOML, JSON and messages; ``attribute`` its number in IFLA_INFO_DATA.
    ``default`` is what the kernel has when nothing is sent: a link from which the option is
    removed goes back to it. ``live`` tells whether the kernel changes it on an existing link.
    ``since`` is the Linux that first knows it; one before passes over it in silence.
    ``always`` marks what is sent even if the file leaves it out, ``per_parent`` what all links of
    the kind on one parent share.
    """

    key: str
    attribute: int
    live: bool = False
    required: bool = False
    always: bool = False
    per_parent: bool = False
    default: OptionValue | None = None
    since: tuple[int, int] = (0, 0)

    def canonical(self, value: OptionValue) -> OptionValue:
        """A value as the kernel reads it back."""
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Option):
    """An integer from ``minimum`` to ``maximum``."""

    wire: Literal["uint16", "uint32"]
    minimum: int = 0
    maximum: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Option):
    """One of some words, a number each on the wire."""

    wire: Literal["uint16", "uint32", "be16"]
    choices: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag(Option):
    """One bit of an attribute that holds flags and a mask (struct ifla_vlan_flags)."""

    bit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QosMap(Option):
    """Pairs (from, to), nested attributes of struct ifla_vlan_qos_mapping."""

    maximum_from: int
    maximum_to: int

    def canonical(self, value: OptionValue) -> OptionValue:
        """The pairs in order; one that maps to 0 is none to the kernel."""
        pairs = value if isinstance(value, tuple) else ()
        return tuple(sorted(pair for pair in pairs if isinstance(pair, tuple) and pair[1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class MacList(Option):
    """MAC addresses, nested; ``command`` is the attribute that says what to do with the list."""

    entry: int
    command: int
    command_set: int
    command_flush: int


def _no_problems(options: Options) -> Iterator[tuple[str, str, str | None]]:
    del options
    yield from ()


def _derived(options: Options) -> MacRule:
    del options
    return "derived"


Siblings = Literal["direct", "switch", "never"]
"""How two links on one parent reach each other: by themselves, if the switch sends back, not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of link (IFLA_INFO_KIND)."""

    name: str
    module: str
    """The kernel module that brings it, for the hint when the kernel does not know the kind."""
    options: tuple[Option, ...] = ()
    has_parent: bool = False
    has_peer: bool = False
    takes_over_parent: bool = False
    """It receives in the parent's place (rx_handler): no other such kind fits on that parent."""
    flattens: bool = False
    """On a parent of its own kind it attaches to the real device below."""
    straight_into_namespace: bool = True
    """The kernel can make it in another namespace than its parent's."""
    mac: Callable[[Options], MacRule] = _derived
    alone: Callable[[Options], bool] = lambda _: False
    """It suffers no second link of its kind on its parent."""
    siblings: Callable[[Options], Siblings] = lambda _: "direct"
    admits: Callable[[Options, str], bool] = lambda _options, _mac: True
    """Whether it lets in what a MAC sends."""
    leads_nowhere: bool = False
    """What is sent by it, and by the links on it, leaves the machine nowhere."""
    routed: Callable[[Options], bool] = lambda _: False
    """It has no neighbours, only routes: no gateway is of use to it."""
    recreate: Callable[[Options, Options], str | None] = lambda _old, _new: None
    """Why a change between two sets of options needs a new link, beyond options not ``live``."""
    problems: Callable[[Options], Iterator[tuple[str, str, str | None]]] = _no_problems
    """What is wrong with a set of options, beyond each one's type: (key, message, hint)."""

    def option(self, key: str) -> Option | None:
        """The option of that name, or None."""
        return next((option for option in self.options if option.key == key), None)

    def get(self, options: Options, key: str) -> OptionValue | None:
        """What ``options`` say for ``key``, or else the kernel's default."""
        option = self.option(key)
        return options.get(key, option.default if option else None)
