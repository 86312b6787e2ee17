"""Disk images of parts of this machine, made without a mount.

.venv always gets one: its thousands of small files are read faster from it than through virtiofs.
Where virtiofs can't run, the system and the checkout get one each. A whole /usr can have any size,
so the system's image holds a list of Debian packages with their dependencies, and the interpreter
of .venv unless that is Debian's.
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

# Debian packages for the guest, one a line; those that are not installed are left out.
_PACKAGES = Path(__file__).with_name("image_packages")
# Top-level links of a merged /usr.
_TOP_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_TOP_DIRECTORIES = ("dev", "home", "mnt", "proc", "root", "run", "sys", "tmp", "var/lib", "var/tmp")
_NOT_COPIED = ("/usr/share/doc/", "/usr/share/info/", "/usr/share/locale/", "/usr/share/man/")
_PYTHON_LEFT_OUT = ("site-packages", "test", "tests", "idlelib", "*.a")
_CHECKOUT_LEFT_OUT = (".git", ".venv", ".*_cache", ".hypothesis")
_VENV = tools.CHECKOUT / ".venv"


def system_image() -> Path:
    """The image of everything except the checkout; cached until a package changes."""
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
    """The image of .venv, cached until its packages change; None without .venv."""
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
    """A hash that changes with every installed, upgraded or removed package."""
    key = hashlib.sha256()
    places = [_VENV / "bin", *_VENV.glob("lib/python*/site-packages")]
    for path in sorted(entry for place in places for entry in place.iterdir()):
        key.update(f"{path.name} {path.lstat().st_mtime_ns}\n".encode())
    return key.hexdigest()[:16]


def checkout_image(work: Path) -> Path:
    """An image of the checkout as it is now, without .venv."""
    staged = work / "checkout"
    ignore = shutil.ignore_patterns(*_CHECKOUT_LEFT_OUT)
    shutil.copytree(tools.CHECKOUT, staged, symlinks=True, ignore=ignore)
    image = work / "checkout.img"
    tools.make_ext4(staged, image)
    shutil.rmtree(staged)
    return image


def _make_system_image(image: Path) -> None:
    tools.note(f"making an image of this machine's root file system (once; cached in {image})")
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
    """Copy links, directories and world-readable files: no secrets."""
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
    """The path in `staged`, with links in the directory part resolved (/lib is one)."""
    return staged / path.parent.resolve().relative_to("/") / path.name


def _installed_versions() -> str:
    return tools.run(["dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Abbrev}\n"])


def _with_dependencies(packages: Iterable[str]) -> list[str]:
    """These packages and their dependencies, as far as they are installed."""
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
    """Package names in a field such as `libc6 (>= 2.34), awk | mawk:any`."""
    return re.findall(r"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]*)", relation)


def _package_files(packages: Iterable[str]) -> list[str]:
    listed = tools.run(["dpkg-query", "-L", *packages]).splitlines()
    return [path for path in listed if path.startswith("/") and not path.startswith(_NOT_COPIED)]


def _alternatives(staged: Path) -> list[str]:
    """Links such as /usr/bin/awk, which no package owns, if their target was copied."""
    links = [path for path in Path("/usr/bin").iterdir() if path.is_symlink()]
    links += [path for path in Path("/usr/sbin").iterdir() if path.is_symlink()]
    return [
        str(path)
        for path in links
        if os.readlink(path).startswith("/etc/alternatives/")
        and _inside(staged, path.resolve()).exists()
    ]


def _foreign_python() -> Path | None:
    """Prefix of the interpreter of .venv; None if it is Debian's."""
    python = _VENV / "bin/python"
    if not python.exists():
        return None
    prefix = Path(tools.run([python, "-c", "import sys; print(sys.base_prefix)"]).strip())
    return None if prefix == Path("/usr") else prefix.resolve()


def _libraries(places: Iterable[Path]) -> set[str]:
    """Shared libraries of the system that programs and modules in these places need."""
    objects = [path for place in places for path in place.rglob("*.so*") if path.is_file()]
    objects += [path.resolve() for place in places for path in place.glob("bin/python3*")]
    # ldd fails if one of them is not a dynamic object, but reports the others.
    done = subprocess.run(["ldd", *objects], capture_output=True, text=True, check=False)
    found = {path for path in re.findall(r"=> (/\S+)", done.stdout) if Path(path).exists()}
    return found | {str(Path(path).resolve()) for path in found}
