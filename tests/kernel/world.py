"""A machine for one test: namespaces of its own, and the judges that look at it."""

import errno
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vlanlink.kernel import syscalls

POLL_SECONDS = 0.05
BOUND_SECONDS = 30.0
"""On a machine that does nothing else; see ``scaled``."""
_LONGEST = 8.0


def scaled(seconds: float) -> float:
    """A bound on a busy machine: as many times longer as tasks wait for each processor.

    It ends before the test's own bound, which tells less.
    """
    return seconds * min(max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)), _LONGEST)


def until(
    condition: Callable[[], Any],
    what: str = "",
    seconds: float = BOUND_SECONDS,
    poll: float = POLL_SECONDS,
) -> Any:
    """The first true value of ``condition``; fails when there is none within the bound."""
    begin = time.monotonic()
    while True:
        value = condition()
        if value:
            return value
        took = time.monotonic() - begin
        assert took < scaled(seconds), f"not within {took:.0f} s: {what or condition}"
        time.sleep(poll)


def next_line(process: "subprocess.Popen[bytes]", stream: str, seconds: float = 60.0) -> str:
    """The next line of ``stdout`` or ``stderr``; a process that writes none in time is killed."""
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        return str(getattr(process, stream).readline().decode())
    finally:
        timer.cancel()


def ended(process: "subprocess.Popen[bytes]") -> tuple[bytes, bytes]:
    """What it wrote, once it has ended and what it started, which has its pipes, too."""
    out, err = process.communicate(timeout=scaled(2 * BOUND_SECONDS))
    return out or b"", err or b""


