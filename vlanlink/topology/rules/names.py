"""What things may be called, and that what is named is there."""

from collections.abc import Iterator, Mapping

from vlanlink.errors import Path, Problem, nearest
from vlanlink.kinds import KINDS
from vlanlink.topology.model import NetworkConfig, ShimConfig
from vlanlink.topology.problems import one_of, quote
from vlanlink.topology.rules.index import HOST, Place, RuleIndex, spelled

_LONGEST_LINK = 15
_LONGEST_ALTNAME = 127
_LONGEST_NAMESPACE = 255
_VLAN_IDS = range(1, 4095)

RESERVED_LINKS = ("lo", "all", "default")
RESERVED_NAMESPACES = ("host", "gateway")


def link_name(facts: RuleIndex) -> Iterator[Problem]:
    """The kernel's form for the name of a link (dev_valid_name, IFNAMSIZ)."""
    for path, name, at_key in _link_names(facts):
        wrong = _link_form(name)
        if wrong:
            hint = f"use at most {_LONGEST_LINK} bytes, without blanks, '/', ':' and '%'"
            yield Problem(
                path, f"{quote(name)} can't be a link's name: {wrong}", hint, None, at_key
            )


def link_name_reserved(facts: RuleIndex) -> Iterator[Problem]:
    """Names that the kernel keeps for itself, in /proc/sys/net or for the loopback."""
    for path, name, at_key in _made_names(facts):
        if name in RESERVED_LINKS:
            message = f"{quote(name)} can't be a link's name: the kernel uses it itself"
            yield Problem(path, message, "choose another name", None, at_key)


def _link_names(facts: RuleIndex) -> Iterator[tuple[Path, str, bool]]:
    yield from _made_names(facts)
    for at, route in enumerate(facts.topology.host.routes):
        yield ("host", "routes", at, "dev"), route.dev, False


def _made_names(facts: RuleIndex) -> Iterator[tuple[Path, str, bool]]:
    for place in facts.places:
        at_key = place.path[-1] != "peer"
        yield _name_path(place), place.name, at_key
    for name, network in facts.topology.networks.items():
        if isinstance(network.shim, ShimConfig) and network.shim.name is not None:
            yield ("networks", name, "shim", "name"), network.shim.name, False


def _name_path(place: Place) -> Path:
    return (*place.path, "name") if place.path[-1] == "peer" else place.path


def _link_form(name: str) -> str | None:
    if not name or name in (".", ".."):
        return "it is empty or nothing but dots"
    if any(one in "/:%" or one.isspace() or not one.isprintable() for one in name):
        return "it has a blank, '/', ':', '%' or a control character in it"
    length = len(name.encode("utf-8", "surrogatepass"))
    return f"it has {length} bytes" if length > _LONGEST_LINK else None


def parent_name(facts: RuleIndex) -> Iterator[Problem]:
    """The same form for a parent; a long VLAN name can be had under a short one."""
    for path, name in facts.parents():
        wrong = _link_form(name)
        if wrong:
            yield Problem(
                path, f"{quote(name)} can't be a link's name: {wrong}", _short(facts, name)
            )


def _short(facts: RuleIndex, name: str) -> str:
    implied = facts.implied(name)
    if implied is None:
        return f"name a link of the host, at most {_LONGEST_LINK} bytes"
    parent, number = implied
    return (
        f'make it under a short name, [links.vlan{number}] with parent = "{parent}" and '
        f'id = {number}, and write parent = "vlan{number}"'
    )


def vlan_parent(facts: RuleIndex) -> Iterator[Problem]:
    """``NAME.N`` that is no link of the file stands for VLAN N of NAME, at every level."""
    for path, name in facts.parents():
        implied = facts.implied(name)
        while implied:
            below, number = implied
            if number not in _VLAN_IDS:
                message = f"{quote(name)} means VLAN {number} of {below}, and there is none such"
                yield Problem(path, message, "write a number from 1 to 4094 after the dot")
            implied = facts.implied(below)


