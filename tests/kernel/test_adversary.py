"""The tenant property: whatever a process does inside one namespace, it harms nobody else by us.

An adversary does random things in a namespace of ours, then every verb runs. Judged: nothing
outside the namespace changes, nothing that it wrote reaches the output as it stands, there is no
traceback, each verb keeps to its exit codes, and time and memory stay bounded. Everybody else is
mended, listed and taken down.
"""

import json
import os
import re
import resource
import subprocess
from pathlib import Path
from typing import Any

import pytest

import vlanlink
from tests.kernel.adversary import Adversary
from tests.kernel.command_line import VLANLINK
from tests.kernel.judge import differences, dump
from tests.kernel.lan import Lan
from tests.kernel.test_tenant_marks import OFFICE, OTHER, record
from tests.kernel.test_tenant_watch import watched
from tests.kernel.world import until
from vlanlink.watcher import Policy

pytestmark = pytest.mark.needs("macvlan")

OFFICE_FILE, OTHER_FILE = "/run/office.toml", "/run/other.toml"
VERBS = {
    "validate": (f"validate {OFFICE_FILE}", {0}),
    "plan": (f"plan {OFFICE_FILE}", {0, 1}),
    "plan --json": (f"plan {OFFICE_FILE} --json", {0, 1}),
    "status": ("status", {0, 3}),
    "status NAME": ("status office", {0, 3}),
    "status FILE": (f"status {OFFICE_FILE}", {0, 3}),
    "status other": ("status other", {0}),
    "ls": ("ls", {0}),
    "inspect": ("inspect office/pub", {0}),
    "leases": ("leases", {0}),
    "verify": ("verify office", {0, 1, 3}),
    "doctor": (f"doctor {OFFICE_FILE}", {0, 1, 3}),
    "down --dry-run": ("down office --dry-run", {0, 1}),
    "up": (f"up {OFFICE_FILE}", {0, 1}),
    "up again": (f"up {OFFICE_FILE}", {0, 1}),
}
SECONDS = 60
LARGEST_KIB = 400 << 10


def run(words: str, allowed: set[int], deeds: list[str]) -> subprocess.CompletedProcess[bytes]:
    """A verb, within its exit codes, with clean output, in bounded time and memory."""
    done = subprocess.run(
        [VLANLINK, *words.split()], capture_output=True, timeout=SECONDS, check=False
    )
    output = (done.stdout + done.stderr).decode(errors="strict")
    what = "\n".join([f"vlanlink {words} → {done.returncode}", output[:3000], *deeds])
    assert done.returncode in allowed, what
    assert "Traceback" not in output, what
    assert not re.search(r"[^\x20-\x7e\n]", re.sub(r"[→…·–─│├└┌┐┘┤┬┴┼✓✗×]", "", output)), what
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < LARGEST_KIB, what
    return done


def others(lan: Lan) -> dict[str, Any]:
    found = dump(lan.world, "two", "three", "four")
    found["netns"] = [name for name in found["netns"] if name not in ("one", "den")]
    return found


def promiscuity(found: dict[str, Any]) -> int:
    """How many want the parent promiscuous, taken out: each promiscuous macvlan on it does."""
    link, address = (found["host"][what]["eth0"].pop("promiscuity") for what in ("link", "addr"))
    assert link == address
    return int(link)


@pytest.fixture
def up(lan: Lan) -> Lan:
    for file, text in ((OFFICE_FILE, OFFICE), (OTHER_FILE, OTHER)):
        Path(file).write_text(text)
        vlanlink.up(vlanlink.load(file))
    lan.world.ip("netns add den")
    return lan


def seeds(long_run: bool) -> range:
    """VLANLINK_SEEDS=17-20 repeats those; the message of a failure names its seed."""
    first, _, last = os.environ.get("VLANLINK_SEEDS", "").partition("-")
    if first:
        return range(int(first), int(last or first) + 1)
    return range(60) if long_run else range(2)


def test_an_adversary_harms_nobody_else(up: Lan, long_run: bool) -> None:
    for seed in seeds(long_run):
        _one_adversary(up, seed, many=25_000 if long_run else 500, deeds=12 if long_run else 8)


def _one_adversary(lan: Lan, seed: int, *, many: int, deeds: int) -> None:
    adversary = Adversary(lan.world, seed, many=many)
    adversary.done.append(f"seed {seed}")
    before = others(lan)
    least = promiscuity(before)
    adversary.act(deeds)
    most = least + sum("'promisc'" in deed for deed in adversary.done)
    for words, allowed in VERBS.values():
        done = run(words, allowed, adversary.done)
        now = others(lan)
        assert least <= promiscuity(now) <= most, (words, adversary.done)
        left = differences(before, now)
        assert not left, (words, left[:10], adversary.done)
        if words.startswith("up") and done.returncode:
            assert b"one" in done.stderr, (done.stderr, adversary.done)
    _take_down(lan, adversary)
    for file in (OFFICE_FILE, OTHER_FILE):
        vlanlink.up(vlanlink.load(file))


def _take_down(lan: Lan, adversary: Adversary) -> None:
    (*_, links) = json.loads(record().read_text())["places"].get("one", [()])
    macs = {mac for _, _, _, mac in links}
    ours = [link for link in adversary.hidden() if _is(link, macs)]
    done = run("down office", {0, 1}, adversary.done)
    left = lan.world.namespaces() - {"three", "four", "den"}
    assert left <= {"one"}, (left, adversary.done)
    if left:
        assert b"one" in done.stderr + done.stdout, (done, adversary.done)
        assert record().exists(), adversary.done
    for link in ours:
        said = f"(pid {adversary.hideout} "
        assert said in (done.stdout + done.stderr).decode(), (link, done, adversary.done)
    adversary.leave()
    run("status other", {0}, adversary.done)
    run("down other", {0}, adversary.done)
    assert lan.world.namespaces() <= {"one", "den"}, adversary.done
    lan.world.run("ip netns delete one", check=False)
    lan.world.run("ip netns delete den", check=False)
    lan.world.settle()
    run("down office", {0, 1, 2}, adversary.done)  # 2: nothing is known of it any more
    assert not record().exists(), adversary.done
    lan.world.ip("netns add den")


def _is(link: dict[str, Any], macs: set[str]) -> bool:
    return link.get("linkinfo", {}).get("info_kind") == "macvlan" and link["address"] in macs


def test_watch_mends_the_others_beside_an_adversary(up: Lan, long_run: bool) -> None:
    world = up.world
    patient = Policy(immediate=10**6, give_up_after=10**6)
    with watched(policy=patient) as watch:
        watch.told("up")
        for seed in seeds(long_run):
            adversary = Adversary(world, 1000 + seed, many=2000 if long_run else 200)
            for _ in range(4):
                adversary.act(2)
                world.ip("addr flush dev eth0", "two")
                until(
                    lambda: world.addresses("eth0", "two") == ["172.16.86.11/24"],
                    f"two is mended, seed {1000 + seed}: {adversary.done}",
                )
            adversary.leave()
        for event in watch.events:
            assert all(line.isprintable() for one in event.diagnostics for line in one.lines)
            assert event.event not in ("down", "replaced")
