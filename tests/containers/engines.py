"""Podman, Docker, LXC and systemd-nspawn from a Debian of their own, and an image for them."""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from tests.kernel.world import World, until

ROOT = Path("/run/engines/root")
IMAGE = Path("/run/image")
_APPLETS = ("sh", "sleep", "ip", "httpd", "cat")
_PODMAN = {
    "storage.conf": '[storage]\ndriver = "vfs"\n'
    'runroot = "/run/podman"\ngraphroot = "/srv/podman"\n',
    "containers.conf": '[containers]\ncgroups = "disabled"\n'
    '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n',
}
"""Settings for a machine whose systemd and cgroups are not ours."""


class Engines:
    """A system with container engines, over the one in the cache, in a test's namespaces."""

    def __init__(self, world: World, system: Path) -> None:
        self.world = world
        self.commands = Path("/run/engines/bin")
        self._mount(system)
        for name, text in _PODMAN.items():
            (ROOT / "etc/containers" / name).write_text(text)
        (ROOT / "etc/machine-id").write_text("0123456789abcdef" * 2 + "\n")
        self._make_image()

    def _mount(self, system: Path) -> None:
        for name in ("root", "upper", "work", "bin"):
            (ROOT.parent / name).mkdir(parents=True)
        layers = f"lowerdir={system},upperdir={ROOT.parent}/upper,workdir={ROOT.parent}/work"
        Path("/run/netns").mkdir(exist_ok=True)
        for words in (
            f"mount -t overlay -o {layers} engines {ROOT}",
            f"mount -t proc proc {ROOT}/proc",
            f"mount -t sysfs sysfs {ROOT}/sys",
            f"mount -t cgroup2 cgroup {ROOT}/sys/fs/cgroup",
            f"mount --rbind /dev {ROOT}/dev",
            f"mount -t tmpfs run {ROOT}/run",
            "mount --bind /run/netns /run/netns",
            "mount --make-shared /run/netns",  # names given later are seen there, too
        ):
            self.world.run(words)
        (ROOT / "run/netns").mkdir()
        self.world.run(f"mount --bind /run/netns {ROOT}/run/netns")

    def _make_image(self) -> None:
        """A root file system of one program, whose other names are links to it."""
        for name in ("bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "usr", "var"):
            (IMAGE / name).mkdir(parents=True)
        shutil.copy(ROOT / "bin/busybox", IMAGE / "bin/busybox")
        for name in _APPLETS:
            (IMAGE / "bin" / name).symlink_to("busybox")
        (IMAGE / "index.html").write_text("It works")
        (IMAGE / "etc/os-release").write_text("ID=tiny\n")
        (IMAGE / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        with tarfile.open(ROOT / "srv/image.tar", "w") as archive:
            archive.add(IMAGE, ".")

    def offer(self, program: str) -> None:
        """Put an engine's command on PATH."""
        file = self.commands / program
        file.write_text(f'#!/bin/sh\nexec chroot {ROOT} {program} "$@"\n')
        file.chmod(0o755)

    def run(
        self, words: str | list[str], *, stdin: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of that system."""
        split = words.split() if isinstance(words, str) else words
        return self.world.run(["chroot", str(ROOT), *split], stdin=stdin, check=check)

    def said(self, words: str) -> str:
        """What a command prints, be it right or wrong."""
        return self.run(words, check=False).stdout.strip()

    def start(self, words: str) -> "subprocess.Popen[bytes]":
        """Start a command of that system."""
        return self.world.start(["chroot", str(ROOT), *words.split()])

    def use(self, engine: str, image: str) -> None:
        """Put podman or docker on PATH; it has the image under that name."""
        self.offer(engine)
        if engine == "docker":
            (ROOT / "var/lib/docker").mkdir()
            self.start(
                "dockerd --iptables=false --bridge=none --storage-driver=vfs"
                " --exec-opt native.cgroupdriver=cgroupfs"
            )
            until(lambda: self.run("docker version", check=False).returncode == 0, "dockerd")
        serve = 'CMD ["httpd","-f"]'
        self.run([engine, "import", "--change", serve, "/srv/image.tar", image])

    def unpack(self, where: str) -> None:
        """The image as a directory of that system, for what runs directories."""
        shutil.copytree(IMAGE, ROOT / where.lstrip("/"), symlinks=True)

    def end(self) -> None:
        """Containers outlive their engines' commands."""
        for engine in os.listdir(self.commands):
            listed = self.said(f"{engine} ps -aq").split()
            at_once = ["-t", "0"] if engine == "podman" else []
            self.run([engine, "rm", "-f", *at_once, *listed], check=False)
