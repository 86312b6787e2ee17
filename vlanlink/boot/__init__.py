"""Topologies that come up at boot with a systemd unit: ``enable`` and ``disable``.

The topology's file is copied to /etc/vlanlink/NAME.toml, and ``vlanlink@NAME.service``, an instance
of the packaged unit, is enabled. Files that ``enable`` didn't write, or that were edited since, are
never overwritten and never removed.
"""

import os
from pathlib import Path

from vlanlink.boot import file_trust, managed_files, services, systemctl, trust, unit
from vlanlink.boot.transaction import Step, Steps
from vlanlink.dataclass import dataclass
from vlanlink.errors import (
    JSON_VERSION,
    ConflictError,
    Diagnostic,
    PrivilegeError,
    Problem,
    UsageError,
)
from vlanlink.host import Host
from vlanlink.topology import Source, Topology


@dataclass(frozen=True, slots=True)
class AtBoot:
    """Whether a topology comes up at boot, and what was done."""

    topology: str
    enabled: bool
    steps: tuple[Step, ...] = ()
    notes: tuple[Diagnostic, ...] = ()
    """Warnings about files that were left alone."""

    @property
    def lines(self) -> list[str]:
        """One line a step: ``+`` create, ``~`` change, ``-`` delete."""
        signs = {"create": "+", "change": "~", "delete": "-"}
        return [f"  {signs[s.action]} {s.object} {s.name} {s.summary}".rstrip() for s in self.steps]

    def to_dict(self) -> dict[str, object]:
        """JSON form."""
        return {
            "version": JSON_VERSION,
            "topology": self.topology,
            "enabled": self.enabled,
            "changes": [step.to_dict() for step in self.steps],
        }


def enable(
    topology: Topology, host: Host | None = None, *, now: bool = False, watch: bool = False
) -> AtBoot:
    """Bring a topology up at every boot; ``now``: also now.

    With ``watch`` the unit repairs drift as ``watch`` does; without, it doesn't any more.

    Raises UsageError for a topology without a file, ConflictError if a foreign file is in the way
    or systemd refuses (both rolled back), PrivilegeError without root, or if others can write the
    program that the unit would run.
    """
    host = host or Host()
    source = topology.source
    if source is None:
        raise UsageError(Diagnostic("a topology that was built in code has no file to enable"))
    _refuse_processes(topology)
    file_trust.refuse_untrusted_units(topology)
    systemctl.need()
    _need_to_write(host)
    trust.refuse_untrusted_program()
    steps, name = Steps(), unit.name(topology.name)
    with steps.undone_on_error():
        _write_copy(steps, host.copy_path(topology.name), source)
        notes = () if unit.is_packaged() else _write_unit(steps, unit.path(host), unit.text())
        waits = any(network.wait for network in topology.networks.values())
        for drop_in, wanted in ((unit.WATCH, watch), (unit.ONLINE, not waits)):
            path = unit.drop_in_path(topology.name, host, drop_in)
            if wanted:
                notes += _write_unit(steps, path, unit.text(drop_in))
            else:
                _remove_drop_in(steps, path)
        if not systemctl.check("is-enabled", name):
            steps.systemctl("enable", name, "create", "at every boot", undo="disable")
        if now:
            _start(steps, name, watch=watch)
        notes += services.tie(steps, topology, host, now=now)
    return AtBoot(topology.name, True, tuple(steps.done), notes)


def _refuse_processes(topology: Topology) -> None:
    """Raise UsageError for a namespace of a process: after a boot it has another pid, or none."""
    found = []
    for name, entry in topology.namespaces.items():
        key = "path" if entry.pid is None else "pid"
        if entry.pid is not None or (entry.path or "").startswith("/proc/"):
            message = f"namespace {name} is that of a process, which a boot ends"
            hint = "name a namespace that exists at boot, or use vlanlink up once the process runs"
            found.append(topology.diagnose(Problem(("namespaces", name, key), message, hint)))
    if found:
        raise UsageError(*found)


def _start(steps: Steps, name: str, *, watch: bool) -> None:
    """Start, reload or restart the unit, so that it runs what its files say now."""
    active, process = systemctl.check("is-active", name), systemctl.has_process(name)
    if not active and not process:
        steps.systemctl("start", name, "create", "up", undo="stop")
    elif active and process == watch:
        steps.systemctl("reload", name, "change", "reloaded")
    else:
        how = "with watch" if watch else "without watch"
        steps.systemctl("restart", name, "change", f"restarted {how}")


def disable(
    topology: str, host: Host | None = None, *, now: bool = False, release_units: bool = False
) -> AtBoot:
    """Remove what ``enable`` put in place, as the verb describes it.

    Raises ConflictError if systemd refuses, or while services of its namespaces are enabled;
    PrivilegeError without root.
    """
    host = host or Host()
    systemctl.need()
    _need_to_write(host)
    steps, name, copy = Steps(), unit.name(topology), host.copy_path(topology)
    if not release_units:
        services.refuse_enabled(topology, host)
    if now and (systemctl.check("is-active", name) or systemctl.has_process(name)):
        steps.systemctl("stop", name, "delete", "up")
    if systemctl.check("is-enabled", name):
        steps.systemctl("disable", name, "delete", "at every boot")
    notes = services.release(steps, topology, host) if release_units else ()
    if managed_files.read(copy).ours:
        steps.remove(copy)
        managed_files.remove_empty(copy.parent)
    for drop_in in unit.DROP_INS:
        _remove_drop_in(steps, unit.drop_in_path(topology, host, drop_in))
    if managed_files.read(unit.path(host)).ours and not unit.others_enabled(topology, host):
        steps.remove_unit(unit.path(host))
    return AtBoot(topology, False, tuple(steps.done), (*notes, *_foreign_copy(copy)))


def _write_copy(steps: Steps, path: Path, source: Source) -> None:
    found, file = managed_files.read(path), source.file or "-"
    if found.text == source.text or found.text == managed_files.marked(source.text):
        return  # up to date, or the very file that is being enabled
    if found.foreign:
        message = f"vlanlink enable didn't write {path}, or it was edited since"
        hint = f"enable it in place: vlanlink enable {path}; or move it away"
        raise ConflictError(Diagnostic(message, hint=hint))
    steps.write(path, managed_files.marked(source.text), f"from {file}")


def _write_unit(steps: Steps, path: Path, text: str) -> tuple[Diagnostic, ...]:
    found = managed_files.read(path)
    if found.foreign:
        message = f"{path} was edited; it is used as it is"
        return (Diagnostic(message, severity="warning"),)
    if found.text != managed_files.marked(text):
        steps.write_unit(path, managed_files.marked(text))
    return ()


def _remove_drop_in(steps: Steps, path: Path) -> None:
    if managed_files.read(path).ours:
        steps.remove_unit(path)
        managed_files.remove_empty(path.parent)


def _foreign_copy(copy: Path) -> tuple[Diagnostic, ...]:
    """A warning if a file stays in place of the copy."""
    if not copy.exists():
        return ()
    message = f"{copy} stays: vlanlink enable didn't write it, or it was edited since"
    return (Diagnostic(message, severity="warning"),)


def _need_to_write(host: Host) -> None:
    """Raise PrivilegeError if a directory isn't writable."""
    for directory in (host.configuration_directory, host.unit_directory):
        existing = next(path for path in (directory, *directory.parents) if path.exists())
        if not os.access(existing, os.W_OK):
            message = f"can't write to {directory}"
            raise PrivilegeError(Diagnostic(message, hint="run it as root: sudo vlanlink …"))
