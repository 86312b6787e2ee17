"""Disk images of parts of this machine, made without a mount.

.venv is always one: its thousands of small files are read faster so than through virtiofs. Where
virtiofs can't run, there are two more. A whole /usr can be any size, so the system's image has a
list of Debian packages with all that they depend on, and the interpreter behind .venv where that
is no Debian package; the last one is the checkout.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from _rig import tools

if TYPE_CHECKING:
    from collections.abc import Iterable

# What the guest is to have, one Debian package a line, as far as it is installed here.
_PACKAGES = Path(__file__).with_name("image_packages")
# Links that distributions make at the top of a merged /usr.
_TOP_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_TOP_DIRECTORIES = ("dev", "home", "mnt", "proc", "root", "run", "sys", "tmp", "var/lib", "var/tmp")
_NOT_COPIED = ("/usr/share/doc/", "/usr/share/info/", "/usr/share/locale/", "/usr/share/man/")
_PYTHON_LEFT_OUT = ("site-packages", "test", "tests", "idlelib", "*.a")
_CHECKOUT_LEFT_OUT = (".git", ".venv", ".*_cache", ".hypothesis")
_VENV = tools.CHECKOUT / ".venv"


def system_image() -> Path:
    """The image of everything but the checkout; kept until a package changes."""
    cache = tools.cache_directory()
    key = hashlib.sha256(Path(__file__).read_bytes())
    key.update(_PACKAGES.read_bytes())
    key.update(_installed_versions().encode())
    key.update(str(_foreign_python()).encode())
    image = cache / f"root-{key.hexdigest()[:16]}.img"
    with tools.locked(cache / "root.lock"):
        if not image.exists():
            _make_system_image(image)
    return image


def venv_image() -> Path | None:
    """The image of .venv; kept until something is installed there. None when there is no .venv."""
    if not (_VENV / "bin/python").exists():
        return None
    cache = tools.cache_directory()
    family = f"venv-{hashlib.sha256(bytes(_VENV)).hexdigest()[:8]}"
    image = cache / f"{family}-{_venv_state()}.img"
    with tools.locked(cache / "venv.lock"):
        if not image.exists():
            for old in cache.glob(f"{family}-*.img"):
                old.unlink()
            with tempfile.TemporaryDirectory(prefix="venv-", dir=cache) as temporary:
                tools.make_ext4(_VENV, Path(temporary) / "image")
                (Path(temporary) / "image").rename(image)
    return image


def _venv_state() -> str:
    """Changes when a package is installed, upgraded or removed: each has an entry of its own."""
    key = hashlib.sha256()
    places = [_VENV / "bin", *_VENV.glob("lib/python*/site-packages")]
    for path in sorted(entry for place in places for entry in place.iterdir()):
        key.update(f"{path.name} {path.lstat().st_mtime_ns}\n".encode())
    return key.hexdigest()[:16]


def checkout_image(work: Path) -> Path:
    """An image of the checkout as it is now, but for .venv, which has its own."""
    staged = work / "checkout"
    ignore = shutil.ignore_patterns(*_CHECKOUT_LEFT_OUT)
    shutil.copytree(tools.CHECKOUT, staged, symlinks=True, ignore=ignore)
    image = work / "checkout.img"
    tools.make_ext4(staged, image)
    shutil.rmtree(staged)
    return image


def _make_system_image(image: Path) -> None:
    tools.note(f"making an image of this machine's root file system (once; kept in {image})")
    for old in image.parent.glob("root-*.img"):
        old.unlink()
    with tempfile.TemporaryDirectory(prefix="root-", dir=image.parent) as temporary:
        staged = Path(temporary) / "root"
        _stage(staged)
        tools.make_ext4(staged, Path(temporary) / "image")
        (Path(temporary) / "image").rename(image)


def _stage(staged: Path) -> None:
    for name in _TOP_DIRECTORIES:
        (staged / name).mkdir(parents=True)
    for name in _TOP_LINKS:
        if Path("/", name).is_symlink():
            (staged / name).symlink_to(os.readlink(Path("/", name)))
    _copy(_package_files(_with_dependencies(_PACKAGES.read_text().split())), staged)
    _copy((str(path) for path in Path("/etc").rglob("*")), staged)
    _copy(_alternatives(staged), staged)
    python = _foreign_python()
    if python is not None:
        ignore = shutil.ignore_patterns(*_PYTHON_LEFT_OUT)
        shutil.copytree(python, _inside(staged, python), symlinks=True, ignore=ignore)
    _copy(_libraries([_VENV, *([python] if python else [])]), staged)


def _copy(paths: Iterable[str], staged: Path) -> None:
    """Copy links, directories, and the files that anyone may read: secrets stay out."""
    for path in map(Path, paths):
        target = _inside(staged, path)
        if target.exists() or target.is_symlink() or not os.access(path.parent, os.X_OK):
            continue
        if path.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(os.readlink(path))
        elif path.is_dir():
            target.mkdir(parents=True)
        elif path.is_file() and path.stat().st_mode & stat.S_IROTH:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)


def _inside(staged: Path, path: Path) -> Path:
    """Where a path goes: below the directories that are really there, /lib being a link."""
    return staged / path.parent.resolve().relative_to("/") / path.name


def _installed_versions() -> str:
    return tools.run(["dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Abbrev}\n"])


def _with_dependencies(packages: Iterable[str]) -> list[str]:
    """These packages and all that they need, as far as they are installed."""
    needs, provided_by = _dependencies()
    found: set[str] = set()
    left = [name for name in packages if name in needs]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            wanted = (provided_by.get(need, need) for need in needs[name])
            left += [need for need in wanted if need in needs]
    return sorted(found)


def _dependencies() -> tuple[dict[str, list[str]], dict[str, str]]:
    fields = "${Package}\t${Pre-Depends}, ${Depends}\t${Provides}\t${db:Status-Abbrev}\n"
    needs: dict[str, list[str]] = {}
    provided_by: dict[str, str] = {}
    for line in tools.run(["dpkg-query", "-W", "-f", fields]).splitlines():
        package, depends, provides, status = line.split("\t")
        if status.startswith("ii"):
            needs[package] = _names(depends)
            provided_by.update(dict.fromkeys(_names(provides), package))
    return needs, {name: by for name, by in provided_by.items() if name not in needs}


def _names(relation: str) -> list[str]:
    """The package names in a field such as `libc6 (>= 2.34), awk | mawk:any`."""
    return re.findall(r"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]*)", relation)


def _package_files(packages: Iterable[str]) -> list[str]:
    listed = tools.run(["dpkg-query", "-L", *packages]).splitlines()
    return [path for path in listed if path.startswith("/") and not path.startswith(_NOT_COPIED)]


def _alternatives(staged: Path) -> list[str]:
    """Links such as /usr/bin/awk, which belong to no package, where their program was copied."""
    links = [path for path in Path("/usr/bin").iterdir() if path.is_symlink()]
    links += [path for path in Path("/usr/sbin").iterdir() if path.is_symlink()]
    return [
        str(path)
        for path in links
        if os.readlink(path).startswith("/etc/alternatives/")
        and _inside(staged, path.resolve()).exists()
    ]


def _foreign_python() -> Path | None:
    """Where the interpreter behind .venv lives, when that is not Debian's own."""
    python = _VENV / "bin/python"
    if not python.exists():
        return None
    prefix = Path(tools.run([python, "-c", "import sys; print(sys.base_prefix)"]).strip())
    return None if prefix == Path("/usr") else prefix.resolve()


def _libraries(places: Iterable[Path]) -> set[str]:
    """The system's shared libraries that programs and modules in these places are linked to."""
    objects = [path for place in places for path in place.rglob("*.so*") if path.is_file()]
    objects += [path.resolve() for place in places for path in place.glob("bin/python3*")]
    # ldd fails when one of many is no dynamic object; what it found about the others stands.
    done = subprocess.run(["ldd", *objects], capture_output=True, text=True, check=False)
    found = {path for path in re.findall(r"=> (/\S+)", done.stdout) if Path(path).exists()}
    return found | {str(Path(path).resolve()) for path in found}
