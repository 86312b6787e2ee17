"""Leases for many endpoints: one process of ours, and udhcpc, a process for each."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from _bench import fetch, scene
from _bench.process import timed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REST_SECONDS = 30
_BOUND_SECONDS = 300
_TICKS = os.sysconf("SC_CLK_TCK")
_OURS = str(Path(sys.executable).with_name("vlanlink"))
_TOPOLOGY = f"""
[topology]
name = "bench"

[networks.lan]
kind = "macvlan"
parent = "{scene.PARENT}"
"""
_BY_US = "dhcp = { timeout = 120 }\n"
_BY_OTHERS = "subnets = []\n"
_SERVER = """
dnsmasq --keep-in-foreground --port=0 --no-ping --conf-file=/dev/null --user=root
--dhcp-authoritative --dhcp-lease-max=5000 --dhcp-leasefile={place}/leases
--log-facility={place}/log --interface=q0 --dhcp-range=10.64.1.0,10.64.40.255,255.255.0.0,3600
"""
_SCRIPT = """#!/bin/sh
[ "$1" = bound ] && exec ip addr add "$ip/$mask" dev "$interface"
exit 0
"""


@dataclass(frozen=True)
class Result:
    """What it took until all were bound, and what it takes from then on."""

    who: str
    seconds: float
    """From the first message, the links being there, until the last address is set."""
    cpu: float
    """Of ours that of `up` as a whole: links, verification."""
    memory: float
    """MiB, shared pages divided among those who share them."""
    rest: float
    """Processor time while nothing happens, in percent."""

    def __str__(self) -> str:
        """A row of the table."""
        numbers = f"{self.seconds:8.2f} s{self.cpu:9.2f} s{self.memory:9.1f} MiB{self.rest:8.2f} %"
        return f"{self.who:28}{numbers}"


def results(size: int) -> Iterator[Result]:
    """Both, on the same LAN with the same server."""
    with tempfile.TemporaryDirectory() as place:
        for bound in (_ours, partial(_ours, more="probe = false\n"), _udhcpc):
            scene.clear()
            server = _serve(Path(place))
            try:
                yield bound(Path(place), [f"n{number}" for number in range(1, size + 1)])
            finally:
                server.kill()
                server.wait()
                (Path(place) / "leases").unlink(missing_ok=True)
    scene.clear()


def table(found: Iterable[Result]) -> str:
    """The results, one a line."""
    head = f"{'':28}{'all bound':>10}{'CPU':>11}{'memory':>13}{'at rest':>10}"
    return "\n".join([head, *map(str, found)])


def _serve(place: Path) -> subprocess.Popen[bytes]:
    lan = _lan()
    words = ["nsenter", f"--net=/proc/{lan}/ns/net", *_SERVER.format(place=place).split()]
    server = subprocess.Popen(words)
    _until(lambda: "DHCP, IP range" in (place / "log").read_text(), place / "log")
    return server


def _lan() -> int:
    """The process that holds the LAN's namespace (``scene.make_parent``)."""
    own = os.stat("/proc/self/ns/net").st_ino
    for entry in Path("/proc").glob("[0-9]*"):
        if (entry / "comm").read_text() == "sleep\n" and os.stat(entry / "ns/net").st_ino != own:
            return int(entry.name)
    raise RuntimeError("the LAN has gone")


def _write(place: Path, names: list[str], network: str) -> str:
    file = place / "bench.toml"
    rows = [f'[namespaces.{name}.interfaces.eth0]\nnetwork = "lan"\n' for name in names]
    file.write_text(_TOPOLOGY + network + "".join(rows))
    return str(file)


def _ours(place: Path, names: list[str], more: str = "") -> Result:
    words = [_OURS, "up", "--timings", _write(place, names, _BY_US + more)]
    sample = timed(words, keep=True)
    (keeper,) = [pid for pid in _pids() if b"lease_keeper" in _command(pid) and _children(pid)]
    pids = [keeper, *_children(keeper)]
    who = f"vlanlink, {more.strip()}" if more else "vlanlink"
    found = _at_rest(who, pids, sample.own["dhcp"], sample.cpu)
    subprocess.run([_OURS, "down", "bench"], check=True, stdout=subprocess.DEVNULL)
    return found


def _udhcpc(place: Path, names: list[str]) -> Result:
    subprocess.run([_OURS, "up", _write(place, names, _BY_OTHERS)], check=True, capture_output=True)
    script = place / "script"
    script.write_text(_SCRIPT)
    script.chmod(0o755)
    client = f"{fetch.busybox()} udhcpc -i eth0 -s {script}"
    loop = "".join(f"ip netns exec {name} {client} >/dev/null 2>&1 &\n" for name in names)
    sample = timed(["sh", "-c", f"{loop}wait"])  # each goes on when it is bound
    pids = [pid for pid in _pids() if b"udhcpc" in _command(pid)]
    if len(pids) != len(names):
        raise RuntimeError(f"{len(pids)} of {len(names)} run")
    found = _at_rest("udhcpc, a process each", pids, sample.wall, sample.cpu)
    for pid in pids:
        os.kill(pid, 9)
    subprocess.run([_OURS, "down", "bench"], check=True, stdout=subprocess.DEVNULL)
    return found


def _at_rest(who: str, pids: list[int], seconds: float, cpu: float) -> Result:
    time.sleep(5)  # the last ones are done
    before, start = sum(map(_ticks, pids)), time.perf_counter()
    time.sleep(REST_SECONDS)
    taken = (sum(map(_ticks, pids)) - before) / _TICKS
    share = taken / (time.perf_counter() - start)
    return Result(who, seconds, cpu, sum(map(_pss, pids)) / 1024, share * 100)


def _until(condition: object, file: Path) -> None:
    deadline = time.monotonic() + _BOUND_SECONDS
    while not (file.exists() and callable(condition) and condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(str(file))
        time.sleep(0.05)


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _pss(pid: int) -> int:
    """KiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
