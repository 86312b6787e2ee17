"""Podman, Docker, LXC and systemd-nspawn from a Debian of their own, and an image for them."""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from tests.kernel import debian
from tests.kernel.debian import ROOT, inside
from tests.kernel.world import World, until

IMAGE = Path("/run/image")
_APPLETS = ("sh", "sleep", "ip", "httpd", "cat")
_PODMAN = {
    "storage.conf": '[storage]\ndriver = "vfs"\n'
    'runroot = "/run/podman"\ngraphroot = "/srv/podman"\n',
    "containers.conf": '[containers]\ncgroups = "disabled"\n'
    '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n',
}
"""Settings for a machine whose systemd and cgroups are not ours."""
_ENTER = f"""
mount -t sysfs sysfs {ROOT}/sys
mount -t cgroup2 cgroup {ROOT}/sys/fs/cgroup
mount -t tmpfs run {ROOT}/run
mkdir -p /run/netns {ROOT}/run/netns
mount --bind /run/netns /run/netns
mount --make-shared /run/netns  # names given later are seen there, too
mount --bind /run/netns {ROOT}/run/netns
"""


class Engines:
    """A system with container engines, over the one in the cache, in a test's namespaces."""

    def __init__(self, world: World, system: Path) -> None:
        self.world = world
        self.commands = Path("/run/commands")
        self.commands.mkdir()
        debian.mount(world, system, _ENTER)
        for name, text in _PODMAN.items():
            (ROOT / "etc/containers" / name).write_text(text)
        (ROOT / "etc/machine-id").write_text("0123456789abcdef" * 2 + "\n")
        self._make_image()

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
        return self.world.run(inside(words), stdin=stdin, check=check)

    def said(self, words: str) -> str:
        """What a command prints, be it right or wrong."""
        return self.run(words, check=False).stdout.strip()

    def start(self, words: str) -> "subprocess.Popen[bytes]":
        """Start a command of that system."""
        return self.world.start(inside(words))

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
