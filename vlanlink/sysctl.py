"""Sysctls: spelling of keys, order of writes, and side effects of a write. Pure.

The kernel carries some writes to other keys. See net/ipv4/devinet.c
(inet_forward_change) and net/ipv6/addrconf.c (addrconf_forward_change, addrconf_disable_change,
addrconf_sysctl_addr_gen_mode, addrconf_sysctl_ignore_routes_with_linkdown); a test compares this
table with a whole dump of /proc/sys/net before and after.
"""

from collections.abc import Iterable, Mapping
from typing import Final

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

_SWAP: Final = str.maketrans("./", "/.")
_PER_LINK: Final = ("conf", "neigh")
FORWARDING: Final = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}
"""The sysctl that makes a namespace a router, by family."""
FORWARDING_KEYS: Final = frozenset(FORWARDING.values())

_NOT_TO_DEFAULT = ("net/ipv6/conf/all/force_forwarding",)
_NOT_INHERITED = ("net/ipv6/conf/default/mtu",)
"""A new link starts with its own MTU."""
_IPV4_DEFAULT = "net/ipv4/conf/default/"
_IPV4_FORWARD = ("net/ipv4/ip_forward", "net/ipv4/conf/all/forwarding")


def proc_path(key: str) -> str:
    """The path of a sysctl below /proc/sys, by the rule of sysctl(8).

    Whichever of '.' and '/' comes first separates; the other one then stands for it in a name:
    ``net.ipv4.conf.eth0/100.forwarding`` is ``net/ipv4/conf/eth0.100/forwarding``. The settings of
    an interface have no dots, so ``net.ipv4.conf.eth0.100.forwarding`` is that key, too.
    """
    first = next((c for c in key if c in "./"), "/")
    if first == "/":
        return key
    parts = key.translate(_SWAP).split("/")
    if len(parts) > 5 and parts[2] in _PER_LINK:
        parts[3:-1] = [".".join(parts[3:-1])]
    return "/".join(parts)


def is_network_key(key: str) -> bool:
    """Whether a key, dotted or slashed, names a sysctl below /proc/sys/net and nothing else."""
    parts = proc_path(key).split("/")
    plain = key.isprintable() and not any(one.isspace() for one in key)
    return plain and parts[0] == "net" and len(parts) > 2 and not {"", ".", ".."} & set(parts)


def dotted(path: str) -> str:
    """The name of a sysctl as sysctl(8) prints it; the inverse of ``proc_path``."""
    return path.translate(_SWAP)


def link_setting(link: str, key: str, value: int) -> str:
    """An IPv4 setting of a link as an argument of sysctl(8)."""
    return f"{dotted(f'net/ipv4/conf/{link}/{key}')}={value}"


def link_of(key: str) -> str | None:
    """The link that a slashed key is about: ``net/ipv4/conf/eth0/rp_filter`` → eth0."""
    parts = key.split("/")
    if len(parts) == 5 and parts[2] in _PER_LINK and parts[3] not in ("all", "default"):
        return parts[3]
    return None


def default_of(key: str) -> str:
    """Where the value comes from that a new link starts with: ``conf/eth0`` → ``conf/default``."""
    link = link_of(key)
    return key.replace(f"/{link}/", "/default/", 1) if link else key


def is_default(key: str) -> bool:
    """Whether new links start with the value of ``key``: ``net/ipv4/conf/default/rp_filter``."""
    parts = key.split("/")
    starts = len(parts) == 5 and parts[2] in _PER_LINK and parts[3] == "default"
    return starts and key not in _NOT_INHERITED


def heirs(key: str, links: Iterable[str]) -> dict[str, str]:
    """By link, the key that starts with the value of ``key``; none if that is not a default."""
    if not is_default(key):
        return {}
    return {link: key.replace("/default/", f"/{link}/", 1) for link in links}


def side_effects(key: str, value: str, links: Iterable[str]) -> dict[str, str]:
    """What the kernel writes along with ``key`` without fail, for ``links``."""
    pattern = _SPREADING.get(key)
    if pattern is None:
        return {}
    names = {"all", *links}
    names |= {"default"} if key not in _NOT_TO_DEFAULT else set()
    effects = {pattern.replace("*", name): value for name in sorted(names)}
    if key in _IPV4_FORWARD:
        effects |= dict.fromkeys(_IPV4_FORWARD, value)
        effects["net/ipv4/conf/all/accept_redirects"] = "0" if value != "0" else "1"
    effects.pop(key, None)
    return effects


def possible_effects(key: str, value: str, links: Iterable[str]) -> dict[str, str]:
    """What the kernel may write along with ``key``, by a history that can't be read.

    An IPv4 ``default`` goes to each link whose own value was never set, as on one that never had
    an address (net/ipv4/devinet.c, devinet_copy_dflt_conf).
    """
    if not key.startswith(_IPV4_DEFAULT) or key == f"{_IPV4_DEFAULT}forwarding":
        return {}
    name = key.removeprefix(_IPV4_DEFAULT)
    return {f"net/ipv4/conf/{link}/{name}": value for link in links}


def affected(key: str, links: Iterable[str]) -> tuple[str, ...]:
    """The keys to be read before ``key`` is written.

    Itself, what the kernel writes with it, and what links inherit from it.
    """
    links = tuple(links)
    effects = side_effects(key, "", links) | possible_effects(key, "", links)
    return (key, default_of(key), *effects, *heirs(key, links).values())


def write_order(wanted: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The keys of ``wanted`` in the order in which they must be written.

    A key that the kernel carries to others comes before them, so that a value for one interface
    wins. But accept_ra comes before forwarding is turned on (and after it is turned off): in
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
