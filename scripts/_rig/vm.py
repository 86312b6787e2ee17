"""The command line of `scripts/vm`."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from _rig import initrd, kernels, machine, rootimage, tools, virtiofs
from _rig.problems import EXIT_MISSING, RigError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_DESCRIPTION = """\
Run a command as root in a throwaway guest with a real Linux kernel.

The guest (QEMU, no KVM needed) sees this machine's root file system under an overlay in memory:
it can read everything, and what it writes is discarded. The checkout has its usual path, with a
read-only .venv. The command starts in the current directory if that is in the checkout, with
.venv/bin first on PATH. It has no stdin and no network except lo.
"""

_EPILOG = """\
exit status: the command's (128+n if a signal ended it); 4 if this machine lacks something, 124 at
the time limit, 125 if the guest failed, 130 if interrupted.
environment: VLANLINK_VM_ROOT=virtiofs|image is the default of --root; CI, NO_COLOR, TERM, TZ, LANG
and variables that start with LC_, VLANLINK_, PYTEST_ or HYPOTHESIS_ are passed to the guest.
"""

_PASSED = ("CI", "NO_COLOR", "TERM", "TZ", "LANG")
_PASSED_PREFIXES = ("LC_", "VLANLINK_", "PYTEST_", "HYPOTHESIS_")


def main(arguments: Sequence[str]) -> int:
    """Run the command in a guest; the exit status is the command's."""
    options = _parse(arguments)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        _require_packages(install=options.install)
        return _run(options)
    except RigError as problem:
        tools.note(str(problem))
        return problem.exit_status
    except KeyboardInterrupt:
        tools.note("interrupted; the guest was stopped")
        return 130
    except BrokenPipeError:  # our output has no reader any more
        return 128 + signal.SIGPIPE


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/vm",
        usage="scripts/vm [OPTION...] [--] CMD [ARG...]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--kernel", choices=kernels.SUITES, default=kernels.DEFAULT, help="default: %(default)s")
    add("--memory", type=int, default=3072, metavar="MB", help="default: %(default)s")
    add("--timeout", type=float, default=3600, metavar="SECONDS", help="default: %(default)g")
    add("--install", action="store_true", help="install missing Debian packages without asking")
    add("--root", choices=("auto", "virtiofs", "image"), help="source of the guest's files")
    add("--accel", choices=("tcg", "kvm"), default="tcg", help="default: %(default)s, always works")
    add("--send", type=Path, action="append", default=[], metavar="FILE",
        help="copy this file to the same path in the guest")  # fmt: skip
    add("--fetch", type=Path, metavar="FILE", help="copy this file back from the guest")
    add("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.command[:1] == ["--"]:
        del options.command[0]
    if not options.command:
        parser.error("no command given")
    options.root = options.root or os.environ.get("VLANLINK_VM_ROOT", "auto")
    if options.root not in ("auto", "virtiofs", "image"):
        parser.error("VLANLINK_VM_ROOT must be auto, virtiofs or image")
    return options


def _require_packages(*, install: bool) -> None:
    script = tools.CHECKOUT / "scripts/_packages.sh"
    mode = "--install" if install else "--check"
    done = subprocess.run([str(script), mode, "vm"], stdout=sys.stderr, check=False)
    if done.returncode != 0:
        sys.exit(EXIT_MISSING)


def _run(options: argparse.Namespace) -> int:
    kernel = kernels.get(options.kernel)
    with contextlib.ExitStack() as stack:
        # Under /tmp whatever TMPDIR says: the path of a socket has at most 107 bytes.
        work = Path(tempfile.mkdtemp(prefix="vlanlink-vm-", dir="/tmp"))
        stack.callback(shutil.rmtree, work, ignore_errors=True)
        shared_root = _shared_root(options.root, work, stack)
        disks = _disks(kernel, work, with_root=shared_root is None)
        initrd.build(kernel, _job(options, disks), work / "initrd")
        setting = machine.Setting(
            kernel=kernel.image,
            initrd=work / "initrd",
            disks=list(disks.values()),
            shared_root=shared_root,
            memory=options.memory,
            accelerator=options.accel,
        )
        outcome = machine.run(setting, work, options.timeout)
    if options.fetch and outcome.fetched:
        options.fetch.write_bytes(outcome.file)
    assert outcome.exit_status is not None
    return outcome.exit_status


def _shared_root(wanted: str, work: Path, stack: contextlib.ExitStack) -> Path | None:
    """The socket of a virtiofsd; None if the root file system comes from an image."""
    if wanted == "image":
        return None
    try:
        return stack.enter_context(virtiofs.shared_root(work))
    except RigError as problem:
        if wanted == "virtiofs":
            raise
        tools.note(f"{problem}; using a disk image instead")
        return None


def _disks(kernel: kernels.Kernel, work: Path, *, with_root: bool) -> dict[str, Path]:
    """The guest's disks by content."""
    disks = {"modules": kernel.modules_disk}
    venv = rootimage.venv_image()
    if venv:
        disks["venv"] = venv
    if with_root:
        disks["root"] = rootimage.system_image()
        disks["checkout"] = rootimage.checkout_image(work)
    return disks


def _job(options: argparse.Namespace, disks: Collection[str]) -> initrd.Job:
    return initrd.Job(
        command=options.command,
        directory=_directory(),
        environment=_environment(),
        disks=list(disks),
        joined=_same_file(1, 2),
        send=[path.absolute() for path in options.send],
        fetch=options.fetch.absolute() if options.fetch else None,
    )


def _directory() -> Path:
    here = Path.cwd()
    return here if here.is_relative_to(tools.CHECKOUT) else tools.CHECKOUT


def _environment() -> dict[str, str]:
    system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED or name.startswith(_PASSED_PREFIXES)
    }
    own = {"PATH": f"{tools.CHECKOUT}/.venv/bin:{system}", "HOME": "/root", "USER": "root"}
    return environment | own


def _same_file(one: int, other: int) -> bool:
    return os.path.sameopenfile(one, other)
