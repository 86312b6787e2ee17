"""What tests of attachments share: a topology, and namespaces that come and go as containers do."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.world import World, ended, until

OFFICE = """
[topology]
name = "office"

[networks.pub]
kind = "macvlan"
parent = "eth0"
probe = false
{keys}
subnets = [{{ subnet = "172.16.3.0/24", gateway = "172.16.3.1", ip_range = "{range}" }}]

[namespaces.web.interfaces.eth0]
network = "pub"
addresses = ["172.16.3.15"]
"""


def office(keys: str = "", ip_range: str = "172.16.3.0/26", more: str = "") -> vlanlink.Topology:
    text = OFFICE.format(keys=keys, range=ip_range) + more
    return vlanlink.load("/run/office.toml", text=text)


def start_container(world: World) -> int:
    """The pid of a process in a new network namespace, as of a container."""
    process = world.start(["unshare", "-n", "sleep", "1000"])
    mine = os.stat("/proc/self/ns/net").st_ino
    where = Path(f"/proc/{process.pid}/ns/net")
    until(lambda: where.stat().st_ino != mine, "it has a namespace of its own")
    return process.pid


def end(world: World, pid: int) -> None:
    process = next(one for one in world.started if one.pid == pid)
    process.kill()
    ended(process)
    world.settle()


def inside(world: World, pid: int, words: str) -> str:
    return world.run(["nsenter", f"--net=/proc/{pid}/ns/net", *words.split()]).stdout


def fake_podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """A podman that knows one container, db; sets its pid, 0 while it does not run."""
    told, program = tmp_path / "told", tmp_path / "podman"
    program.write_text(f'#!/bin/sh\n[ "$*" = "container inspect db" ] || exit 125\ncat {told}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def tell(pid: int) -> None:
        new = tmp_path / "new"
        new.write_text(json.dumps([{"Name": "db", "State": {"Pid": pid, "Running": pid > 0}}]))
        new.rename(told)

    return tell
