"""Many at once, containers that end in the middle, detach beside: nothing twice, nothing lost."""

import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.attaching import inside, office, start_container
from tests.kernel.judge import dump, same
from tests.kernel.world import World, ended, until

pytestmark = [pytest.mark.needs("macvlan"), pytest.mark.usefixtures("lan")]

WORKER = """
import json, sys, vlanlink
words = iter(sys.argv[1:])
for verb, name, pid in zip(words, words, words):
    try:
        if verb == "attach":
            vlanlink.attach("office/pub", pid=int(pid), id=name, lock_timeout=500)
        else:
            vlanlink.detach("office/pub", name, lock_timeout=500)
        print(json.dumps([verb, name, None]))
    except vlanlink.VlanlinkError as error:
        print(json.dumps([verb, name, str(error)]))
"""
DIES_AFTER = """
import os, signal
from vlanlink.kernel.netlink.socket import Socket
from vlanlink.store.files import Store
left = {calls}
def counted(function):
    def call(*words, **more):
        global left
        left -= 1
        if left == 0:
            os.kill({pid}, signal.SIGKILL)
        return function(*words, **more)
    return call
Socket.request = counted(Socket.request)
Socket.dump = counted(Socket.dump)
Store._write = counted(Store._write)
import vlanlink
vlanlink.attach("office/pub", pid={pid}, id="c1")
"""


def given(world: World, pid: int) -> list[str]:
    """The addresses of eth0 in a container."""
    shown = json.loads(inside(world, pid, "ip -j -4 addr show") or "[]")
    found = (a for link in shown if link.get("ifname") == "eth0" for a in link["addr_info"])
    return [f"{one['local']}/{one['prefixlen']}" for one in found]


def work(world: World, tasks: list[list[str]], processes: int) -> dict[tuple[str, str], str | None]:
    """The error of each task, by verb and id; tasks are done by many processes at once."""
    shares = [[word for task in tasks[at::processes] for word in task] for at in range(processes)]
    runs = [world.start([sys.executable, "-c", WORKER, *share]) for share in shares]
    until(lambda: len(vlanlink.attachments()) > 5, "some are attached")
    for name, pid in [(name, pid) for verb, name, pid in tasks if verb == "attach"][4::5]:
        del name
        os.kill(int(pid), signal.SIGKILL)
    found = {}
    for run in runs:
        told, errors = ended(run)
        assert run.returncode == 0, errors.decode()
        for line in told.splitlines():
            verb, name, error = json.loads(line)
            found[verb, name] = error
    return found


def test_many_at_once_ends_in_the_middle_and_detach_beside(world: World, long_run: bool) -> None:
    """Every fifth container ends while others are attached, every third id is detached."""
    before = dump(world)
    vlanlink.up(office("shim = true", ip_range="172.16.3.0/24"))
    pids = {f"c{n}": start_container(world) for n in range(200 if long_run else 40)}
    tasks = [["attach", name, str(pid)] for name, pid in pids.items()]
    names = list(pids)
    for at in range(0, len(names), 3):
        tasks.insert(2 * at, ["detach", names[at], "0"])
    done = work(world, tasks, 16)
    ended = set(names[4::5])
    assert {n for (verb, n), error in done.items() if verb == "attach" and error} <= ended, done
    refused = {error for (verb, _), error in done.items() if verb == "detach" and error}
    assert all("unknown attachment" in error for error in refused if error), refused
    gone = {name for (verb, name), error in done.items() if verb == "detach" and not error}
    kept = {n for (verb, n), error in done.items() if verb == "attach" and not error} - gone
    found = {one.id: one for one in vlanlink.attachments()}
    assert found.keys() == kept
    assert {name for name, one in found.items() if one.live} == kept - ended
    counts = Counter(address for one in found.values() for address in one.addresses)
    assert max(counts.values()) == 1
    assert sum(counts.values()) == len(kept)
    assert "172.16.3.15/24" not in counts
    for name in pids.keys() - ended:
        assert given(world, pids[name]) == (list(found[name].addresses) if name in kept else [])
    assert vlanlink.status("office").state == "up"
    assert not vlanlink.up(office("shim = true", ip_range="172.16.3.0/24")).changes
    vlanlink.down("office")
    assert all(given(world, pids[name]) == [] for name in pids.keys() - ended)
    assert [one for one in os.listdir("/run/vlanlink") if not one.startswith("lock")] == []
    same(world, before)


@pytest.mark.parametrize("calls", [1, 3, 8, 14, 20])
def test_a_container_that_ends_in_the_middle(world: World, calls: int) -> None:
    """Before so many dumps, requests and writes: attached and ended, or an error and nothing."""
    before = dump(world)
    vlanlink.up(office("shim = true"))
    pid = start_container(world)
    words = [sys.executable, "-c", DIES_AFTER.format(calls=calls, pid=pid)]
    output = world.run(words, check=False)
    process = next(one for one in world.started if one.pid == pid)
    ended(process)
    world.settle()
    told = output.stderr.strip().splitlines()
    assert output.returncode == 0 or told[-1].startswith("vlanlink.errors."), output.stderr
    assert {one.live for one in vlanlink.attachments()} <= {False}
    assert vlanlink.status("office").state == "up"
    later = start_container(world)
    assert vlanlink.attach("office/pub", pid=later, id="c1").addresses == ("172.16.3.2/24",)
    assert given(world, later) == ["172.16.3.2/24"]
    vlanlink.down("office")
    assert not list(Path("/run/vlanlink").glob("office*"))
    same(world, before)
