"""One QEMU guest from start to power-off."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from _rig import tools
from _rig.problems import GuestTimeoutError, RigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_KERNEL_LINE = (
    "console=ttyS0 quiet panic=-1 nokaslr mitigations=off no_timer_check tsc=reliable"
    " rcupdate.rcu_expedited=1"
)
# QEMU 7.2's TCG sometimes corrupts the flags after cmpxchg16b, which panics the kernel's allocator
# (with 6.12 in one boot of eight; never without that instruction). 5-level paging only costs time.
_CPU = "max,cx16=off,la57=off"
_BOOT_SECONDS = 120
_END_SECONDS = 10
_NICS = ("52:54:00:76:6c:01", "52:54:00:76:6c:02")
"""MACs of the guest's NICs. It sees them once it loads virtio_net."""
# In the order of their numbers in the guest, which start at 1.
_PORTS = ("status", "out", "err", "file")

_Sink = Callable[[bytes], object]


@dataclass(frozen=True)
class Setting:
    """The parts of a guest."""

    kernel: Path
    initrd: Path
    disks: Sequence[Path]
    shared_root: Path | None  # the socket of a virtiofsd
    memory: int  # MiB
    accelerator: str


@dataclass
class Outcome:
    """The data of the status port and the file port."""

    status_text: bytearray = field(default_factory=bytearray)
    file: bytearray = field(default_factory=bytearray)

    @property
    def lines(self) -> list[str]:
        """Complete lines of the status port so far."""
        return self.status_text.decode(errors="replace").split("\n")[:-1]

    @property
    def started(self) -> bool:
        """True if the guest reached the command."""
        return "started" in self.lines

    @property
    def fetched(self) -> bool:
        """True if the file to fetch existed."""
        return "fetched" in self.lines

    @property
    def exit_status(self) -> int | None:
        """The command's exit status; None while it runs."""
        for line in self.lines:
            if line.startswith("exit "):
                return int(line.removeprefix("exit "))
        return None


