"""Whatever comes in, a Topology or a TopologyError comes out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlanlink.errors import Diagnostic, TopologyError
from vlanlink.topology import (
    DefaultRouteConfig,
    HostRouteConfig,
    InterfaceConfig,
    NamespaceConfig,
    NetworkConfig,
    PeerConfig,
    ShimConfig,
    SubnetConfig,
    Topology,
    load,
    parse,
)
from vlanlink.topology.export import as_mapping, to_toml
from vlanlink.topology.tables import ALL_OPTIONS, keys_of

CASES = Path(__file__).parents[2] / "cases" / "broken"
TEXTS = [file.with_suffix(".toml").read_text("utf-8") for file in sorted(CASES.glob("*.txt"))]


def taken_or_refused(read: Callable[[], Topology]) -> tuple[Diagnostic, ...]:
    try:
        topology = read()
    except TopologyError as error:
        assert error.diagnostics  # noqa: PT017 - being refused is as good as being taken
        assert str(error)  # noqa: PT017
        return error.diagnostics
    assert load(as_mapping(topology)) == topology
    assert parse(to_toml(topology)) == topology
    return topology.warnings


def placed_or_taken(text: str) -> None:
    assert all(one.line and one.column for one in taken_or_refused(lambda: parse(text)))


@given(st.binary(max_size=200))
def test_bytes(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "fuzz.toml"
    file.write_bytes(data)
    taken_or_refused(lambda: load(file))


@given(st.text(st.characters(), max_size=200))
def test_text(text: str) -> None:
    placed_or_taken(text)


@given(st.text(st.sampled_from("[]{}=.,\"'\n\t #ab1-"), max_size=80))
def test_nearly_toml(text: str) -> None:
    placed_or_taken(text)


@given(st.data())
def test_damaged_topologies(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(TEXTS))
    at = data.draw(st.integers(0, len(text)))
    more = data.draw(st.integers(0, 12))
    placed_or_taken(text[:at] + data.draw(st.text(max_size=4)) + text[at + more :])


TABLES = (
    Topology,
    NetworkConfig,
    SubnetConfig,
    NamespaceConfig,
    InterfaceConfig,
    PeerConfig,
    HostRouteConfig,
    DefaultRouteConfig,
    ShimConfig,
)
KEYS = st.sampled_from(
    sorted(
        {key for table in TABLES for key in keys_of(table)}
        | {*ALL_OPTIONS, "topology", "name", "eth0", "a"}
    )
)
VALUES = st.sampled_from(
    [0, 1, 5000, -1, 1.5, True, False, "", "a", "eth0", "eth0.5000", "10.0.0.0/8", "10.0.0.1/8",
     "10.0.0.1", "2001:db8::/64", "fe80::1", "auto", "dhcp", "default", "macvlan", "ipvlan", "vlan",
     "veth", "dummy", "bridge", "passthru", "l3", "02:00:00:00:00:01", "static", "off", "slaac"]
)  # fmt: skip
TREES: st.SearchStrategy[Any] = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)


@given(st.dictionaries(KEYS, TREES, max_size=5))
def test_trees(tree: dict[str, Any]) -> None:
    taken_or_refused(lambda: load(tree))


LINK = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["vlan", "macvlan", "ipvlan", "veth", "dummy"]),
        "parent": st.sampled_from(["eth0", "a", "b", "eth0.5", "a.5", "eth0.0"]),
        "network": st.sampled_from(["p", "q"]),
        "id": st.integers(1, 3),
        "mode": st.sampled_from(["bridge", "passthru", "l2", "l3"]),
        "addresses": st.lists(
            st.sampled_from(["10.0.0.1", "10.0.0.2/8", "10.0.0.0/8", "fd00::1/64", "auto", "bad"]),
            max_size=3,
        ),
        "mtu": st.sampled_from([1000, 1500, 1]),
        "mac": st.sampled_from(["02:00:00:00:00:01", "03:00:00:00:00:01"]),
        "peer": st.fixed_dictionaries({"name": st.sampled_from(["a", "z"])}),
        "up": st.booleans(),
        "routes": st.lists(
            st.fixed_dictionaries(
                {"to": st.sampled_from(["default", "10.0.0.0/8", "::/0", "x"])},
                optional={"via": st.sampled_from(["10.0.0.1", "fe80::1"]), "metric": st.just(1)},
            ),
            max_size=2,
        ),
    },
)
NETWORKS = st.fixed_dictionaries(
    {"kind": st.sampled_from(["macvlan", "ipvlan"])},
    optional={
        "parent": st.sampled_from(["eth0", "a", "b", "eth0.5"]),
        "mode": st.sampled_from(["bridge", "passthru", "l2", "l3"]),
        "subnets": st.lists(
            st.fixed_dictionaries(
                {"subnet": st.sampled_from(["10.0.0.0/8", "10.0.0.1/8", "fd00::/64"])},
                optional={"gateway": st.sampled_from(["10.0.0.1", "11.0.0.1", "fd00::1", "no"])},
            ),
            max_size=2,
        ),
    },
)


@given(
    st.dictionaries(st.sampled_from("ab"), LINK),
    st.dictionaries(st.sampled_from("pq"), NETWORKS),
    st.dictionaries(st.sampled_from("xy"), st.dictionaries(st.sampled_from("ef"), LINK)),
)
def test_nearly_right_topologies(
    links: dict[str, Any], networks: dict[str, Any], spaces: dict[str, Any]
) -> None:
    namespaces = {name: {"interfaces": interfaces} for name, interfaces in spaces.items()}
    tree = {
        "topology": {"name": "x"},
        "links": links,
        "networks": networks,
        "namespaces": namespaces,
    }
    taken_or_refused(lambda: load(tree))


@pytest.mark.parametrize("text", TEXTS)
def test_each_prefix_of_a_broken_file(text: str) -> None:
    for end in range(0, len(text), 7):
        placed_or_taken(text[:end])
