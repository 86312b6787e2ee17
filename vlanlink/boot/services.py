"""Services that live in a topology's namespaces: a drop-in ties each unit to its namespace.

It fails closed. A unit with the drop-in starts in its namespace or not at all, so ``down`` stops it
and leaves the drop-in: the next ``systemctl restart`` must not open it in the host's own network.

``Requires=``, not ``BindsTo=``: that would stop the units for good when a watch dies, though the
namespaces stay. Enabled units are wanted by the topology's unit too, since a topology that comes up
at its second attempt finds their start jobs cancelled.
"""

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from vlanlink.boot import managed_files, systemctl, unit
from vlanlink.boot.transaction import Steps
from vlanlink.dataclass import dataclass
from vlanlink.errors import ConflictError, Diagnostic, Problem
from vlanlink.host import Host
from vlanlink.model import NETNS_FILES
from vlanlink.topology import Topology

_DROP_IN: Final = "vlanlink.conf"
_TIES: Final = re.compile(
    r"(?m)^\s*(NetworkNamespacePath|PrivateNetwork|JoinsNamespaceOf)\s*=\s*(?!no\s*$|false\s*$)\S"
)
_RESOLV_CONF: Final = Path("/etc/resolv.conf")
_RUN: Final = Path("/run")
_NAMESPACE: Final = re.compile(r"(?m)^NetworkNamespacePath=.*/([^/\n]+)$")


@dataclass(frozen=True, slots=True)
class Service:
    """A unit that lives in a namespace."""

    topology: str
    namespace: str
    unit: str
    """A .service, or a .socket that starts one."""

    def path(self, host: Host) -> Path:
        """Path of the drop-in."""
        return host.unit_directory / f"{self.unit}.d" / _DROP_IN

    def wants(self, host: Host) -> Path:
        """The link by which the topology's unit starts it."""
        return host.unit_directory / f"{unit.name(self.topology)}.wants" / self.unit

    def text(self, host: Host, files: tuple[str, ...]) -> str:
        """The drop-in; ``files`` are those of the namespace that replace files in /etc."""
        topology = unit.name(self.topology)
        is_socket = self.unit.endswith(".socket")
        lines = ["[Unit]", f"Requires={topology}", f"After={topology}"]
        if is_socket:  # by default it comes before basic.target, which the topology comes after
            lines += ["DefaultDependencies=no", "Conflicts=shutdown.target"]
            lines += ["Before=shutdown.target"]
        lines += ["", "[Socket]" if is_socket else "[Service]"]
        lines += [f"NetworkNamespacePath={host.netns_directory / self.namespace}"]
        if not is_socket:
            lines += _bound_files(host.etc_netns_directory / self.namespace, files)
        return "\n".join([*lines, "", "[Install]", f"WantedBy={topology}", ""])


def _bound_files(own: Path, files: tuple[str, ...]) -> list[str]:
    """Lines that put a namespace's files in the place of those in /etc."""
    lines = [f"BindReadOnlyPaths={own / name}:/etc/{name}" for name in files]
    kept = Path(os.path.realpath(_RESOLV_CONF)).parent
    if "resolv.conf" in files and _RUN in kept.parents:
        # The host's resolver replaces its file there, and a file that is replaced loses what is
        # mounted on it in every mount namespace.
        lines.insert(0, f"TemporaryFileSystem={kept}:ro")
    return [*lines, "InaccessiblePaths=-/run/nscd"] if files else []


def services_of(topology: Topology) -> tuple[Service, ...]:
    """The services in the file."""
    return tuple(
        Service(topology.name, name, one)
        for name, namespace in topology.namespaces.items()
        for one in namespace.units
    )


def _with_sockets(service: Service) -> Iterator[Service]:
    """The unit, and the sockets that start it."""
    yield service
    if service.unit.endswith(".service"):
        for one in systemctl.sockets_of(service.unit):
            yield Service(service.topology, service.namespace, one)


def tie(steps: Steps, topology: Topology, host: Host, *, now: bool) -> tuple[Diagnostic, ...]:
    """Write the drop-ins; ``now``: restart those units that run elsewhere. Warnings.

    Raises ConflictError for a unit that somebody else tied to a namespace.
    """
    notes: list[Diagnostic] = []
    every = [one for service in services_of(topology) for one in _with_sockets(service)]
    problems = [problem for one in every if (problem := _tied_elsewhere(one, topology, host))]
    if problems:
        raise ConflictError(*problems)
    for one in every:
        path, text = one.path(host), one.text(host, _files(topology, one.namespace))
        if managed_files.read(path).text == managed_files.marked(text):
            continue
        steps.write_unit(path, managed_files.marked(text))
        if not one.wants(host).is_symlink() and systemctl.check("is-enabled", one.unit):
            steps.want(one.wants(host), one.unit)
        if systemctl.check("is-active", one.unit):
            if now:
                steps.systemctl("restart", one.unit, "change", f"in namespace {one.namespace}")
            else:
                message = f"{one.unit} goes on where it runs until it is restarted"
                notes.append(Diagnostic(message, severity="warning"))
    return (*notes, *_left(topology, host, {one.unit for one in every}))


