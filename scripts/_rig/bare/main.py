"""The command line of `scripts/bare`."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from _rig import tools
from _rig.bare import host, root
from _rig.problems import MissingError, RigError

if TYPE_CHECKING:
    from collections.abc import Sequence

_DESCRIPTION = """\
Run a command in a fresh clone of this checkout on a bare Debian, which has git, python3 and
certificates and nothing else. Without a command: scripts/demo.

The system is built once by mmdebstrap and kept in the cache. Each run unpacks it into memory and
enters it in mount and PID namespaces: it shares this machine's network and its settings for apt
and pip, and what is installed or left running there is gone when the command ends. The clone has
what is committed. Needs root.
"""
_EPILOG = """\
exit status: the command's own (128+n when a signal ended it); 4 when something is missing here,
125 when the system can't be built or entered, 130 when interrupted.
"""
_ENTER = Path(__file__).with_name("enter")


def main(arguments: Sequence[str]) -> int:
    """Run the command in a bare system; the exit status is the command's."""
    options = _parse(arguments)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        _require(install=options.install)
        archive = root.get(options.suite)
        return _run(archive, options.command or ["scripts/demo"])
    except RigError as problem:
        _note(str(problem))
        return problem.exit_status
    except KeyboardInterrupt:
        _note("interrupted; the bare system is gone")
        return 130


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _note(message: str) -> None:
    tools.note(message, who="bare")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bare",
        usage="scripts/bare [OPTION...] [--] [CMD [ARG...]]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--suite", choices=root.SUITES, default=root.DEFAULT, help="default: %(default)s")
    add("--install", action="store_true", help="install missing Debian packages without asking")
    add("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.command[:1] == ["--"]:
        del options.command[0]
    return options


def _require(*, install: bool) -> None:
    if os.geteuid() != 0:
        raise MissingError("scripts/bare needs root: sudo scripts/bare")
    mode = ["--install"] if install else []
    script = tools.CHECKOUT / "scripts/_packages.sh"
    done = subprocess.run([script, *mode, "bare"], stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise MissingError("packages are missing, see above")


def _run(archive: Path, command: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="vlanlink-bare-") as directory:
        work = Path(directory)
        _clone(work / "clone")
        host.pack(work / "carried.tar")
        (work / "directories").write_text("".join(f"{path}\n" for path in host.directories()))
        _note(f"entering a bare {archive.name.split('-')[1]}: {' '.join(command)}")
        return _enter([str(work), str(archive), *command])


def _clone(target: Path) -> None:
    git = [tools.program("git", "git"), "-C", str(tools.CHECKOUT)]
    if tools.run([*git, "status", "--porcelain"]):
        _note("the clone is without the changes that are not committed")
    tools.run([*git, "clone", "--quiet", "--no-hardlinks", tools.CHECKOUT, target])


def _enter(words: Sequence[str]) -> int:
    """Run `enter` in its namespaces; if this process is killed, the kernel ends all in there."""
    guarded = [tools.program("setpriv", "util-linux"), "--pdeathsig", "KILL", "--"]
    unshare = [tools.program("unshare", "util-linux"), "--fork", "--kill-child", "--pid"]
    unshare += ["--mount", "--propagation", "private", str(_ENTER)]
    process = subprocess.Popen([*guarded, *unshare, *words], env=host.environment())
    try:
        status = process.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
    return status if status >= 0 else 128 - status
