"""Valid names, and references to things that the file defines."""

import re
from collections.abc import Iterator, Mapping

from vlanlink.errors import Path, Problem, nearest
from vlanlink.host import HOST
from vlanlink.kinds import KINDS
from vlanlink.kinds.vlan import VLAN_IDS, spelled_vlan
from vlanlink.topology.mac_parents import is_by_mac
from vlanlink.topology.model import NetworkConfig
from vlanlink.topology.parts import ShimConfig
from vlanlink.topology.problems import one_of, quote
from vlanlink.topology.rules.index import Claim, Place, RuleIndex

_LONGEST_LINK = 15
_LONGEST_ALTNAME = 127
_LONGEST_NAMESPACE = 255

RESERVED_LINKS = ("lo", "all", "default")
RESERVED_NAMESPACES = ("host", "gateway")


def link_name(index: RuleIndex) -> Iterator[Problem]:
    """Link names are valid for the kernel (dev_valid_name, IFNAMSIZ)."""
    for path, name, at_key in _link_names(index):
        wrong = _link_form(name)
        if wrong:
            message = f"{quote(name)} is not a valid link name: {wrong}"
            hint = f"use at most {_LONGEST_LINK} bytes, without spaces, '/', ':' and '%'"
            yield Problem(path, message, hint, at_key=at_key)


def link_name_reserved(index: RuleIndex) -> Iterator[Problem]:
    """The kernel reserves names for the loopback and in /proc/sys/net."""
    for path, name, at_key in _made_names(index):
        if name in RESERVED_LINKS:
            message = f"{quote(name)} is not a valid link name: the kernel reserves it"
            yield Problem(path, message, "choose another name", at_key=at_key)


def _link_names(index: RuleIndex) -> Iterator[tuple[Path, str, bool]]:
    yield from _made_names(index)
    for at, route in enumerate(index.topology.host.routes):
        yield ("host", "routes", at, "dev"), route.dev, False


def _made_names(index: RuleIndex) -> Iterator[tuple[Path, str, bool]]:
    for place in index.places:
        at_key = place.path[-1] != "peer"
        yield _name_path(place), place.name, at_key
    for name, network in index.topology.networks.items():
        if isinstance(network.shim, ShimConfig) and network.shim.name is not None:
            yield ("networks", name, "shim", "name"), network.shim.name, False


def _name_path(place: Place) -> Path:
    return (*place.path, "name") if place.path[-1] == "peer" else place.path


def _link_form(name: str, longest: int = _LONGEST_LINK) -> str | None:
    if not name or name in (".", ".."):
        return "empty or only dots"
    if any(one in "/:%" or one.isspace() or not one.isprintable() for one in name):
        return "it contains a space, '/', ':', '%' or a control character"
    length = len(name.encode("utf-8", "surrogatepass"))
    return f"{length} bytes" if length > longest else None


def parent_name(index: RuleIndex) -> Iterator[Problem]:
    """So are parents; the hint gives a VLAN with a long name a short one."""
    for path, name in index.parents():
        wrong = None if is_by_mac(name) else _parent_form(index, name)
        if wrong and index.implied(name) not in index.vlans:
            message = f"{quote(name)} is not a valid link name: {wrong}"
            yield Problem(path, message, _short(index, name))


def _parent_form(index: RuleIndex, name: str) -> str | None:
    """A name that no VLAN gets may be an altname, which can be longer."""
    longest = _LONGEST_LINK if index.implied(name) else _LONGEST_ALTNAME
    return _link_form(name, longest)


def _short(index: RuleIndex, name: str) -> str:
    implied = index.implied(name)
    meant = re.fullmatch(r"\s*([^\s:/@%]+?)(?:[:/@]([0-9]+))?(?:@[^\s]+)?\s*", name)
    if meant and (meant[2] or _link_form(meant[1]) is None):
        return f'write "{meant[1]}{f".{meant[2]}" if meant[2] else ""}"'
    if implied is None:
        return f"write the name of a link on the host, at most {_LONGEST_LINK} bytes"
    parent, number = implied
    names = (f"vlan{number}", f"v{number}", *(f"v{number}-{at}" for at in range(1, 100)))
    short = next(one for one in names if not index.has_link(one))
    return (
        f'define it under a short name: [links.{short}] with parent = "{parent}" and '
        f'id = {number}, then write parent = "{short}"'
    )