def _files(topology: Topology, namespace: str) -> tuple[str, ...]:
    """The files that ``up`` writes for a namespace."""
    entry = topology.namespaces[namespace]
    asked = {
        "resolv.conf": entry.dns is not None or entry.search is not None,
        "hosts": entry.hosts is not False,
    }
    asked["nsswitch.conf"] = any(asked.values())
    return tuple(name for name in NETNS_FILES if asked[name])


def _tied_elsewhere(one: Service, topology: Topology, host: Host) -> Diagnostic | None:
    """The problem with a unit that another file of it puts into a namespace."""
    own = one.path(host)
    files = systemctl.show(one.unit, "FragmentPath", "DropInPaths").split()
    places = [*map(Path, files), own]
    for path in dict.fromkeys(places):
        found = managed_files.read(path)
        ours = path == own and found.ours and _topology_of(found.text or "") == one.topology
        if found.text and not ours and _TIES.search(found.text):
            where = ("namespaces", one.namespace, "units")
            message = f"{one.unit} is tied to a namespace by {path} already"
            if path == own:
                message += ", which vlanlink enable did not write, or which was edited since"
            hint = f"remove that file, or remove {one.unit} from units"
            return topology.diagnose(Problem(where, message, hint))
    return None


def _topology_of(text: str) -> str | None:
    found = re.search(r"(?m)^(?:Requires|BindsTo)=vlanlink@(.+)\.service$", text)  # now, formerly
    return found[1] if found else None


def tied(topology: str, host: Host) -> dict[str, Path]:
    """The drop-ins of a topology, by unit; those too that were edited, and still tie it."""
    found = {}
    for path in sorted(host.unit_directory.glob(f"*.d/{_DROP_IN}")):
        drop_in = managed_files.read(path)
        text = drop_in.text or ""
        if (drop_in.ours or _TIES.search(text)) and _topology_of(text) == topology:
            found[path.parent.name.removesuffix(".d")] = path
    return found


def _left(topology: Topology, host: Host, wanted: set[str]) -> tuple[Diagnostic, ...]:
    """Warnings about units that the file no longer names: they stay tied."""
    return tuple(
        Diagnostic(
            f"{one} stays tied to its namespace: the file no longer names it",
            hint=f"vlanlink disable {topology.name} --release-units, then enable it again",
            severity="warning",
        )
        for one in tied(topology.name, host)
        if one not in wanted
    )


def untied(topology: Topology, host: Host) -> tuple[Diagnostic, ...]:
    """Warnings about units in the file that no drop-in ties: ``up`` alone doesn't."""
    services = services_of(topology)
    have = tied(topology.name, host) if services else {}
    file = topology.source.file if topology.source else None
    return tuple(
        topology.diagnose(
            Problem(
                ("namespaces", one.namespace, "units"),
                f"{one.unit} is not tied to namespace {one.namespace} yet",
                f"vlanlink enable {file or 'FILE'}",
            ),
            severity="warning",
        )
        for one in services
        if one.unit not in have
    )


def release(steps: Steps, topology: str, host: Host) -> tuple[Diagnostic, ...]:
    """Remove the drop-ins, and what makes the topology's unit start theirs.

    One that was edited stays: a warning.
    """
    notes: list[Diagnostic] = []
    for one, path in tied(topology, host).items():
        if not managed_files.read(path).ours:
            message = f"{one} stays tied to its namespace: {path} was edited"
            hint = f"rm {path}; systemctl daemon-reload"
            notes.append(Diagnostic(message, hint=hint, severity="warning"))
            continue
        wants = Service(topology, "", one).wants(host)
        wants.unlink(missing_ok=True)
        managed_files.remove_empty(wants.parent)
        steps.remove_unit(path)
        managed_files.remove_empty(path.parent)
    return tuple(notes)


def refuse_enabled(topology: str, host: Host) -> None:
    """Raise ConflictError for units that would start in the host's own network."""
    enabled = [one for one in tied(topology, host) if systemctl.check("is-enabled", one)]
    if enabled:
        message = f"{', '.join(enabled)} would no longer start: {unit.name(topology)} is gone then"
        hint = (
            f"systemctl disable {' '.join(enabled)} first; or --release-units: "
            "they start in the host's own network then"
        )
        raise ConflictError(Diagnostic(message, hint=hint))


def stop(topology: str, host: Host) -> tuple[str, ...]:
    """Stop the units of a topology; those that ran. Raises ConflictError."""
    found = running(topology, host)
    if found:
        systemctl.run("stop", *found)
    return found


def restart(topology: str, host: Host, namespaces: Collection[str]) -> tuple[str, ...]:
    """Restart the running units of namespaces that were made again. Raises ConflictError."""
    found = []
    for one, path in tied(topology, host).items():
        where = _NAMESPACE.search(managed_files.read(path).text or "")
        if where and where[1] in namespaces and systemctl.check("is-active", one):
            found.append(one)
    if found:
        systemctl.run("restart", *found)
    return tuple(found)


def start(units: tuple[str, ...]) -> None:
    """Start units that were stopped. Raises ConflictError."""
    if units:
        systemctl.run("start", *units)


def running(topology: str, host: Host) -> tuple[str, ...]:
    """The units of a topology that run."""
    found = tied(topology, host)
    return tuple(one for one in found if systemctl.check("is-active", one))