@contextlib.contextmanager
def process(command: Sequence[str | Path], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a helper process. It is killed on exit, and by the kernel if this process dies."""
    guarded = [tools.program("setpriv", "util-linux"), "--pdeathsig", "KILL", "--", *command]
    with log.open("wb") as stream:
        # In a separate session: Ctrl-C reaches only this process, which then cleans up.
        started = subprocess.Popen(
            guarded, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True
        )
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def run(setting: Setting, work: Path, seconds: float) -> Outcome:
    """Run the guest to its end and relay its output; `work` is a private directory."""
    outcome = Outcome()
    deadline = time.monotonic() + seconds
    with contextlib.ExitStack() as stack:
        listeners = {name: _listener(stack, work / name) for name in _PORTS}
        qemu = stack.enter_context(process(_qemu(setting, work), work / "qemu.log"))
        connections = _accept(stack, qemu, listeners, work)
        _relay(connections, outcome, deadline)
        if not outcome.started:
            raise RigError("the guest did not start\n" + _last_words(work))
        with contextlib.suppress(subprocess.TimeoutExpired):
            qemu.wait(timeout=_END_SECONDS)
    if outcome.exit_status is None:
        raise RigError("the guest died while the command ran\n" + _last_words(work))
    return outcome


def _qemu(setting: Setting, work: Path) -> list[str | Path]:
    accelerator = {"tcg": "tcg,thread=multi,tb-size=512", "kvm": "kvm"}[setting.accelerator]
    command: list[str | Path] = [tools.program("qemu-system-x86_64", "qemu-system-x86")]
    command += ["-accel", accelerator, "-cpu", _CPU, "-smp", "2", "-m", f"{setting.memory}M"]
    command += ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    command += ["-kernel", setting.kernel, "-initrd", setting.initrd, "-append", _KERNEL_LINE]
    command += [
        "-chardev",
        f"file,id=console,path={work}/console.log",
        "-serial",
        "chardev:console",
    ]
    command += ["-device", "virtio-serial-pci"]
    for number, name in enumerate(_PORTS, start=1):
        command += ["-chardev", f"socket,id={name},path={work}/{name}"]
        command += ["-device", f"virtserialport,nr={number},chardev={name},name={name}"]
    for number, disk in enumerate(setting.disks):
        command += [
            "-drive",
            f"if=none,id=disk{number},file={_escaped(disk)},format=raw,readonly=on",
        ]
        command += ["-device", f"virtio-blk-pci,drive=disk{number}"]
    if setting.shared_root is not None:
        command += ["-object", f"memory-backend-memfd,id=memory,size={setting.memory}M,share=on"]
        command += ["-machine", "memory-backend=memory"]
        command += ["-chardev", f"socket,id=root,path={setting.shared_root}"]
        command += ["-device", "vhost-user-fs-pci,chardev=root,tag=root"]
    for number, mac in enumerate(_NICS):  # on one wire
        command += ["-netdev", f"hubport,id=nic{number},hubid=0"]
        command += ["-device", f"virtio-net-pci,netdev=nic{number},mac={mac},romfile="]
    return command


def _escaped(path: Path) -> str:
    """Escape commas in the value of a QEMU option."""
    return str(path).replace(",", ",,")


def _listener(stack: contextlib.ExitStack, path: Path) -> socket.socket:
    listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    listener.bind(str(path))
    listener.listen(1)
    listener.settimeout(0.2)
    return listener


def _accept(
    stack: contextlib.ExitStack,
    qemu: subprocess.Popen[bytes],
    listeners: dict[str, socket.socket],
    work: Path,
) -> dict[str, socket.socket]:
    connections = {}
    for name, listener in listeners.items():
        connection = None
        while connection is None:
            with contextlib.suppress(TimeoutError):
                connection = stack.enter_context(listener.accept()[0])
            if connection is None and qemu.poll() is not None:
                raise RigError("QEMU did not start\n" + _last_words(work))
        connections[name] = connection
    return connections


def _relay(connections: dict[str, socket.socket], outcome: Outcome, deadline: float) -> None:
    """Relay the ports' data until QEMU closes them."""
    sinks: dict[str, _Sink] = {
        "status": outcome.status_text.extend,
        "out": lambda data: _write_all(sys.stdout.fileno(), data),
        "err": lambda data: _write_all(sys.stderr.fileno(), data),
        "file": outcome.file.extend,
    }
    boot_deadline = min(deadline, time.monotonic() + _BOOT_SECONDS)
    with selectors.DefaultSelector() as selector:
        for name, connection in connections.items():
            selector.register(connection, selectors.EVENT_READ, sinks[name])
        while selector.get_map():
            limit = deadline if outcome.started else boot_deadline
            _pass_on(selector, limit)
            _check_time(outcome, deadline, boot_deadline)


def _pass_on(selector: selectors.BaseSelector, limit: float) -> None:
    for key, _ in selector.select(timeout=max(0.0, limit - time.monotonic())):
        assert isinstance(key.fileobj, socket.socket)
        try:
            data = key.fileobj.recv(65536)
        except ConnectionResetError:
            data = b""
        if data:
            key.data(data)
        else:
            selector.unregister(key.fileobj)


def _check_time(outcome: Outcome, deadline: float, boot_deadline: float) -> None:
    now = time.monotonic()
    if now >= deadline and outcome.exit_status is None:
        raise GuestTimeoutError("the guest was stopped at the time limit (--timeout)")
    if now >= boot_deadline and not outcome.started:
        raise RigError(f"the guest did not start within {_BOOT_SECONDS} s")


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _last_words(work: Path) -> str:
    """The last messages of QEMU and of the guest's kernel."""
    said = []
    for title, name in (("QEMU", "qemu.log"), ("the guest's console", "console.log")):
        path = work / name
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        said.append(f"-- {title}: " + ("\n".join(["", *lines[-25:]]) if lines else "nothing"))
    return "\n".join(said)
