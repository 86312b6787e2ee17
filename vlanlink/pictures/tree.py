"""A scene as a tree of lines, for terminals. Pure."""

from collections.abc import Iterator

from vlanlink.dataclass import dataclass
from vlanlink.pictures.scene import Condition, Endpoint, Network, Scene, Wire, cut


@dataclass(frozen=True, slots=True)
class Branch:
    """A line, its condition, and what is below it."""

    text: str
    branches: "tuple[Branch, ...]" = ()
    condition: Condition = ""


def as_tree(scene: Scene, most: int | None = None) -> Branch:
    """The tree; with ``most``, of each network no more endpoints than that."""
    found = [_wire(wire, most) for wire in scene.wires]
    found += [Branch(f"host: {words}") for words in scene.host]
    pairs = [Branch(f"{_words(a)} — {_words(b)}") for a, b in scene.pairs]
    found += [Branch("veth pairs", tuple(pairs))] if pairs else []
    title = f"{scene.topology}: {scene.live}" if scene.live else scene.topology
    return Branch(title, tuple(found))


def _wire(wire: Wire, most: int | None) -> Branch:
    below = [
        *(_endpoint(one) for one in wire.endpoints),
        *(_network(one, most) for one in wire.networks),
        *(_wire(one, most) for one in wire.vlans),
    ]
    return Branch(f"{wire.name}  {wire.what}", tuple(below))


def _network(network: Network, most: int | None) -> Branch:
    shown, left = cut(network, most) if most else (network, 0)
    below = [_endpoint(one) for one in shown.endpoints]
    below += [Branch(f"shim: {network.shim}")] if network.shim else []
    below += [Branch(f"+{left} more")] if left else []
    return Branch("  ".join([network.name, network.kind, *network.subnets]), tuple(below))


def _endpoint(one: Endpoint) -> Branch:
    return Branch(_words(one), tuple(Branch(note) for note in one.notes), one.condition)


def _words(one: Endpoint) -> str:
    return "  ".join(_parts(one))


def _parts(one: Endpoint) -> Iterator[str]:
    yield f"{one.name} (router)" if one.routes else one.name
    yield from one.addresses
    if one.mac:
        yield one.mac
