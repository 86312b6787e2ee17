"""``verify`` where a tenant adds links, addresses and routes: each is looked at once.

The tests count the lines that Python runs: a busy machine runs as many.
"""

from dataclasses import replace
from functools import partial

import pytest

from tests.unit.golden import read_state
from tests.unit.simulated import carried_out
from tests.unit.test_growth import lines_run
from vlanlink.desired.context import Context
from vlanlink.desired.resolve import resolve
from vlanlink.model import Address, Link, LinkName, Route, State
from vlanlink.planning.plan import plan
from vlanlink.reachability.expected import Pair, Reachability, endpoints
from vlanlink.reachability.paths import Outcome
from vlanlink.topology import Topology, parse

SIZE, CROWD = 6, 60
HEAD = """
[topology]
name = "office"
[networks.lan]
kind = "{}"
{}
parent = "eth0"
subnets = [{{ subnet = "10.64.0.0/16" }}, {{ subnet = "2001:db8::/64" }}]
"""
ENDPOINT = """
[namespaces.n{0}.interfaces.eth0]
network = "lan"
addresses = ["10.64.0.{0}", "2001:db8::{0}"]
"""
KINDS = {"macvlan": ("macvlan", ""), "ipvlan l3": ("ipvlan", 'mode = "l3"')}


class World:
    """A topology that is up, and a tenant in its first namespace."""

    def __init__(self, kind: str, size: int) -> None:
        text = HEAD.format(*KINDS[kind]) + "".join(map(ENDPOINT.format, range(1, size + 1)))
        self.topology: Topology = parse(text)
        addresses = ["10.64.255.1/16", "2001:db8::ffff/64"]
        bare = read_state({"host": {"links": {"eth0": {"addresses": addresses}}}})
        self.desired = resolve(self.topology, bare, Context(identity="machine")).desired
        self.up = carried_out(bare, plan(bare, self.desired, "office").operations)

    def tenant(self, *links: Link, routes: tuple[Route, ...] = (), addresses: int = 0) -> State:
        """The machine with what the tenant adds."""
        space = self.up.namespaces["n1"]
        eth0 = space.links["eth0"]
        texts = [f"10.{n >> 8}.{n & 255}.7/32" for n in range(addresses)]
        texts += [f"fd00::{n:x}/128" for n in range(addresses)]
        more = tuple(Address(text, ours=False) for text in texts)
        eth0 = replace(eth0, addresses=(*eth0.addresses, *more))
        found = {**space.links, "eth0": eth0, **{link.name: link for link in links}}
        sysctls = {**space.sysctls, "net/ipv4/ip_forward": "1"}
        space = replace(space, links=found, routes=space.routes | {*routes}, sysctls=sysctls)
        return State({**self.up.namespaces, "n1": space})

    def crowded(self, number: int) -> State:
        """The machine with that many links, addresses and routes of the tenant's."""
        links = [dummy(f"d{n}", f"172.16.{n >> 8}.{n & 255}/32") for n in range(number)]
        routes = (foreign(f"10.64.{100 + (n >> 8)}.{n & 255}/32", f"d{n}") for n in range(number))
        return self.tenant(*links, routes=tuple(routes), addresses=number)

    def pairs(self, observed: State) -> list[Pair]:
        """What ``verify`` expects of each pair."""
        return list(
            Reachability(self.topology, observed, self.desired).pairs(endpoints(self.desired))
        )


def dummy(name: str, *addresses: str) -> Link:
    found = tuple(Address(text, ours=False) for text in addresses)
    return Link(name, "dummy", "n1", settings={"up": True}, addresses=found, index=9)


def foreign(to: str, dev: str, via: str | None = None, metric: int = 0) -> Route:
    return Route(to, dev, via=via, metric=metric, ours=False, protocol=3)


def lines_of_pairs(world: World, crowd: int) -> int:
    observed = world.crowded(crowd)
    world.pairs(observed)  # fills caches
    return lines_run(partial(world.pairs, observed))


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_tenant_adds_is_looked_at_once(kind: str) -> None:
    """Not once for each link of its own, nor for each pair of endpoints."""
    few, many = World(kind, SIZE), World(kind, 2 * SIZE)
    one, two, three = (lines_of_pairs(few, CROWD * n) for n in (1, 2, 3))
    assert abs(three - 2 * two + one) < CROWD * CROWD, (one, two, three)
    more = lines_of_pairs(many, 2 * CROWD) - lines_of_pairs(many, CROWD)
    assert abs(more - (two - one)) < SIZE * CROWD, (more, two - one)


def test_equal_routes_in_a_circle_are_followed_once() -> None:
    """Through four pairs of links and back: 16 hops would be four billion ways."""
    world = World("macvlan", 2)
    links = [veth(n, end) for n in range(4) for end in (1, 2)]
    routes = [foreign("10.64.0.2/32", link.name, next_hop(link)) for link in links]
    observed = world.tenant(*links, routes=tuple(routes))
    assert lines_run(partial(world.pairs, observed)) < 50_000
    found = {(pair.source, pair.target, pair.address): pair for pair in world.pairs(observed)}
    assert "loop" in found["n1", "n2", "10.64.0.2"].reason
    assert found["n2", "n1", "10.64.0.1"].path.outcome is Outcome.NO_RETURN_PATH


def veth(number: int, end: int) -> Link:
    """An end of a pair of the tenant's."""
    link = dummy(f"v{number}{end}", f"10.9.{number}.{end}/24")
    return replace(link, kind="veth", peer=LinkName("n1", f"v{number}{3 - end}"))


def next_hop(link: Link) -> str:
    """The address at the other end of its pair."""
    return f"10.9.{link.name[1]}.{3 - int(link.name[2])}"
