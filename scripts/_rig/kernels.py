"""Debian's cloud kernels: fetched, unpacked and cached."""

from __future__ import annotations

import lzma
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from _rig import tools
from _rig.apt import Archive, unpack
from _rig.problems import MissingError, RigError

# The first suite has the kernel, the last one busybox.
SUITES = {
    "5.10": ("bullseye",),
    "6.1": ("bookworm",),
    "6.12": ("trixie",),
    "7.2": ("trixie-backports", "trixie"),
}
DEFAULT = "6.1"

# What network tests can need: drivers of real hardware are most of the size.
_KEPT = (
    "kernel/arch/",
    "kernel/crypto/",
    "kernel/drivers/block/virtio_blk",
    "kernel/drivers/char/virtio_console",
    "kernel/drivers/net/",
    "kernel/drivers/virtio/",
    "kernel/fs/fuse/",
    "kernel/fs/overlayfs/",
    "kernel/lib/",
    "kernel/net/",
)
_LEFT_OUT = ("kernel/drivers/net/ethernet/", "kernel/drivers/net/wireless/", "kernel/net/wireless/")


@dataclass(frozen=True)
class Kernel:
    """An unpacked kernel in the cache."""

    directory: Path
    release: str

    @property
    def image(self) -> Path:
        """The kernel image."""
        return self.directory / "vmlinuz"

    @property
    def busybox(self) -> Path:
        """A static busybox."""
        return self.directory / "busybox"

    @property
    def modules_disk(self) -> Path:
        """A disk image of /lib/modules."""
        return self.directory / "modules.img"

    @property
    def modules(self) -> Path:
        """The directory of modules, with depmod's files."""
        return self.directory / "lib/modules" / self.release


def get(version: str) -> Kernel:
    """The kernel of that version, from the cache or from Debian."""
    cache = tools.cache_directory()
    directory = cache / f"kernel-{version}"
    with tools.locked(cache / f"kernel-{version}.lock"):
        if not directory.exists():
            _fetch(version, directory)
    release = (directory / "release").read_text().strip()
    return Kernel(directory, release)


def _fetch(version: str, target: Path) -> None:
    _require_amd64()
    suites = SUITES[version]
    tools.note(f"fetching kernel {version} from Debian's {suites[0]} (once; kept in {target})")
    archive = Archive(suites, tools.cache_directory() / f"apt-{suites[0]}")
    archive.refresh()
    packages = [*_kernel_packages(archive, version), "busybox-static"]
    with (
        tempfile.TemporaryDirectory(prefix="vlanlink-kernel-") as temporary,
        tools.new_directory(target) as home,
    ):
        for package in archive.download(packages, into=Path(temporary)):
            unpack(package, Path(temporary) / "root")
        _keep_what_is_needed(Path(temporary) / "root", home)


def _require_amd64() -> None:
    here = tools.run([tools.program("dpkg", "dpkg"), "--print-architecture"]).strip()
    if here != "amd64":
        raise MissingError(f"the guest runs on amd64 machines only, and this one is {here}")


def _kernel_packages(archive: Archive, version: str) -> list[str]:
    """The package of the newest kernel of that version, and those of its parts."""
    image = _newest_image(archive, version)
    parts = re.findall(r"\blinux-(?:binary|modules)-[0-9][\w.+~-]*", archive.show(image))
    return [image, *dict.fromkeys(parts)]


def _newest_image(archive: Archive, version: str) -> str:
    pattern = re.compile(r"linux-image-(\d+\.\d+)[.+~-].*cloud-amd64")
    found = {name: m[1] for name in archive.names("linux-image-") if (m := pattern.fullmatch(name))}
    fitting = [name for name, of in found.items() if of == version]
    if not fitting:
        suite = SUITES[version][0]
        has = ", ".join(sorted(set(found.values()), key=_numbers)) or "none"
        raise RigError(f"Debian's {suite} no longer has cloud kernel {version}; it has {has}")
    return max(fitting, key=_numbers)


def _numbers(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", name)]


def _keep_what_is_needed(unpacked: Path, home: Path) -> None:
    source = _only(unpacked, "lib/modules/*", "usr/lib/modules/*")
    release = source.name
    modules = home / "lib/modules" / release
    _copy_modules(source, modules)
    tools.run([tools.program("depmod", "kmod"), "-b", home, release])
    tools.make_ext4(home / "lib/modules", home / "modules.img")
    shutil.copy2(_only(unpacked, "boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz"), home / "vmlinuz")
    shutil.copy2(_only(unpacked, "bin/busybox", "usr/bin/busybox"), home / "busybox")
    (home / "release").write_text(release + "\n")


def _copy_modules(source: Path, target: Path) -> None:
    for path in source.rglob("*.ko*"):
        name = path.relative_to(source).as_posix()
        if name.startswith(_KEPT) and not name.startswith(_LEFT_OUT):
            plain = target / name.removesuffix(".xz")
            plain.parent.mkdir(parents=True, exist_ok=True)
            plain.write_bytes(_uncompressed(path))
    for path in source.glob("modules.*"):
        shutil.copy2(path, target)


def _uncompressed(path: Path) -> bytes:
    content = path.read_bytes()
    return lzma.decompress(content) if path.suffix == ".xz" else content


def _only(top: Path, *patterns: str) -> Path:
    for pattern in patterns:
        found = sorted(top.glob(pattern))
        if found:
            return found[0]
    raise RigError(f"Debian's packages have none of {', '.join(patterns)}")