def vlan_other_link(facts: RuleIndex) -> Iterator[Problem]:
    """A link of the file called ``NAME.N`` on which something stands is VLAN N of NAME."""
    for path, name in facts.parents():
        at = _first_link(facts, name)
        place, meant = facts.on_host.get(at), spelled(at)
        if place is None or meant is None or meant[1] not in _VLAN_IDS:
            continue
        if facts.touched(*place.path) or _is_vlan(place, meant):
            continue
        below, number = meant
        yield Problem(
            path,
            f"{quote(at)} means VLAN {number} of {below}, and the file has another link of that "
            "name",
            "give that link a name without a dot and a number, and write it here",
            related=place.path,
        )


def _first_link(facts: RuleIndex, name: str) -> str:
    """The name itself if it is a link of the file, else the first below that is."""
    while (implied := facts.implied(name)) is not None:
        name = implied[0]
    return name


def _is_vlan(place: Place, meant: tuple[str, int]) -> bool:
    found = (place.kind and place.kind.name, place.parent, place.options.get("id"))
    return found == ("vlan", *meant)


def vlan_other_name(facts: RuleIndex) -> Iterator[Problem]:
    """A VLAN that ``NAME.N`` would make is not in the file under a name of its own."""
    by_identity = {
        (claim.parent, claim.get("id")): claim
        for claim in reversed(facts.claims)
        if claim.kind.name == "vlan" and claim.get("protocol") == "802.1q"
    }
    for path, name in facts.parents():
        implied = facts.implied(name)
        while implied:
            claim = by_identity.get(implied)
            if claim is not None and not facts.touched(*claim.path):
                below, number = implied
                yield Problem(
                    path,
                    f"VLAN {number} of {below} is in the file under the name {claim.label}",
                    f"write parent = {quote(claim.label)}, or leave {claim.label} out",
                    related=claim.path,
                )
            implied = facts.implied(implied[0])


def altname(facts: RuleIndex) -> Iterator[Problem]:
    """The form of an alternative name."""
    for place in facts.places:
        for at, name in enumerate(place.entry.altnames):
            length = len(name.encode("utf-8", "surrogatepass"))
            strange = any(one == "/" or one.isspace() or not one.isprintable() for one in name)
            if not name or length > _LONGEST_ALTNAME or strange:
                yield Problem(
                    (*place.path, "altnames", at),
                    f"{quote(name)} can't be an alternative name",
                    f"use 1 to {_LONGEST_ALTNAME} bytes, without blanks and '/'",
                )


def name_twice(facts: RuleIndex) -> Iterator[Problem]:
    """Names and alternative names are one set in each namespace."""
    seen: dict[tuple[str, str], tuple[Path, Path]] = {}
    for space, name, path, owner in _all_names(facts):
        before = seen.setdefault((space, name), (path, owner))
        if before[0] != path:
            where = f"in namespace {space}" if space else "on the host"
            yield Problem(
                path,
                f"{quote(name)} is a name of two links {where}"
                if before[1] != owner
                else f"{quote(name)} is a name of this link already",
                "give one of them another name, or leave one out",
                related=before[0],
                at_key=path[-1] != "name" and "altnames" not in path[-2:],
            )


def _all_names(facts: RuleIndex) -> Iterator[tuple[str, str, Path, Path]]:
    for place in facts.places:
        yield place.namespace, place.name, _name_path(place), place.path
    for name, (path, _) in reversed(_shim_names(facts).items()):
        yield HOST, name, path, path
    for place in facts.places:
        for at, name in enumerate(place.entry.altnames):
            yield place.namespace, name, (*place.path, "altnames", at), place.path


def _shim_names(facts: RuleIndex) -> dict[str, tuple[Path, NetworkConfig]]:
    """The names written for shims, each with the first network that has one of the name."""
    found: dict[str, tuple[Path, NetworkConfig]] = {}
    for name, network in facts.topology.networks.items():
        if isinstance(network.shim, ShimConfig) and network.shim.name is not None:
            found.setdefault(network.shim.name, (("networks", name, "shim", "name"), network))
    return found


