"""The one judge of equality: everything that `ip` and /proc/sys show.

Two dumps are equal if all fields are, except for a few volatile ones. `same` polls, because the
kernel cleans up namespaces in the background.
"""

import json
from typing import Any

from tests.kernel.world import World, until

VOLATILE = {
    # counters that any packet moves
    "stats",
    "stats64",
    # seconds left of what a router advertised
    "expires",
    "valid_life_time",
    "preferred_life_time",
    # the kernel's numbers for namespaces, given in the order of first contact
    "link_netnsid",
    "nsid",
    # kept by the kernel once a link was up: what it was put on before it goes down again
    "qdisc",
    # what a bridge does next, and when
    "gc_timer",
    # a link that was never up is UNKNOWN or DOWN, afterwards DOWN
    "operstate",
    # how many in all, also of what other links of the parent asked for and gave back
    "carrier_changes",
}

TREES = ("net/ipv4/conf", "net/ipv6/conf")
SINGLE = ("net/ipv4/ip_forward",)


def dump(world: World, *namespaces: str, sysctls: bool = True) -> dict[str, Any]:
    """All of the host's network and that of the named namespaces."""

    def settled() -> dict[str, Any] | None:
        found = _dump(world, namespaces)
        return found if all(map(_is_settled, list(found.values())[1:])) else None

    found: dict[str, Any] = until(settled, "carriers and IPv6 addresses")
    if sysctls:
        found["sysctls"] = host_sysctls(world)
    return found


def _dump(world: World, namespaces: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {"netns": sorted(world.namespaces())}
    for namespace in ("", *namespaces):
        lines = "link show\naddr show\nroute show table all\nrule show\n"
        output = world.run("ip -j -d -batch -", namespace, stdin=lines).stdout
        link, addr, route, rule = arrays(output)
        found[namespace or "host"] = {
            "link": _by(link, "ifname"),
            "addr": _by(addr, "ifname"),
            "route": _sorted(route),
            "rule": _sorted(rule),
            "rule6": _sorted(world.json("-6 rule show", namespace)),
        }
    return found


def _is_settled(network: dict[str, Any]) -> bool:
    """False while a carrier is news, or duplicate address detection runs or has yet to add a route.

    Work queues do it (linkwatch_event, addrconf_dad_work), the first up to a second later.
    """
    if any(
        "LOWER_UP" in link["flags"] and link["operstate"] in {"DOWN", "LOWERLAYERDOWN"}
        for link in network["link"].values()
    ):
        return False
    routes = {route["dst"] for route in network["route"] if route.get("type") == "local"}
    return all(
        address["local"] in routes and not address.get("tentative")
        for link in network["addr"].values()
        if "LOWER_UP" in link["flags"]
        for address in link["addr_info"]
        if address["family"] == "inet6" and not address.get("dadfailed")
    )


def host_sysctls(world: World, namespace: str = "") -> dict[str, str]:
    """All interface sysctls of a namespace, except unreadable ones."""
    root = "/proc/sys/"
    trees = [root + tree for tree in (*TREES, *SINGLE)]
    # stable_secret can't be read before it is set; grep reports that and continues.
    lines = world.run(["grep", "-r", "", *trees], namespace, check=False).stdout.splitlines()
    return {
        key: " ".join(value.split())
        for key, _, value in (line.removeprefix(root).partition(":") for line in lines)
    }


def same(world: World, before: dict[str, Any], *namespaces: str) -> None:
    """Assert that the machine becomes as in ``before`` within the bound."""
    left: list[str] = []

    def equal() -> bool:
        left[:] = differences(before, dump(world, *namespaces, sysctls="sysctls" in before))
        return not left

    try:
        until(equal)
    except AssertionError:
        raise AssertionError("differs from before:\n" + "\n".join(left[:20])) from None


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """The paths at which two dumps differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for key in sorted(old.keys() | new.keys(), key=str):
            if key not in VOLATILE:
                found += differences(old.get(key), new.get(key), f"{path}.{key}")
        return found
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [
            d
            for i, (a, b) in enumerate(zip(old, new, strict=True))
            for d in differences(a, b, f"{path}[{i}]")
        ]
    if isinstance(old, list) and isinstance(new, list):
        gone = [f"{path}: no longer {item!r}" for item in old if item not in new]
        return gone + [f"{path}: new {item!r}" for item in new if item not in old] or [path]
    return [] if old == new else [f"{path}: {old!r} → {new!r}"]


def arrays(text: str) -> list[list[dict[str, Any]]]:
    """The JSON arrays of a batch, printed one after the other."""
    decoder, found, offset = json.JSONDecoder(), [], 0
    while text[offset:].strip():
        offset += len(text[offset:]) - len(text[offset:].lstrip())
        value, offset = decoder.raw_decode(text, offset)
        found.append(value)
    return found


def _by(rows: list[dict[str, Any]], key: str) -> dict[str, Any]:
    for flags in (row["flags"] for row in rows if "LOWER_UP" in row.get("flags", ())):
        if "NO-CARRIER" in flags:  # the carrier is up, but the kernel has yet to update the flag
            flags.remove("NO-CARRIER")
    for row in rows:
        row.get("altnames", []).sort()  # listed in the order in which they were added
    return {row[key]: row for row in rows if row}


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(
        rows, key=lambda row: sorted((k, str(v)) for k, v in row.items() if k not in VOLATILE)
    )
