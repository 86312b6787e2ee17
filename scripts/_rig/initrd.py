"""The initrd: a constant part for each kernel, then the job of this run.

The kernel unpacks concatenated archives, so the constant part is cached.
"""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from _rig import cpio, tools

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from _rig.kernels import Kernel

_BOOT_MODULES = ("virtio_pci", "virtio_console", "virtio_blk", "virtiofs", "overlay")
_EMPTY_DIRECTORIES = ("proc", "sys", "dev", "memory", "lower", "lower-checkout", "new")
_GUEST_SCRIPTS = Path(__file__).parent / "guest"


@dataclass(frozen=True)
class Job:
    """What one guest does."""

    command: Sequence[str]
    directory: Path
    environment: Mapping[str, str]
    disks: Sequence[str]  # their contents, in order; without "root", virtiofs serves it
    joined: bool  # stdout and stderr are one file: keep their order
    send: Sequence[Path] = ()
    fetch: Path | None = None


def build(kernel: Kernel, job: Job, target: Path) -> None:
    """Write the initrd for one run."""
    target.write_bytes(_constant_part(kernel) + cpio.archive(_job_files(job)))


def _constant_part(kernel: Kernel) -> bytes:
    key = hashlib.sha256()
    for source in (Path(__file__), Path(cpio.__file__), *sorted(_GUEST_SCRIPTS.iterdir())):
        key.update(source.read_bytes())
    path = kernel.directory / f"initrd-{key.hexdigest()[:16]}.cpio"
    if not path.exists():
        tools.write_whole(path, cpio.archive(_constant_files(kernel)))
    return path.read_bytes()


def _constant_files(kernel: Kernel) -> dict[str, bytes]:
    files = {
        "init": (_GUEST_SCRIPTS / "init").read_bytes(),
        "run-job": (_GUEST_SCRIPTS / "run-job").read_bytes(),
        "bin/busybox": kernel.busybox.read_bytes(),
    }
    files.update(modules(kernel, _BOOT_MODULES))
    files.update({f"{name}/.keep": b"" for name in _EMPTY_DIRECTORIES})
    return files


def modules(kernel: Kernel, names: Sequence[str]) -> dict[str, bytes]:
    """Modules with their dependencies, and a file `order` that lists them in loading order."""
    found = _in_loading_order(kernel, names)
    files = {f"modules/{path.name}": path.read_bytes() for path in found}
    return {**files, "modules/order": "".join(f"{path.name}\n" for path in found).encode()}


def _in_loading_order(kernel: Kernel, names: Sequence[str]) -> list[Path]:
    needs: dict[str, list[str]] = {}
    for line in (kernel.modules / "modules.dep").read_text().splitlines():
        path, _, dependencies = line.partition(":")
        needs[path] = dependencies.split()
    by_name = {Path(path).stem.replace("-", "_"): path for path in needs}
    order: list[str] = []
    for name in names:
        if name in by_name:  # otherwise built in
            order += [*reversed(needs[by_name[name]]), by_name[name]]
    return [kernel.modules / path for path in dict.fromkeys(order)]


def _job_files(job: Job) -> dict[str, bytes]:
    devices = {name: f"/dev/vd{letter}" for name, letter in zip(job.disks, "abcd", strict=False)}
    settings = {
        "MODULES_DISK": devices["modules"],
        "VENV_DISK": devices.get("venv", ""),
        "ROOT_DISK": devices.get("root", ""),
        "CHECKOUT_DISK": devices.get("checkout", ""),
        "JOINED": "yes" if job.joined else "no",
        "CHECKOUT": str(tools.CHECKOUT),
        "FETCH": str(job.fetch or ""),
    }
    files = {
        "job/settings": _assignments(settings).encode(),
        "job/command": _command_script(job).encode(),
    }
    placing = []
    for number, path in enumerate(job.send):
        files[f"job/sent/{number}"] = path.read_bytes()
        placing.append(f"$bb mkdir -p {shlex.quote(str(path.parent))}")
        placing.append(f"$bb cp $here/job/sent/{number} {shlex.quote(str(path))}")
    files["job/place-files"] = "".join(f"{line}\n" for line in placing).encode()
    return files


def _command_script(job: Job) -> str:
    lines = [f"export {name}={shlex.quote(value)}" for name, value in job.environment.items()]
    lines.append(f"cd {shlex.quote(str(job.directory))} || exit 125")
    lines.append(f"exec {shlex.join(job.command)}")
    return "".join(f"{line}\n" for line in lines)


def _assignments(settings: Mapping[str, str]) -> str:
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items())