def shim_shared(facts: RuleIndex) -> Iterator[Problem]:
    """Networks may share a shim, if their endpoints are siblings."""
    first = _shim_names(facts)
    for name, network in facts.topology.networks.items():
        table = network.shim
        if not isinstance(table, ShimConfig) or table.name is None:
            continue
        path, other = first[table.name]
        differing = next((key for key, a, b in _siblings(network, other) if a != b), None)
        if differing and not facts.touched("networks", name, differing):
            yield Problem(
                ("networks", name, "shim", "name"),
                f"the shim {quote(table.name)} can't be that of network {path[1]} as well, "
                f"which has another {differing}",
                "give one of them another name",
                related=path,
            )


def _siblings(one: NetworkConfig, other: NetworkConfig) -> Iterator[tuple[str, object, object]]:
    yield "kind", one.kind, other.kind
    yield "parent", one.parent, other.parent
    kind = KINDS[one.kind]
    for option in kind.options if one.kind == other.kind else ():
        if option.always:
            mine, theirs = kind.get(one.options, option.key), kind.get(other.options, option.key)
            yield option.key, mine, theirs


def namespace_name(facts: RuleIndex) -> Iterator[Problem]:
    """A namespace is a file in /run/netns."""
    for name in facts.topology.namespaces:
        length = len(name.encode("utf-8", "surrogatepass"))
        if (
            name in ("", ".", "..")
            or "/" in name
            or not name.isprintable()
            or length > _LONGEST_NAMESPACE
        ):
            yield Problem(
                ("namespaces", name),
                f"{quote(name)} can't be a namespace's name",
                f"use 1 to {_LONGEST_NAMESPACE} bytes that can name a file, without '/'",
                at_key=True,
            )


def namespace_reserved(facts: RuleIndex) -> Iterator[Problem]:
    """Names that stand for something else in what vlanlink says."""
    for name in RESERVED_NAMESPACES:
        if name in facts.topology.namespaces:
            yield Problem(
                ("namespaces", name),
                f"{quote(name)} can't be a namespace's name: it stands for the {name} itself",
                "choose another name",
                at_key=True,
            )


def network_name(facts: RuleIndex) -> Iterator[Problem]:
    """A network is named on command lines, as TOPOLOGY/NETWORK."""
    for name in facts.topology.networks:
        if not name or "/" in name or any(not one.isprintable() or one.isspace() for one in name):
            yield Problem(
                ("networks", name),
                f"{quote(name)} can't be a network's name",
                "use one word, without blanks and '/'",
                at_key=True,
            )


def unknown_network(facts: RuleIndex) -> Iterator[Problem]:
    """An interface is in a network of this file."""
    known = facts.topology.networks
    for place in facts.places:
        name = place.network
        path = (*place.path, "network")
        if name is None or name in known or facts.touched(*path):
            continue
        if not facts.lost("networks", name):
            yield Problem(path, f"unknown network {quote(name)}", _known(name, known, "networks"))


def unknown_namespace(facts: RuleIndex) -> Iterator[Problem]:
    """The other end of a pair is on the host or in a namespace of this file."""
    known = facts.topology.namespaces
    for place in facts.places:
        name = place.namespace
        if name != HOST and name not in known and not facts.lost("namespaces", name):
            path = (*place.path, "namespace")
            on_host = name in RESERVED_NAMESPACES[:1]
            hint = "leave it out" if on_host else _known(name, known, "namespaces")
            yield Problem(path, f"unknown namespace {quote(name)}", hint)


def _known(name: str, entries: Mapping[str, object], table: str) -> str:
    known = list(entries)
    near = nearest(name, known)
    if near:
        return f"did you mean {quote(near)}?"
    if not known:
        return f"write it under [{table}]"
    return f"the file has {one_of([quote(one) for one in known[:10]])}"
