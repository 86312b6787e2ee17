"""The box: a Debian system for Vagrant's libvirt provider, built here from packages.

It boots the test guest's kernel without a boot loader. It is cached under a hash of its recipe.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
import tempfile
from pathlib import Path

from _rig import cpio, initrd, kernels, mmdebstrap, tools

_RECIPE = Path(__file__).with_name("box")
_SUITE = "bookworm"
PYTHON = "3.11"
_BOOT_MODULES = ("virtio_pci", "virtio_blk")
_SPARE_MEBIBYTES = 1024


def get() -> Path:
    """The box, from the cache or newly built; each has its own file name."""
    kernel = kernels.get(kernels.DEFAULT)
    cache = tools.cache_directory()
    target = cache / f"lab-{_recipe_hash(kernel)}.box"
    with tools.locked(cache / "lab.lock"):
        if not target.exists():
            for old in cache.glob("lab-*.box"):
                old.unlink()
            tools.note(f"building a box of Debian {_SUITE} (once; cached in {target})", who="lab")
            with tempfile.TemporaryDirectory(prefix="lab-", dir=cache) as temporary:
                _build(kernel, Path(temporary)).rename(target)
    return target


def _recipe_hash(kernel: kernels.Kernel) -> str:
    key = hashlib.sha256(kernel.release.encode())
    for path in (Path(__file__), Path(mmdebstrap.__file__), *sorted(_RECIPE.iterdir())):
        key.update(path.read_bytes())
    return key.hexdigest()[:16]


def _build(kernel: kernels.Kernel, work: Path) -> Path:
    root, parts = work / "root", work / "parts"
    parts.mkdir()
    key = parts / "key"
    keygen = [tools.program("ssh-keygen", "openssh-client"), "-q", "-t", "ed25519", "-N", ""]
    tools.run([*keygen, "-C", "vagrant", "-f", key])
    public_key = key.with_suffix(".pub").rename(work / "key.pub")
    _make_system(root, kernel, public_key)
    tools.make_ext4(root, work / "disk", spare=_SPARE_MEBIBYTES)
    shutil.rmtree(root)
    convert = [tools.program("qemu-img", "qemu-utils"), "convert", "-O", "qcow2"]
    tools.run([*convert, work / "disk", parts / "box.img"])
    (parts / "initrd").write_bytes(_initrd(kernel))
    shutil.copy(kernel.image, parts / "vmlinuz")
    shutil.copy(_RECIPE / "Vagrantfile", parts)
    size = -(-(work / "disk").stat().st_size // 2**30)
    metadata = {"provider": "libvirt", "format": "qcow2", "virtual_size": size}
    (parts / "metadata.json").write_text(json.dumps(metadata))
    box = work / "box"
    with tarfile.open(box, "w") as archive:
        for path in sorted(parts.iterdir()):
            archive.add(path, path.name)
    return box


def _make_system(root: Path, kernel: kernels.Kernel, public_key: Path) -> None:
    packages = (_RECIPE / "packages").read_text().split()
    customize = f'{_RECIPE}/customize "$1" {public_key} {kernel.modules}'
    left_out = ("man", "doc", "locale")
    options = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in left_out]
    mmdebstrap.build(_SUITE, root, packages, [*options, f"--customize-hook={customize}"])


def _initrd(kernel: kernels.Kernel) -> bytes:
    files = {"init": (_RECIPE / "init").read_bytes(), "bin/busybox": kernel.busybox.read_bytes()}
    files |= initrd.modules(kernel, _BOOT_MODULES)
    return cpio.archive({**files, "new/.keep": b"", "dev/.keep": b""})