def parent_loopback(index: RuleIndex) -> Iterator[Problem]:
    """The loopback carries no other links."""
    for path, name in index.parents():
        below: str | None = name
        while below and (implied := index.implied(below)):
            below = implied[0]
        if below == "lo":
            hint = 'write the name of a NIC, such as "eth0"'
            yield Problem(path, "the loopback can't be a parent", hint)


def vlan_parent(index: RuleIndex) -> Iterator[Problem]:
    """``NAME.N`` is VLAN N of NAME, at every level, unless the file defines a link of that name."""
    for path, name in index.parents():
        implied = index.implied(name)
        while implied:
            below, number = implied
            if number not in VLAN_IDS:
                message = f"VLAN id {number} is out of range"
                hint = f"{below}.N is VLAN N of {below}: write a number from 1 to 4094"
                yield Problem(path, message, hint)
            implied = index.implied(below)


def vlan_other_link(index: RuleIndex) -> Iterator[Problem]:
    """A link that the file calls ``NAME.N`` and uses as a parent is VLAN N of NAME."""
    for path, name in index.parents():
        at = _first_link(index, name)
        place, meant = index.on_host.get(at), spelled_vlan(at)
        if place is None or meant is None or meant[1] not in VLAN_IDS:
            continue
        if index.touched(*place.path) or _is_vlan(place, meant):
            continue
        below, number = meant
        yield Problem(
            path,
            f"{quote(at)} means VLAN {number} of {below}, but the file defines another link of "
            "that name",
            "rename that link so that its name does not end in a dot and a number, and use the new "
            "name here",
            related=place.path,
        )


def _first_link(index: RuleIndex, name: str) -> str:
    """The name itself if the file defines it, else the first link below that it defines."""
    while (implied := index.implied(name)) is not None:
        name = implied[0]
    return name


def _is_vlan(place: Place, meant: tuple[str, int]) -> bool:
    found = (place.kind and place.kind.name, place.parent, place.options.get("id"))
    return found == ("vlan", *meant)


def vlan_other_name(index: RuleIndex) -> Iterator[Problem]:
    """A VLAN that ``NAME.N`` would create is not defined under another name."""
    for path, name in index.parents():
        implied = index.implied(name)
        while implied:
            claim = index.vlans.get(implied)
            if claim is not None and not index.touched(*claim.path):
                message = f"the file defines VLAN {implied[1]} of {implied[0]} as {claim.label}"
                yield Problem(path, message, _use(claim), related=claim.path)
            implied = index.implied(implied[0])


def _use(claim: Claim) -> str:
    if claim.path[0] == "links":
        return f"write parent = {quote(claim.label)}, or remove {claim.label}"
    return f"write another parent, or remove {claim.label}"


def altname(index: RuleIndex) -> Iterator[Problem]:
    """Altnames are valid for the kernel."""
    for place in index.places:
        for at, name in enumerate(place.entry.altnames):
            length = len(name.encode("utf-8", "surrogatepass"))
            strange = any(one == "/" or one.isspace() or not one.isprintable() for one in name)
            if not name or length > _LONGEST_ALTNAME or strange:
                yield Problem(
                    (*place.path, "altnames", at),
                    f"{quote(name)} is not a valid altname",
                    f"use 1 to {_LONGEST_ALTNAME} bytes, without spaces and '/'",
                )


def name_twice(index: RuleIndex) -> Iterator[Problem]:
    """Names and altnames are unique in each namespace."""
    seen: dict[tuple[str, str], tuple[Path, Path]] = {}
    for space, name, path, owner in _all_names(index):
        before = seen.setdefault((space, name), (path, owner))
        if before[0] != path:
            where = f"in namespace {space}" if space else "on the host"
            yield Problem(
                path,
                f"two links {where} are named {quote(name)}"
                if before[1] != owner
                else f"{quote(name)} is already a name of this link",
                "rename or remove one of them",
                related=before[0],
                at_key=path[-1] != "name" and "altnames" not in path[-2:],
            )


