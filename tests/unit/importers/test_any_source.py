"""Whatever the source: the result validates, or the source is refused with exit code 2."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import vlanlink

WORDS = st.sampled_from(
    [
        *("", "pub", "web", "eth0", "eth0.50", "eth0.5000", "lo", "a b", "host", "x" * 300),
        *("$IP", "${A}", "10.0.0.0/24", "10.0.0.5", "10.0.0.1", "10.0.0.300", "10.0.0.0/8"),
        *("fd00::/64", "fd00::5", "224.0.0.1", "0.0.0.0/0", "127.0.0.1", "macvlan", "ipvlan"),
        *("bridge", "l3", "passthru", "true", "02:42:0a:00:00:05", "ff:ff:ff:ff:ff:ff"),
        *("default", "none", "service:web", "\x1b[2J", "é\u202e", "net.ipv4.ip_forward=1"),
        *("net.ipv4.conf.IFNAME.forwarding=1,x=2", "9" * 30, "-1", "\ud800"),
    ]
)
SCALARS = st.one_of(WORDS, st.none(), st.booleans(), st.integers(-2, 2**40), st.text(max_size=8))
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=6,
)


def table(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A table with some of the keys, each what it should be or anything."""
    optional = {key: st.one_of(value, ANYTHING) for key, value in keys.items()}
    return st.fixed_dictionaries({}, optional=optional)


POOL = table(
    subnet=WORDS, gateway=WORDS, ip_range=WORDS, aux_addresses=st.dictionaries(WORDS, WORDS)
)
NETWORK = table(
    driver=st.sampled_from(["macvlan", "ipvlan", "bridge"]),
    driver_opts=st.dictionaries(
        st.sampled_from(["parent", "macvlan_mode", "ipvlan_mode", "ipvlan_flag", "mtu", "x"]), WORDS
    ),
    ipam=table(config=st.lists(POOL, max_size=3), driver=WORDS),
    internal=st.booleans(),
    enable_ipv6=st.booleans(),
    external=st.booleans(),
    name=WORDS,
)
ENDPOINT = table(
    ipv4_address=WORDS,
    ipv6_address=WORDS,
    mac_address=WORDS,
    priority=SCALARS,
    gw_priority=SCALARS,
    interface_name=WORDS,
    link_local_ips=st.lists(WORDS, max_size=2),
)
SERVICE = table(
    networks=st.one_of(
        st.lists(WORDS, max_size=3), st.dictionaries(WORDS, st.one_of(ENDPOINT, st.none()))
    ),
    network_mode=WORDS,
    container_name=WORDS,
    mac_address=WORDS,
    sysctls=st.one_of(st.lists(WORDS, max_size=3), st.dictionaries(WORDS, SCALARS)),
    ports=st.lists(WORDS, max_size=2),
    dns=st.one_of(WORDS, st.lists(WORDS, max_size=2)),
    depends_on=st.lists(WORDS, max_size=2),
    deploy=table(replicas=st.integers(0, 3)),
)
COMPOSE = st.fixed_dictionaries(
    {
        "services": st.dictionaries(WORDS, SERVICE, max_size=4),
        "networks": st.dictionaries(WORDS, NETWORK, max_size=4),
    }
)


def converted(text: str, **options: Any) -> None:
    """The result validates, says what it says in printable text, and is stable."""
    try:
        found = vlanlink.convert("x", text=text, **options)
    except (vlanlink.TopologyError, vlanlink.UsageError):
        return
    assert vlanlink.load("x.toml", text=found.text) == found.topology
    assert vlanlink.load(vlanlink.as_mapping(found.topology)) == found.topology
    assert all(line.isprintable() for line in found.text.split("\n"))
    assert set(found.decisions) <= set(found.warnings)
    json.dumps(found.to_dict()).encode()


@given(COMPOSE)
def test_any_compose_file(document: Any) -> None:
    converted(json.dumps(document))


@given(COMPOSE)
def test_any_compose_file_as_yaml(document: Any) -> None:
    converted(json.dumps(document, ensure_ascii=True), source_format="compose")


INSPECT_NETWORK = table(
    Name=WORDS,
    Driver=st.sampled_from(["macvlan", "ipvlan"]),
    IPAM=table(Config=st.lists(table(Subnet=WORDS, Gateway=WORDS, IPRange=WORDS), max_size=2)),
    Options=st.dictionaries(st.sampled_from(["parent", "macvlan_mode", "mode"]), WORDS),
    ConfigFrom=table(Network=WORDS),
    Containers=st.dictionaries(
        WORDS, table(Name=WORDS, IPv4Address=WORDS, IPv6Address=WORDS, MacAddress=WORDS)
    ),
)


@given(st.lists(st.one_of(INSPECT_NETWORK, ANYTHING), max_size=4), st.booleans())
def test_any_inspected_network(documents: Any, running: bool) -> None:
    converted(json.dumps(documents), running=running)


FLAGS = st.sampled_from(
    [
        *("-d", "--driver", "-o", "--subnet", "--gateway", "--ip-range", "--aux-address", "--net"),
        *("--internal", "--ipv6", "--network", "--ip", "--ip6", "--mac-address", "--name", "--"),
        *("--sysctl", "-p", "-itd", "-e", "--rm", "--dns", "--add-host", "--config-from"),
        *("parent=eth0", "mode=l3", "a=10.0.0.9", "name=pub,ip=10.0.0.7", "pub:ip=10.0.0.8"),
    ]
)
VERBS = st.sampled_from(
    ["network create", "run", "create", "network connect", "network rm", "container run", "rm"]
)


@st.composite
def command(draw: st.DrawFn) -> str:
    words = draw(st.lists(st.one_of(FLAGS, WORDS), max_size=12))
    return f"docker {draw(VERBS)} {' '.join(words)}"


@given(st.lists(command(), max_size=5))
def test_any_commands(lines: list[str]) -> None:
    text = "\n".join(lines).encode("utf-8", "replace").decode()
    converted(text, source_format="shell")


@given(st.sampled_from(["json", "compose", "shell"]), st.text())
def test_any_text(source_format: str, text: str) -> None:
    converted(text, source_format=source_format)
