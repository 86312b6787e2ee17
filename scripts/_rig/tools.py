"""Helpers for all of the rig: running tools, the cache, notes to the user."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from _rig.problems import MissingError, RigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CHECKOUT = Path(__file__).resolve().parents[2]


def note(message: str, *, who: str = "vm") -> None:
    """Print a progress note to stderr."""
    print(f"{who}: {message}", file=sys.stderr, flush=True)


def find_program(name: str) -> str | None:
    """Path of a program, also in sbin directories that are not on PATH; None if missing."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    return shutil.which(name, path=path)


def program(name: str, package: str) -> str:
    """Path of a program. Raises MissingError, which names its Debian package."""
    found = find_program(name)
    if found is None:
        raise MissingError(f"{name} is not installed; try: apt-get install {package}")
    return found


def run(command: Sequence[str | Path], *, cwd: Path | None = None) -> str:
    """Run a tool and return its output. Raises RigError with its messages if it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        shown = " ".join(str(part) for part in command)
        raise RigError(f"failed (exit {done.returncode}): {shown}\n{done.stdout}{done.stderr}")
    return done.stdout


def plain_environment() -> dict[str, str]:
    """The environment, with messages in English and the sbin directories on PATH."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    return {**os.environ, "LC_ALL": "C.UTF-8", "PATH": path}


def cache_directory() -> Path:
    """Directory of cached kernels and images; all of it may be deleted."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(base) / "vlanlink"
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock: two simultaneous `scripts/vm` build a thing once."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def new_directory(target: Path) -> Iterator[Path]:
    """A directory to fill. It becomes `target` on success and is removed otherwise."""
    work = Path(tempfile.mkdtemp(prefix=target.name + ".", dir=target.parent))
    try:
        yield work
        work.chmod(0o755)
        work.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    handle, temporary = tempfile.mkstemp(prefix=path.name + ".", dir=path.parent)
    with open(handle, "wb") as stream:
        stream.write(content)
    Path(temporary).replace(path)


def make_ext4(directory: Path, image: Path, *, spare: int = 32) -> None:
    """Make a disk image of a directory, without a mount or privileges."""
    mke2fs = program("mke2fs", "e2fsprogs")
    used = sum(_rounded_size(path) for path in directory.rglob("*"))
    mebibytes = used * 11 // 10 // 2**20 + spare
    # Only features that all kernels from 5.10 on support, whatever mke2fs defaults to.
    features = "none,filetype,extent,sparse_super,large_file,dir_index"
    options = ["-q", "-F", "-t", "ext4", "-O", features, "-m", "0", "-E", "root_owner=0:0"]
    run([mke2fs, *options, "-d", directory, image, f"{mebibytes}M"])


def _rounded_size(path: Path) -> int:
    """Disk usage of a file: its blocks and its inode."""
    size = path.lstat().st_size
    return size + -size % 4096 + 512
