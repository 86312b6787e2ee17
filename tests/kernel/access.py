"""Lets a test run this checkout's command as an ordinary user, wherever the checkout is."""

import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from vlanlink.kernel import syscalls

AS_USER = [
    *("setpriv", "--reuid=65534", "--clear-groups"),
    *("--inh-caps=-all", "--bounding-set=-all", "--"),
]
"""Runs a command as a user without any privilege."""

_NEEDED = (Path(__file__).parents[2], Path(sys.prefix), Path(sys.base_prefix))
_SAVED = Path("/run/saved")


def let_everyone_in() -> None:
    """Make the checkout and its Python reachable for every user, in this mount namespace only.

    /root, for one, is closed to other users. An open directory is mounted over a closed one, and
    in it is nothing but what is needed.
    """
    closed = {top for path in _NEEDED if (top := _outermost_closed(path))}
    for number, top in enumerate(closed):
        _cover(top, [path for path in _NEEDED if path.is_relative_to(top)], _SAVED / str(number))


def _outermost_closed(directory: Path) -> Path | None:
    closed = [p for p in (directory, *directory.parents) if not p.stat().st_mode & stat.S_IXOTH]
    return closed[-1] if closed else None


def _cover(top: Path, needed: Iterable[Path], saved: Path) -> None:
    saved.mkdir(parents=True)
    _bind(top, saved)
    syscalls.mount("tmpfs", str(top), "tmpfs", 0)
    for directory in needed:
        directory.mkdir(parents=True, exist_ok=True)
        for path in (saved / directory.relative_to(top)).iterdir():
            _show(path, directory / path.name)


def _show(path: Path, at: Path) -> None:
    if at.exists() or not path.exists():  # a link that leads nowhere
        return
    if path.is_dir():
        at.mkdir()
    else:
        at.touch()
    _bind(path, at)


def _bind(path: Path, at: Path) -> None:
    syscalls.mount(str(path), str(at), "none", syscalls.MS_BIND | syscalls.MS_REC)
