"""Topologies that come up at every boot, by a systemd unit: ``enable`` and ``disable``.

A topology's file is copied to /etc/vlanlink/NAME.toml, and ``vlanlink@NAME.service`` is enabled, an
instance of the unit beside this module. A file that was not put there by ``enable``, or that was
changed since, is never overwritten and never removed.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from vlanlink.boot import managed_files, systemctl, unit
from vlanlink.boot.transaction import Step, Work
from vlanlink.errors import ConflictError, Diagnostic, PrivilegeError, UsageError
from vlanlink.host import Host
from vlanlink.topology import Source, Topology, empty


@dataclass(frozen=True, slots=True)
class AtBoot:
    """Whether a topology comes up at boot, and what was done about it."""

    topology: str
    enabled: bool
    steps: tuple[Step, ...] = ()
    notes: tuple[Diagnostic, ...] = ()
    """What was left as it is, and why."""

    @property
    def lines(self) -> list[str]:
        """A line a step: ``+`` create, ``~`` change, ``-`` delete."""
        signs = {"create": "+", "change": "~", "delete": "-"}
        return [f"  {signs[s.action]} {s.object} {s.name} {s.summary}".rstrip() for s in self.steps]

    def to_dict(self) -> dict[str, object]:
        """The JSON form."""
        return {
            "topology": self.topology,
            "enabled": self.enabled,
            "changes": [step.to_dict() for step in self.steps],
        }


def copy_path(name: str, host: Host) -> Path:
    """Where the copy of an enabled topology is."""
    return host.configuration_directory / f"{name}.toml"


def enable(
    topology: Topology, host: Host | None = None, *, now: bool = False, watch: bool = False
) -> AtBoot:
    """Bring a topology up at every boot from here on; ``now``: and at once.

    With ``watch`` it is watched from then on, and mended when it drifts; without, no longer.

    Raises UsageError for a topology that has no text, ConflictError if a file that is not ours is
    in the way or systemd refuses (then all is as it was), PrivilegeError without root.
    """
    host = host or Host()
    source = topology.source
    if source is None:
        raise UsageError(Diagnostic("a topology that was built in code has no file to enable"))
    systemctl.need()
    _need_to_write(host)
    work, name = Work(), unit.name(topology.name)
    with work.undone_if_it_fails():
        _place_copy(work, copy_path(topology.name, host), source)
        notes = _place_unit(work, unit.path(host), unit.text())
        drop_in = unit.drop_in_path(topology.name, host)
        if watch:
            notes += _place_unit(work, drop_in, unit.text(unit.DROP_IN))
        else:
            _remove_drop_in(work, drop_in)
        if not systemctl.says("is-enabled", name):
            work.systemctl("enable", name, "create", "at every boot", back="disable")
        if now:
            _start(work, name, watch=watch)
    return AtBoot(topology.name, True, tuple(work.steps), notes)


def _start(work: Work, name: str, *, watch: bool) -> None:
    """Have the unit do now what stands in it now, whatever it is at."""
    active, process = systemctl.says("is-active", name), systemctl.has_process(name)
    if not active and not process:
        work.systemctl("start", name, "create", "up", back="stop")
    elif active and process == watch:
        work.systemctl("reload", name, "change", "up as its file says now")
    else:
        how = "watched" if watch else "not watched"
        work.systemctl("restart", name, "change", f"started anew, {how}")


def disable(topology: str | Topology, host: Host | None = None, *, now: bool = False) -> AtBoot:
    """Bring a topology up at boot no longer; ``now``: and take it down, if its unit brought it up.

    What is not enabled stays so. Raises ConflictError if systemd refuses, PrivilegeError without
    root, UsageError for what can't be a name.
    """
    host = host or Host()
    wanted = empty(topology) if isinstance(topology, str) else topology
    systemctl.need()
    _need_to_write(host)
    work, name, copy = Work(), unit.name(wanted.name), copy_path(wanted.name, host)
    if now and systemctl.says("is-active", name):
        work.systemctl("stop", name, "delete", "up")
    if systemctl.says("is-enabled", name):
        work.systemctl("disable", name, "delete", "at every boot")
    if managed_files.look(copy).ours:
        work.remove(copy)
        managed_files.remove_empty(copy.parent)
    _remove_drop_in(work, unit.drop_in_path(wanted.name, host))
    if managed_files.look(unit.path(host)).ours and not unit.others_enabled(wanted.name, host):
        work.remove_unit(unit.path(host))
    return AtBoot(wanted.name, False, tuple(work.steps), _left(copy))


def _place_copy(work: Work, path: Path, source: Source) -> None:
    found, file = managed_files.look(path), source.file or "-"
    if found.text == source.text or found.text == managed_files.marked(source.text):
        return  # it is there, or it is the very file
    if found.foreign:
        message = f"{path} was not put there by vlanlink enable, or was changed since"
        hint = f"vlanlink enable {path} takes it as it is; or move it away"
        raise ConflictError(Diagnostic(message, hint=hint))
    work.write(path, managed_files.marked(source.text), f"from {file}")


def _place_unit(work: Work, path: Path, text: str) -> tuple[Diagnostic, ...]:
    found = managed_files.look(path)
    if found.foreign:
        message = f"{path} is not as vlanlink enable writes it; it is used as it is"
        return (Diagnostic(message, severity="warning"),)
    if found.text != managed_files.marked(text):
        work.write_unit(path, managed_files.marked(text))
    return ()


def _remove_drop_in(work: Work, path: Path) -> None:
    if managed_files.look(path).ours:
        work.remove_unit(path)
        managed_files.remove_empty(path.parent)


def _left(copy: Path) -> tuple[Diagnostic, ...]:
    if not copy.exists():
        return ()
    message = f"{copy} stays: it was not put there by vlanlink enable, or was changed since"
    return (Diagnostic(message, severity="warning"),)


def _need_to_write(host: Host) -> None:
    """Raise PrivilegeError if a directory can't be written to."""
    for directory in (host.configuration_directory, host.unit_directory):
        there = next(path for path in (directory, *directory.parents) if path.exists())
        if not os.access(there, os.W_OK):
            message = f"what comes up at boot is for root to say: {directory} can't be written to"
            raise PrivilegeError(Diagnostic(message, hint="run it as root: sudo vlanlink …"))
