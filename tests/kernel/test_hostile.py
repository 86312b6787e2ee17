"""What stands in the way on a living machine: a neighbour who meddles, a full disk, a planted link.

A neighbour is another process that deletes and changes our links while ``up`` runs.
"""

import itertools
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import vlanlink
from tests.kernel.bench import Bench
from tests.kernel.judge import dump
from tests.kernel.lan import Lan
from tests.kernel.pairs import HEAD
from tests.kernel.world import World, ended
from vlanlink.kernel.machine import Machine
from vlanlink.kernel.netns.identity import identify

pytestmark = pytest.mark.needs("macvlan")

DEEDS = {
    "deletes a link": "link del m0",
    "deletes a link in a namespace": "-n one link del eth0",
    "takes the addresses": "-n one addr flush dev eth0",
    "sets a link down": "-n one link set eth0 down",
    "renames a link": "link set m0 down name evil",
    "changes a MTU": "-n one link set eth0 mtu 1300",
    "unmarks a link": "link set m0 group 0",
    "deletes a namespace": "netns del one",
    "takes the parent": "link del eth0",
}
CHURN = """
while :; do
    ip link add churn0 type veth peer name churn1; ip addr add 10.66.0.1/24 dev churn0
    ip link del m0; ip -n one addr flush dev eth0; ip link del churn0
done
"""


@contextmanager
def each_batch(deed: Callable[[], object]) -> Iterator[None]:
    """Before each send somebody does something."""
    run_batch = Machine._run_batch

    def meddled(self: Machine, batch: Any) -> None:
        deed()
        run_batch(self, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Machine, "_run_batch", meddled)
        yield


def once(number: int, deed: Callable[[], object]) -> Callable[[], None]:
    """Only the call of that number, counted from 0, does it."""
    calls = itertools.count()

    def maybe() -> None:
        if next(calls) == number:
            deed()

    return maybe


@pytest.mark.parametrize("deed", DEEDS)
def test_a_neighbour_meddles_once(world: World, deed: str, long_run: bool) -> None:
    """All is up, or an error says why not; a second `up` and `down` set it right."""
    bench = Bench(world, "macvlan")
    before = bench.dump()
    for number in range(4, 16) if long_run else (6, 10):
        meddle = each_batch(once(number, lambda: world.run(f"ip {DEEDS[deed]}", check=False)))
        with meddle, suppress(vlanlink.VlanlinkError):  # any other error is a mistake of ours
            bench.up()
        if "parent" in deed:
            vlanlink.down(bench.topologies[0])
            assert world.namespaces() == set()
            return
        world.run("ip link del evil", check=False)
        world.run("ip link del m0", check=False)  # without its mark it is nobody's
        bench.up()
        assert vlanlink.status("faults").state == "up"
        vlanlink.down("faults")
        bench.same(before)


def test_a_neighbour_who_never_rests(world: World) -> None:
    """Dumps are interrupted, links come and go: each run ends, with a word if it failed."""
    bench = Bench(world, "macvlan")
    before = bench.dump()
    neighbour = world.start(["sh", "-c", CHURN])
    for _ in range(5):
        for verb in (bench.up, lambda: vlanlink.down(bench.topologies[0])):
            with suppress(vlanlink.VlanlinkError):
                verb()
    neighbour.kill()
    ended(neighbour)
    world.run("ip link del churn0", check=False)
    bench.up()
    assert vlanlink.status("faults").state == "up"
    vlanlink.down("faults")
    bench.same(before)


@pytest.mark.needs("guest")
def test_the_clock_jumps(world: World) -> None:
    """A day on and a day back, before each batch."""
    bench = Bench(world, "macvlan")
    before = bench.dump()
    jump = 86400.0

    def set_clock() -> None:
        nonlocal jump
        time.clock_settime(time.CLOCK_REALTIME, time.time() + jump)
        jump = -jump

    with each_batch(set_clock):
        bench.up()
        assert vlanlink.status("faults").state == "up"
        vlanlink.down("faults")
    bench.same(before)


# -- full disks ------------------------------------------------------------------------------------


