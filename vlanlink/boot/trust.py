"""Whether only root can write what a unit of root runs: the interpreter, and the packages."""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from vlanlink.errors import Diagnostic, PrivilegeError

_HINT = (
    "install vlanlink for all users, as root: the Debian package, or "
    "PIPX_HOME=/opt/pipx PIPX_BIN_DIR=/usr/local/bin pipx install vlanlink"
)


def refuse_untrusted_program() -> None:
    """Raise PrivilegeError if others than root can write the program that a unit would run."""
    for path in _program():
        if why := _why_untrusted(path):
            message = f"the unit would run as root what others can write: {why}"
            raise PrivilegeError(Diagnostic(message, hint=_HINT))


def _program() -> Iterator[Path]:
    """The interpreter, the directories of modules, and every module of ours."""
    yield Path(sys.executable)
    package = Path(__file__).parents[1]
    yield from (Path(entry) for entry in sys.path if entry)
    yield from (Path(directory) for directory, _, _ in os.walk(package))
    yield from package.rglob("*.py")


def _why_untrusted(path: Path) -> str | None:
    """``/home/me/venv belongs to user 1000``, or None; each directory above and link counts."""
    if not path.exists():
        return None
    for one in (path, *path.absolute().parents, path.resolve(), *path.resolve().parents):
        status = one.lstat()
        if status.st_uid != 0:
            return f"{one} belongs to user {status.st_uid}"
        mode = status.st_mode
        if not stat.S_ISLNK(mode) and mode & 0o022 and not mode & stat.S_ISVTX:
            return f"{one} has mode {stat.S_IMODE(mode):04o}"
    return None
