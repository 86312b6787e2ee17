"""A Debian with the daemons, entered from a test's machine: it has its network and its /run."""

from pathlib import Path
from subprocess import CompletedProcess, Popen

from tests.kernel import debian
from tests.kernel.debian import ROOT, inside
from tests.kernel.world import World, until

_ENTER = f"""
mount --rbind /run {ROOT}/run
mount -t sysfs -o ro sysfs {ROOT}/sys
mkdir -p -m 755 /run/dbus /run/udev
echo living >{ROOT}/etc/hostname
hostname living
rm -f {ROOT}/etc/resolv.conf
touch {ROOT}/etc/resolv.conf
"""


class System:
    """The daemons of a Debian and their files."""

    def __init__(self, world: World, root: Path) -> None:
        self.world = world
        debian.mount(world, root, _ENTER)

    def path(self, name: str) -> Path:
        """Where a file of the system is, seen from the test."""
        return ROOT / name.lstrip("/")

    def write(self, name: str, text: str) -> None:
        """Write a file of its configuration."""
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        self.path(name).write_text(text)

    def run(self, words: str, namespace: str = "", *, check: bool = True) -> CompletedProcess[str]:
        """Run a program of the system to its end."""
        return self.world.run(inside(words), namespace, check=check)

    def start(self, words: str, log: str, namespace: str = "") -> Popen[bytes]:
        """Start a daemon; what it says is in /run/LOG.log."""
        Path(f"/run/{log}.log").touch()
        shell = f"exec chroot {ROOT} {words} >>/run/{log}.log 2>&1"
        return self.world.start(["sh", "-c", shell], namespace)

    def log(self, name: str) -> str:
        """What a daemon has said."""
        return Path(f"/run/{name}.log").read_text(errors="replace")

    def start_bus(self) -> None:
        """The system bus, without which few daemons talk to their tools."""
        self.start("dbus-daemon --system --nofork --nopidfile", "dbus")
        until(Path("/run/dbus/system_bus_socket").exists, "the system bus runs")

    def version(self, package: str) -> str:
        """Of an installed package."""
        words = f"dpkg-query --show --showformat=${{Version}} {package}"
        return f"{package} {self.run(words).stdout}"


def stop(process: "Popen[bytes]") -> None:
    """End a daemon as its service manager does."""
    process.terminate()
    process.communicate(timeout=30)