def small_disk(directory: str) -> None:
    Path(directory).mkdir(exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", directory], check=True
    )


def cram(directory: str) -> None:
    """Leave no room on a small disk."""
    with open(f"{directory}/ballast", "wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass


LEFT_OUT = """
[networks.pub]
kind = "macvlan"
parent = "eth0"
probe = false
subnets = [{ subnet = "10.9.0.0/24" }]
[namespaces.one.interfaces.eth0]
network = "pub"
"""


@pytest.mark.parametrize("directory", ["/run/vlanlink", "/var/lib/vlanlink"])
def test_a_full_disk_changes_nothing(lan: Lan, directory: str) -> None:
    before = dump(lan.world)
    small_disk(directory)
    cram(directory)
    topology = vlanlink.load("/run/full.toml", text=HEAD + LEFT_OUT)
    with pytest.raises(vlanlink.ConflictError, match="No space left on device") as caught:
        vlanlink.up(topology)
    assert caught.value.diagnostics[0].hint == "nothing was changed"
    after = dump(lan.world)
    assert after["host"]["link"].keys() == before["host"]["link"].keys()
    assert after["netns"] == []
    assert {path.name for path in Path(directory).glob("*.json")} == set()


def test_what_is_up_goes_down_on_a_full_disk(lan: Lan) -> None:
    small_disk("/run/vlanlink")
    vlanlink.up(vlanlink.load("/run/full.toml", text=HEAD + LEFT_OUT))
    cram("/run/vlanlink")
    assert vlanlink.status("faults").state == "up"
    vlanlink.down("faults")
    assert lan.world.namespaces() == set()


# -- planted links ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("lan")
def test_planted_symbolic_links_are_not_followed() -> None:
    victim = Path("/run/victim")
    victim.write_text("mine")
    topology = vlanlink.load("/run/planted.toml", text=HEAD + LEFT_OUT)
    directory = Path("/run/vlanlink")
    vlanlink.up(topology)
    vlanlink.down(topology)
    for name in (f"faults@{identify(None)}.json", f"lock@{identify(None)}"):
        (directory / name).unlink(missing_ok=True)
        (directory / name).symlink_to(victim)
        if name.startswith("lock"):
            with pytest.raises(vlanlink.ConflictError, match="can't use"):
                vlanlink.up(topology)
            (directory / name).unlink()
        else:
            vlanlink.up(topology)
            assert not (directory / name).is_symlink(), "replaced by a file of ours"
            vlanlink.down(topology)
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("place", ["/run/vlanlink", "/var/lib/vlanlink"])
def test_a_directory_elsewhere_is_refused(lan: Lan, place: str) -> None:
    Path("/run/elsewhere").mkdir()
    Path(place).symlink_to("/run/elsewhere")
    with pytest.raises(vlanlink.ConflictError, match="symbolic link"):
        vlanlink.up(vlanlink.load("/run/planted.toml", text=HEAD + LEFT_OUT))
    assert list(Path("/run/elsewhere").iterdir()) == []
    assert lan.world.namespaces() == set()


def test_a_planted_name_of_a_namespace_is_not_followed(lan: Lan) -> None:
    """Also where the record says that the name is ours, as after a kill."""
    topology = vlanlink.load("/run/planted.toml", text=HEAD + LEFT_OUT)
    victim = Path("/run/victim")
    victim.write_text("")
    vlanlink.up(topology)
    lan.world.unmount("/run/netns/one")
    Path("/run/netns/one").unlink()
    Path("/run/netns/one").symlink_to(victim)
    with pytest.raises(vlanlink.ApplyError, match=r"can't make namespace one: .*File exists"):
        vlanlink.up(topology)
    assert victim.stat().st_size == 0
    assert "victim" not in Path("/proc/self/mounts").read_text()
    Path("/run/netns/one").unlink()
    vlanlink.up(topology)
    Path("/run/netns/also").symlink_to("/run/netns/one")
    vlanlink.down("faults")
    assert not Path("/run/netns/one").exists() or lan.world.namespaces() <= {"one", "also"}
