"""The desired State of a topology on a machine that has its parents and nothing else. Pure."""

from collections.abc import Iterator
from typing import Final

from vlanlink.dataclass import dataclass, replace
from vlanlink.desired.bound import parents
from vlanlink.desired.context import Context
from vlanlink.desired.resolve import resolve
from vlanlink.errors import JSON_VERSION, Diagnostic, Path, Problem
from vlanlink.model import HOST, LOOPBACK, Link, Namespace, State
from vlanlink.planning.operations import Operation
from vlanlink.planning.plan import plan
from vlanlink.store.leases import Leases
from vlanlink.sysctl import proc_path
from vlanlink.topology import Topology
from vlanlink.topology.mac_parents import is_by_mac

_DEVICE: Final = "device"


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What a topology comes to, and in which steps."""

    topology: Topology
    desired: State
    operations: tuple[Operation, ...]
    parents: tuple[str, ...]
    """The links that the host must have."""
    problems: tuple[Problem, ...]
    """What such a machine can't have of it, and warnings."""

    def warn(self, path: Path, message: str, hint: str | None = None) -> Diagnostic:
        """A warning at an entry of the topology."""
        return self.topology.diagnose(Problem(path, message, hint, at_key=True), "warning")


@dataclass(frozen=True, slots=True)
class Exported:
    """A topology in another tool's format: files by name, and what the format can't say."""

    topology: str
    files: dict[str, str]
    warnings: tuple[Diagnostic, ...] = ()

    @property
    def text(self) -> str:
        """All files; several have a heading each, documents of JSON follow each other."""
        if len(self.files) == 1 or all(name.endswith(".conflist") for name in self.files):
            return "".join(self.files.values())
        return "\n".join(f"# {name}\n{text}" for name, text in self.files.items())

    def to_dict(self) -> dict[str, object]:
        """The JSON form."""
        warnings = [one.to_dict() for one in self.warnings]
        return {
            "version": JSON_VERSION,
            "topology": self.topology,
            "files": dict(self.files),
            "warnings": warnings,
        }


def blueprint(topology: Topology, identity: str = "", leases: Leases | None = None) -> Blueprint:
    """Resolve and plan ``topology``; ``identity`` gives MACs, ``leases`` the addresses kept.

    A NIC that the topology knows by its MAC alone is called that.
    """
    below = tuple(dict.fromkeys(real_parents(topology)))
    links = {name: _device(name, index) for index, name in enumerate(below, 2)}
    links[LOOPBACK] = replace(_device(LOOPBACK, 1), kind="loopback")
    sysctls = {proc_path(key): "" for key in topology.host.sysctls}
    before = State({HOST: Namespace(HOST, links=links, sysctls=sysctls)})
    context = Context(identity=identity, leases=leases or Leases())
    found = resolve(topology, before, context)
    operations = plan(before, found.desired, topology.name).operations
    problems = (*found.conflicts, *found.ended, *found.warnings)
    return Blueprint(topology, found.desired, operations, below, problems)


def _device(name: str, index: int) -> Link:
    settings = {"up": True, "disable_ipv6": 0, "accept_ra": 1, "accept_dad": 1}
    return Link(name, _DEVICE, index=index, settings=settings)


def unnamed_nics(topology: Topology) -> Iterator[Problem]:
    """The NICs that only have a MAC in the topology, and no name yet."""
    for path, parent in parents(topology):
        if is_by_mac(parent):
            message = "the NIC with this MAC is not on this machine: what it is called is unknown"
            yield Problem(path, message, "export on its machine, or write its name here")


def real_parents(topology: Topology) -> Iterator[str]:
    """The links of the host that the topology does not make itself."""
    devices = (route.dev for route in topology.host.routes)
    for name in (*(parent for _, parent in parents(topology)), *devices):
        found = name
        while found not in topology.links and (implied := topology.implied(found)):
            found = implied[0]
        if found not in topology.links:
            yield found
