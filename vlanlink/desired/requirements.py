"""Options that an older kernel lacks, and would ignore silently. Pure."""

from collections.abc import Iterator, Mapping

from vlanlink.errors import Path, Problem
from vlanlink.kinds import KINDS
from vlanlink.topology import Topology


def too_new(topology: Topology, release: tuple[int, int]) -> Iterator[Problem]:
    """The options in the file that Linux ``release`` doesn't know."""
    for path, kind, written in _with_options(topology):
        for option in KINDS[kind].options if kind else ():
            if option.key in written and option.since > release:
                needs, runs = (".".join(map(str, version)) for version in (option.since, release))
                message = f"{option.key} needs Linux {needs}; this is {runs}"
                yield Problem((*path, option.key), message, "leave it out", at_key=True)


def _with_options(topology: Topology) -> Iterator[tuple[Path, str | None, Mapping[str, object]]]:
    for name, network in topology.networks.items():
        yield ("networks", name), network.kind, network.options
    for name, link in topology.links.items():
        yield ("links", name), link.kind, link.options
    for space, namespace in topology.namespaces.items():
        for name, interface in namespace.interfaces.items():
            yield ("namespaces", space, "interfaces", name), interface.kind, interface.options
