"""Addresses that change on a link that stays: nothing else is lost, in whatever order they come."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.simulated import after
from vlanlink.model import HOST, Address, Link, Namespace, Route, State
from vlanlink.planning.operations import AddRoute, RemoveRoute
from vlanlink.planning.plan import plan

POOL = [f"10.0.{subnet}.{host}/24" for subnet in (0, 1) for host in (1, 2, 3)]
DEFAULT = Route("0.0.0.0/0", "d0", via="10.9.9.9", onlink=True)
addresses = st.lists(st.sampled_from(POOL), unique=True)


def state(texts: list[str], foreign: list[str], promote: int, source: str | None) -> State:
    settings = {"up": True, "mtu": 1500, "promote_secondaries": promote}
    held = [*(Address(text) for text in texts), *(Address(text, ours=False) for text in foreign)]
    link = Link("d0", "dummy", settings=settings, addresses=tuple(held), owner="office", index=2)
    routes = {DEFAULT} if held else set()
    if source:
        routes.add(Route("10.5.0.0/16", "d0", via="10.9.9.9", onlink=True, src=source))
    return State({HOST: Namespace(HOST, links={"d0": link}, routes=frozenset(routes))})


def with_odd_broadcasts(now: State, odd: set[str]) -> State:
    """As an earlier version or somebody else has put these addresses there."""
    link = now.host.links["d0"]
    held = tuple(replace(a, broadcast="") if a.text in odd else a for a in link.addresses)
    links = {"d0": replace(link, addresses=held)}
    return State({HOST: replace(now.host, links=links)})


@given(
    before=addresses,
    odd=st.sets(st.sampled_from(POOL)),
    wanted=addresses,
    foreign=st.lists(st.sampled_from(["10.0.0.9/24", "10.3.0.9/24"]), unique=True),
    promote=st.integers(0, 1),
    data=st.data(),
)
def test_one_round_leads_there_and_loses_nothing(
    before: list[str],
    odd: set[str],
    wanted: list[str],
    foreign: list[str],
    promote: int,
    data: st.DataObject,
) -> None:
    shared = sorted(set(before) & set(wanted))
    source = data.draw(st.sampled_from(shared)).partition("/")[0] if shared else None
    now = with_odd_broadcasts(state(before, foreign, promote, source), odd)
    desired = state(wanted, [], promote, source)
    if not wanted:
        desired = State({HOST: Namespace(HOST, links=desired.host.links)})
    operations = plan(now, desired, "office").operations
    told = {op.route for op in operations if isinstance(op, AddRoute | RemoveRoute)}
    for operation in operations:
        routes = now.host.routes
        now = after(now, operation)
        assert routes - now.host.routes <= told, operation.describe()
    assert plan(now, desired, "office").operations == ()
    # The kernel can't change a broadcast address in place: such an address goes for a moment.
    if wanted and before and not odd.intersection(before, wanted):
        assert DEFAULT not in told  # there is always an address
