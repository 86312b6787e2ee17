"""Routes of others where desired ones would go: one per destination, metric and table. Pure."""

from collections.abc import Iterator

from vlanlink.dataclass import replace
from vlanlink.desired.builder import Builder
from vlanlink.desired.ownership import kept_routes
from vlanlink.desired.routes import ANYWHERE
from vlanlink.errors import Problem, shell_word
from vlanlink.model import HOST, Namespace, Route, owner_in_words

_NEXT_METRIC = 100
"""By how much a suggested metric is above the one that is taken."""


def route_conflicts(builder: Builder) -> Iterator[Problem]:
    """The routes of others in the way. On links of the topology they are replaced instead."""
    for space, wanted in builder.routes.items():
        seen = builder.observed.namespaces.get(space)
        slots = {route.slot: route for route in wanted - (seen.routes if seen else frozenset())}
        if seen is None or not slots:
            continue
        kept = kept_routes(builder, space)
        for other in sorted(seen.routes, key=str):
            route = slots.get(other.slot)
            if route and not other.selective and not _leaves(builder, seen, other, kept):
                yield _taken(builder, seen, route, other)


def _leaves(builder: Builder, seen: Namespace, route: Route, kept: set[Route]) -> bool:
    """Whether the plan removes or replaces an observed route."""
    if route.ours:
        return route not in kept
    dev = seen.links.get(route.dev)
    return dev is not None and dev.owner == builder.name


def _taken(builder: Builder, seen: Namespace, route: Route, other: Route) -> Problem:
    where = f"namespace {seen.name}" if seen.name != HOST else "the host"
    to = str(route).partition(" ")[0]
    whose = _topology(builder, seen, other) if other.ours else other.whose
    message = f"{where} already has a route to {to} with metric {route.metric}: {other} ({whose})"
    listed = "routes" in route.origin
    return Problem(route.origin, message, _way_out(seen, route, other), at_key=not listed)


def _way_out(seen: Namespace, route: Route, other: Route) -> str:
    metric = f"metric = {route.metric + _NEXT_METRIC}"
    if "routes" in route.origin:
        return f"write another metric: {metric}"
    if route.to == ANYWHERE[route.family] and "interfaces" in route.origin:
        return f"write default_route = {{ {metric} }}, or default_route = false"
    enter = f"nsenter --net={shell_word(seen.path)} " if seen.path else ""
    return f"delete it: {enter}ip route del {replace(other, dev=shell_word(other.dev))}"


def _topology(builder: Builder, seen: Namespace, route: Route) -> str:
    row = (seen.name, str(route))
    recorded = next((r.topology for r in builder.records.others if row in r.routes), None)
    dev = seen.links.get(route.dev)
    owner = recorded or (dev.owner if dev else None)
    return owner_in_words(owner) if owner else "another topology"