def _all_names(index: RuleIndex) -> Iterator[tuple[str, str, Path, Path]]:
    for place in index.places:
        yield place.namespace, place.name, _name_path(place), place.path
    for name, (path, _) in reversed(_shim_names(index).items()):
        yield HOST, name, path, path
    for place in index.places:
        for at, name in enumerate(place.entry.altnames):
            yield place.namespace, name, (*place.path, "altnames", at), place.path


def _shim_names(index: RuleIndex) -> dict[str, tuple[Path, NetworkConfig]]:
    """The names of shims, each with the first network that uses it."""
    found: dict[str, tuple[Path, NetworkConfig]] = {}
    for name, network in index.topology.networks.items():
        if isinstance(network.shim, ShimConfig) and network.shim.name is not None:
            found.setdefault(network.shim.name, (("networks", name, "shim", "name"), network))
    return found


def shim_shared(index: RuleIndex) -> Iterator[Problem]:
    """Networks share a shim only if their endpoints are siblings."""
    first = _shim_names(index)
    for name, network in index.topology.networks.items():
        table = network.shim
        if not isinstance(table, ShimConfig) or table.name is None:
            continue
        path, other = first[table.name]
        differing = next((key for key, a, b in _siblings(network, other) if a != b), None)
        if differing and not index.touched("networks", name, differing):
            yield Problem(
                ("networks", name, "shim", "name"),
                f"networks {name} and {path[1]} can't share the shim {quote(table.name)}: "
                f"their {differing} differs",
                "give one of the shims another name",
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


def namespace_name(index: RuleIndex) -> Iterator[Problem]:
    """A namespace's name is that of a file in /run/netns."""
    for name in index.topology.namespaces:
        length = len(name.encode("utf-8", "surrogatepass"))
        if (
            name in ("", ".", "..")
            or "/" in name
            or not name.isprintable()
            or length > _LONGEST_NAMESPACE
        ):
            yield Problem(
                ("namespaces", name),
                f"{quote(name)} is not a valid namespace name",
                f"use 1 to {_LONGEST_NAMESPACE} bytes that are a valid file name",
                at_key=True,
            )


def namespace_reserved(index: RuleIndex) -> Iterator[Problem]:
    """Names that mean something else in vlanlink's output."""
    for name in RESERVED_NAMESPACES:
        if name in index.topology.namespaces:
            yield Problem(
                ("namespaces", name),
                f"{quote(name)} is not a valid namespace name: it stands for the {name} itself",
                "choose another name",
                at_key=True,
            )


def network_name(index: RuleIndex) -> Iterator[Problem]:
    """Networks are named on command lines, as TOPOLOGY/NETWORK."""
    for name in index.topology.networks:
        if not name or "/" in name or any(not one.isprintable() or one.isspace() for one in name):
            yield Problem(
                ("networks", name),
                f"{quote(name)} is not a valid network name",
                "use one word, without spaces and '/'",
                at_key=True,
            )


def unknown_network(index: RuleIndex) -> Iterator[Problem]:
    """An interface's network is defined in the file."""
    known = index.topology.networks
    for place in index.places:
        name = place.network
        path = (*place.path, "network")
        if name is None or name in known or index.touched(*path):
            continue
        if not index.lost("networks", name):
            yield Problem(path, f"unknown network {quote(name)}", _known(name, known, "networks"))


def unknown_namespace(index: RuleIndex) -> Iterator[Problem]:
    """A peer is on the host or in a namespace that the file defines."""
    known = index.topology.namespaces
    for place in index.places:
        name = place.namespace
        if name != HOST and name not in known and not index.lost("namespaces", name):
            path = (*place.path, "namespace")
            on_host = name in RESERVED_NAMESPACES[:1]
            hint = (
                "remove namespace: the host is the default"
                if on_host
                else _known(name, known, "namespaces")
            )
            yield Problem(path, f"unknown namespace {quote(name)}", hint)


def _known(name: str, entries: Mapping[str, object], table: str) -> str:
    known = list(entries)
    near = nearest(name, known)
    if near:
        return f"did you mean {quote(near)}?"
    if not known:
        return f"define it under [{table}]"
    return f"the file defines {one_of([quote(one) for one in known[:10]])}"
