"""Sysctls: how keys are written, in which order, and what a write changes besides. Pure.

The kernel carries some writes to other keys. What it does stands in net/ipv4/devinet.c
(inet_forward_change) and net/ipv6/addrconf.c (addrconf_forward_change, addrconf_disable_change,
addrconf_sysctl_addr_gen_mode, addrconf_sysctl_ignore_routes_with_linkdown); a test compares this
table with a whole dump of /proc/sys/net before and after.
"""

from collections.abc import Iterable, Mapping

from vlanlink.model import Namespace

_SPREADING = {
    "net/ipv4/ip_forward": "net/ipv4/conf/*/forwarding",
    "net/ipv4/conf/all/forwarding": "net/ipv4/conf/*/forwarding",
    "net/ipv6/conf/all/forwarding": "net/ipv6/conf/*/forwarding",
    "net/ipv6/conf/all/force_forwarding": "net/ipv6/conf/*/force_forwarding",
    "net/ipv6/conf/all/disable_ipv6": "net/ipv6/conf/*/disable_ipv6",
    "net/ipv6/conf/all/addr_gen_mode": "net/ipv6/conf/*/addr_gen_mode",
    "net/ipv6/conf/all/ignore_routes_with_linkdown": (
        "net/ipv6/conf/*/ignore_routes_with_linkdown"
    ),
}
"""A write of the key on the left goes to ``all``, ``default`` and every interface on the right."""

_NOT_TO_DEFAULT = ("net/ipv6/conf/all/force_forwarding",)
_IPV4_DEFAULT = "net/ipv4/conf/default/"
_IPV4_FORWARD = ("net/ipv4/ip_forward", "net/ipv4/conf/all/forwarding")


def slashed(key: str, links: Iterable[str] = ()) -> str:
    """A sysctl as a path under /proc/sys, from either way of writing it (sysctl.d(5)).

    A dotted key may hold an interface whose name has dots itself, if it is one of ``links``.
    """
    first = next((c for c in key if c in "./"), "")
    if first == "/":
        return key
    for name in sorted(links, key=len, reverse=True):
        if "." in name and f".{name}." in key:
            head, _, tail = key.partition(f".{name}.")
            return f"{head.replace('.', '/')}/{name}/{tail.replace('.', '/')}"
    return key.replace(".", "/")


def link_of(key: str) -> str | None:
    """The link that a slashed key is about: ``net/ipv4/conf/eth0/rp_filter`` → eth0."""
    parts = key.split("/")
    if len(parts) == 5 and parts[2] in ("conf", "neigh") and parts[3] not in ("all", "default"):
        return parts[3]
    return None


def default_of(key: str) -> str:
    """Where the value comes from that a new link starts with: ``conf/eth0`` → ``conf/default``."""
    link = link_of(key)
    return key.replace(f"/{link}/", "/default/", 1) if link else key


def side_effects(key: str, value: str, namespace: Namespace | None) -> dict[str, str]:
    """What the kernel writes along with ``key`` without fail, for the links of ``namespace``."""
    pattern = _SPREADING.get(key)
    if pattern is None:
        return {}
    names = {"all", *(namespace.links if namespace else ())}
    names |= {"default"} if key not in _NOT_TO_DEFAULT else set()
    effects = {pattern.replace("*", name): value for name in sorted(names)}
    if key in _IPV4_FORWARD:
        effects |= dict.fromkeys(_IPV4_FORWARD, value)
        effects["net/ipv4/conf/all/accept_redirects"] = "0" if value != "0" else "1"
    effects.pop(key, None)
    return effects


def possible_effects(key: str, value: str, namespace: Namespace | None) -> dict[str, str]:
    """What the kernel may write along with ``key``, by a history that can't be read.

    An IPv4 ``default`` goes to each link whose own value was never set, as on one that never had
    an address (net/ipv4/devinet.c, devinet_copy_dflt_conf).
    """
    if not key.startswith(_IPV4_DEFAULT) or key == f"{_IPV4_DEFAULT}forwarding":
        return {}
    name = key.removeprefix(_IPV4_DEFAULT)
    return {
        f"net/ipv4/conf/{link}/{name}": value for link in (namespace.links if namespace else ())
    }


def affected(key: str, links: Iterable[str]) -> tuple[str, ...]:
    """The keys to be read before ``key`` is written: itself and what the kernel writes with it."""
    namespace = Namespace("", links=dict.fromkeys(links))  # type: ignore[arg-type]
    effects = side_effects(key, "", namespace) | possible_effects(key, "", namespace)
    return (key, default_of(key), *effects)


def write_order(wanted: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The keys of ``wanted`` in the order in which they must be written.

    What spreads comes before what it spreads to, so that a value for one interface has the last
    word. But accept_ra comes before forwarding is turned on (and after it is turned off): in
    between the kernel would drop a default route that a router advertised.
    """
    turning_on = any(
        wanted[key] != "0" and now.get(key) != wanted[key]
        for key in wanted
        if key in ("net/ipv6/conf/all/forwarding",)
    )

    def rank(key: str) -> tuple[int, str]:
        if key.endswith("/accept_ra"):
            return (0 if turning_on else 3, key)
        if key in _SPREADING:
            return (1, str(list(_SPREADING).index(key)))
        if key.startswith(_IPV4_DEFAULT):
            return (1, key)
        return (2, key)

    return sorted(wanted, key=rank)