class World:
    """The test's machine. ``HOST`` ("") names its own namespace, other names those in /run/netns
    or among the places that a LAN keeps out of vlanlink's sight."""

    def __init__(self) -> None:
        self.places: dict[str, str] = {}
        self.started: list[subprocess.Popen[bytes]] = []
        self.threads = threading.active_count()

    def path(self, namespace: str) -> str:
        """Where a namespace is found."""
        return self.places.get(namespace, f"/run/netns/{namespace}")

    @contextmanager
    def inside(self, namespace: str) -> Iterator[None]:
        """This thread is in a namespace: what it starts is born there, without another exec."""
        if not namespace:
            yield
            return
        with open("/proc/thread-self/ns/net") as home, open(self.path(namespace)) as there:
            syscalls.setns(there.fileno(), syscalls.CLONE_NEWNET)
            try:
                yield
            finally:
                syscalls.setns(home.fileno(), syscalls.CLONE_NEWNET)

    def run(
        self, words: str | list[str], namespace: str = "", *, check: bool = True, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; its output is text."""
        split = words.split() if isinstance(words, str) else words
        with self.inside(namespace):
            result = subprocess.run(split, input=stdin, capture_output=True, text=True, check=False)
        assert not check or result.returncode == 0, (split, result.stdout, result.stderr)
        return result

    def start(self, words: str | list[str], namespace: str = "") -> "subprocess.Popen[bytes]":
        """Start a command that goes on; it is killed with the test."""
        split = words.split() if isinstance(words, str) else words
        with self.inside(namespace):
            process = subprocess.Popen(split, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.started.append(process)
        return process

    def ip(self, words: str, namespace: str = "") -> str:
        """`ip WORDS` in a namespace."""
        return self.run(f"ip {words}", namespace).stdout

    def batch(self, lines: str, namespace: str = "") -> None:
        """`ip -batch` with many lines at once."""
        self.run("ip -batch -", namespace, stdin=lines)

    def json(self, words: str, namespace: str = "") -> Any:
        """What `ip -j -d WORDS` says."""
        output = self.run(f"ip -j -d {words}", namespace).stdout or "[]"
        return json.loads(output, strict=False)  # ip prints control characters as they are

    def link(self, name: str, namespace: str = "") -> dict[str, Any]:
        """One link as `ip -j -d link` shows it."""
        found: dict[str, Any] = self.json(f"link show dev {name}", namespace)[0]
        return found

    def addresses(self, name: str, namespace: str = "") -> list[str]:
        """The addresses of a link that are not link-local, as ADDRESS/PREFIX."""
        info = self.json(f"addr show dev {name}", namespace)[0]["addr_info"]
        return [f"{a['local']}/{a['prefixlen']}" for a in info if a["scope"] != "link"]

    def names(self, namespace: str = "") -> set[str]:
        """The names of all links; none while a namespace has its name alone."""
        try:
            return {link["ifname"] for link in self.json("link", namespace)}
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return set()

    def namespaces(self) -> set[str]:
        """What `ip netns list` lists."""
        return {line.split()[0] for line in self.ip("netns list").splitlines() if line}

    def pings(self, namespace: str, address: str, *, dev: str | None = None) -> bool:
        """Whether one ping is answered within a second."""
        words = ["ping", "-n", "-c1", "-W1", *(["-I", dev] if dev else []), address]
        return self.run(words, namespace, check=False).returncode == 0

    def reaches(self, namespace: str, address: str) -> None:
        """A ping is answered, within the bound."""
        until(
            lambda: self.pings(namespace, address), f"ping from {namespace or 'host'} to {address}"
        )

    def does_not_reach(self, namespace: str, address: str) -> None:
        """No ping is answered. Ask only after something on the same wire was reached."""
        assert not self.pings(namespace, address), f"{namespace or 'host'} reaches {address}"

    def lose_name(self, namespace: str) -> None:
        """`ip netns delete` where a watch may be quicker than `ip`, which unmounts the name, then
        removes its file: that fails if the namespace is back by then."""
        self.run(f"ip netns delete {namespace}", check=False)

    def unmount(self, path: str) -> None:
        """Whoever looks at all namespaces of the machine holds this one open for a moment."""
        gone = lambda: self.run(["umount", path], check=False).returncode == 0  # noqa: E731
        until(gone, f"umount {path}")

    def settle(self) -> None:
        """The kernel is done with the namespaces that went: it takes them one after the other."""
        self.ip("netns add last")
        self.ip("link add last0 type veth peer name last1 netns last")
        self.ip("netns del last")
        until(lambda: "last0" not in self.names(), "the last namespace is gone", seconds=120)

    def make_place(self, name: str) -> None:
        """A namespace that has no name in /run/netns: a station, not part of the machine."""
        path = f"/run/places/{name}"
        Path("/run/places").mkdir(exist_ok=True)
        Path(path).touch()

        def make() -> None:
            syscalls.unshare(syscalls.CLONE_NEWNET)
            syscalls.mount("/proc/thread-self/ns/net", path, "none", syscalls.MS_BIND)

        thread = threading.Thread(target=make)
        thread.start()
        thread.join(scaled(BOUND_SECONDS))
        assert not thread.is_alive(), f"{path} is not made"
        self.places[name] = path
        self.ip("link set lo up", name)

    def end(self) -> None:
        for process in self.started:
            process.kill()
        for process in self.started:
            ended(process)

    def assert_nothing_left(self) -> None:
        """No thread of the test goes on."""
        until(lambda: threading.active_count() <= self.threads, "a thread goes on")


def _moves_to(mount_namespace: int) -> bool:
    try:
        syscalls.setns(mount_namespace, syscalls.CLONE_NEWNS)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return False
    return True


_REST = {"uts": 0x04000000, "ipc": 0x08000000}
"""Host name and System V IPC, which tests and what they run may set too."""


_MS_REMOUNT = 32
_READ_ONLY = syscalls.MS_BIND | _MS_REMOUNT | syscalls.MS_RDONLY


@contextmanager
def own_world() -> Iterator[World]:
    """Move this process into new network, mount, UTS and IPC namespaces, and back at the end."""
    where = os.getcwd()
    rest = {flag: os.open(f"/proc/self/ns/{name}", os.O_RDONLY) for name, flag in _REST.items()}
    net = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    mnt = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    syscalls.unshare(syscalls.CLONE_NEWNET | syscalls.CLONE_NEWNS | sum(_REST.values()))
    try:
        syscalls.mount("none", "/", "none", syscalls.MS_REC | syscalls.MS_PRIVATE)
        syscalls.mount("tmpfs", "/run", "tmpfs", 0)
        syscalls.mount("tmpfs", "/var/lib", "tmpfs", 0)
        syscalls.mount("/etc", "/etc", "none", syscalls.MS_BIND)  # a test never writes to it
        syscalls.mount("none", "/etc", "none", _READ_ONLY)
        here = World()
        try:
            here.ip("link set lo up")
            yield here
        finally:
            here.end()
    finally:
        syscalls.setns(net, syscalls.CLONE_NEWNET)
        # A thread that Python has joined may still be on its way out, and share our root.
        until(lambda: _moves_to(mnt), "back in the first mount namespace")
        os.chdir(where)
        for flag, descriptor in rest.items():
            syscalls.setns(descriptor, flag)
            os.close(descriptor)
        os.close(net)
        os.close(mnt)
