"""What is raised inside a change undoes it: by a callback, by a signal handler, by anybody."""

from collections.abc import Callable

import pytest

import vlanlink
from tests.kernel.judge import dump, same
from tests.kernel.topologies import small
from tests.kernel.world import World
from vlanlink.kernel.machine import Machine

TOPOLOGY = small("t", a="", b="", c="")


@pytest.fixture
def topology(world: World) -> vlanlink.Topology:
    world.batch("link add eth0 type veth peer name port\nlink set eth0 up\nlink set port up")
    world.settle()
    return vlanlink.load("t.toml", text=TOPOLOGY)


def raiser(error: BaseException) -> Callable[[int, int, str], None]:
    def callback(done: int, total: int, _: str) -> None:
        if total and done * 2 > total:
            raise error

    return callback


ERRORS = (
    RuntimeError("of a tool"),
    BrokenPipeError(32, "Broken pipe"),
    SystemExit(3),
    vlanlink.UsageError(vlanlink.Diagnostic("of a library")),
)


@pytest.mark.needs("macvlan")
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_what_a_callback_raises_undoes_up(
    world: World, topology: vlanlink.Topology, error: BaseException
) -> None:
    before = dump(world, sysctls=True)
    with pytest.raises(type(error)) as caught:
        vlanlink.up(topology, on_progress=raiser(error))
    assert caught.value is error
    same(world, before)
    assert vlanlink.status() == ()


@pytest.mark.needs("macvlan")
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_what_a_callback_raises_undoes_down(
    world: World, topology: vlanlink.Topology, error: BaseException
) -> None:
    vlanlink.up(topology)
    before = dump(world, "a", "b", "c", sysctls=False)
    with pytest.raises(type(error)):
        vlanlink.down("t", on_progress=raiser(error))
    same(world, before, "a", "b", "c")
    assert vlanlink.status("t").state == "up"


@pytest.mark.needs("macvlan")
def test_false_cancels(world: World, topology: vlanlink.Topology) -> None:
    before = dump(world, sysctls=True)
    with pytest.raises(vlanlink.Interrupted):
        vlanlink.up(topology, on_progress=lambda done, total, _: done * 2 < total)
    same(world, before)


@pytest.mark.needs("macvlan")
def test_all_phases_count(world: World, topology: vlanlink.Topology) -> None:
    del world
    text = TOPOLOGY.replace("probe = false", "probe = { count = 1, seconds = 0.1 }")
    seen: list[tuple[int, int, str]] = []
    topology = vlanlink.load("t.toml", text=text)
    done = vlanlink.up(topology, on_progress=lambda *one: seen.append(one))
    counts, totals, words = zip(*seen, strict=True)
    assert list(counts) == sorted(counts)
    assert set(totals) == {counts[-1]}
    assert counts[-1] >= len(done.operations) + 2 * 3
    phases = ("probe the LAN for 3 addresses", "read back and compare", "announce 3 addresses")
    assert [word for word in words if word in phases] == list(phases)
    assert counts[words.index("announce 3 addresses")] < counts[-1]


@pytest.mark.needs("macvlan")
@pytest.mark.parametrize("phase", ["probe the LAN for 3 addresses", "read back and compare"])
def test_each_phase_can_be_cancelled(phase: str, world: World, topology: vlanlink.Topology) -> None:
    before = dump(world, sysctls=True)
    topology = vlanlink.load("t.toml", text=TOPOLOGY.replace("probe = false", ""))
    with pytest.raises(vlanlink.Interrupted):
        vlanlink.up(topology, on_progress=lambda _, __, what: what != phase)
    same(world, before)


@pytest.mark.needs("macvlan")
@pytest.mark.parametrize("question", ["unicast_macs", "announce", "probe_lan", "dead_names"])
def test_what_the_kernel_refuses_between_two_steps_undoes_up(
    world: World, topology: vlanlink.Topology, monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    """A parent that goes meanwhile, or no memory: an error, as where a step fails."""
    del topology
    before = dump(world, sysctls=True)

    def refuses(*_: object, **__: object) -> None:
        raise OSError(19, "No such device")

    with monkeypatch.context() as patch:
        patch.setattr(Machine, question, refuses)
        text = TOPOLOGY.replace("probe = false", "probe = { count = 1, seconds = 0.1 }")
        with pytest.raises((vlanlink.ApplyError, vlanlink.ConflictError), match="No such device"):
            vlanlink.up(vlanlink.load("t.toml", text=text))
    same(world, before)
    assert vlanlink.status() == ()
