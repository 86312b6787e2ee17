"""What else decides about a namespace's packets: policy rules and packet filters."""

from contextlib import closing, suppress

from vlanlink.dataclass import dataclass
from vlanlink.kernel.iptables import read_legacy_filters
from vlanlink.kernel.modules import presence
from vlanlink.kernel.netlink.nftables import NETLINK_NETFILTER, FilterChain, read_filters
from vlanlink.kernel.netlink.rules import Rule, read_rules
from vlanlink.kernel.netlink.socket import Socket
from vlanlink.kernel.packet.neighbours import Hop, next_hop


@dataclass(frozen=True, slots=True)
class Policy:
    """A namespace's routing policy and packet filters. What can't be read is absent."""

    rules: tuple[Rule, ...] = ()
    chains: tuple[FilterChain, ...] = ()
    """Those that drop packets."""


def read_policy() -> Policy:
    """The policy of the calling thread's namespace.

    Loads no module: where that of nftables is not loaded, there is no rule.
    """
    rules: tuple[Rule, ...] = ()
    chains: tuple[FilterChain, ...] = ()
    with suppress(OSError), closing(Socket()) as rtnetlink:
        rules = read_rules(rtnetlink)
    if presence("nf_tables") != "loadable":
        with suppress(OSError), closing(Socket(NETLINK_NETFILTER)) as netfilter:
            chains = read_filters(netfilter)
    with suppress(OSError):
        chains += tuple(read_legacy_filters())
    return Policy(rules, chains)


def kernel_route(address: str, index: int | None, source: str | None) -> Hop | None:
    """The kernel's own route from the calling thread's namespace; None if it has none."""
    with suppress(OSError), closing(Socket()) as rtnetlink:
        return next_hop(rtnetlink, address, index, source)
    return None
