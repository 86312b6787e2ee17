"""Each operation refused once, each batch interrupted once: all is as it was before.

The kernel is the real one. In front of it stands ``Fault``, which answers one operation itself
with an error, and lets the others through, those of the same send too: as the kernel does.
"""

import errno
import itertools
import os
import signal
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import vlanlink
from tests.conftest import is_long
from tests.kernel.examples import every_example, example
from tests.kernel.judge import differences, dump
from tests.kernel.lan import Lan
from tests.kernel.world import World, until
from vlanlink.kernel import execution, machine, procfs
from vlanlink.kernel.machine import Machine
from vlanlink.kernel.netlink.constants import DELLINK
from vlanlink.kernel.netlink.socket import Refusal, Socket
from vlanlink.kernel.netns.namespaces import Namespaces
from vlanlink.planning.plan import plan
from vlanlink.reconcile import apply, up
from vlanlink.reconcile.apply import undo
from vlanlink.reconcile.session import Session
from vlanlink.store.files import Store

FILE = "/run/faults.toml"
ERRNOS = (errno.EBUSY, errno.ENOMEM, errno.EPERM, errno.ENOBUFS)
LOST = (errno.ETIMEDOUT, errno.ENOBUFS)
"""An answer that never comes, and answers for which the socket has no room."""

HEAD = """
[topology]
name = "faults"
"""


@dataclass(frozen=True)
class Pair:
    """A topology, and what it is edited to: live changes, new links, and what comes and goes."""

    text: str
    edited: str


PAIRS = {
    "macvlan": Pair(
        """
[host]
sysctls = { "net.ipv4.ip_forward" = 1 }
[networks.pub]
kind = "macvlan"
parent = "eth0"
probe = false
subnets = [{ subnet = "10.9.0.0/24", gateway = "10.9.0.1" }, { subnet = "2001:db8:9::/64" }]
[namespaces.one]
sysctls = { "net.ipv4.ip_forward" = 1 }
[namespaces.one.interfaces.eth0]
network = "pub"
addresses = ["10.9.0.10", "2001:db8:9::10"]
mtu = 1400
altnames = ["front"]
routes = [{ to = "10.8.0.0/16", via = "10.9.0.2" }]
[links.m0]
kind = "macvlan"
parent = "eth1"
probe = false
mode = "source"
source_macs = ["02:00:00:00:00:31"]
""",
        """
[networks.pub]
kind = "macvlan"
parent = "eth0"
probe = false
mode = "private"
subnets = [{ subnet = "10.9.0.0/24", gateway = "10.9.0.2" }, { subnet = "2001:db8:9::/64" }]
[namespaces.one.interfaces.eth0]
network = "pub"
addresses = ["10.9.0.11"]
altnames = ["back"]
[namespaces.two.interfaces.eth0]
network = "pub"
addresses = ["10.9.0.12"]
[links.m0]
kind = "macvlan"
parent = "eth1"
probe = false
mode = "bridge"
""",
    ),
    # Two steps: the parent is set up, the LAN is asked, then the rest.
    "asked": Pair(
        """
[networks.pub]
kind = "macvlan"
parent = "eth1"
probe = { count = 1, seconds = 0.02 }
subnets = [{ subnet = "10.9.0.0/24" }]
[namespaces.one.interfaces.eth0]
network = "pub"
addresses = ["10.9.0.10"]
""",
        """
[networks.pub]
kind = "macvlan"
parent = "eth1"
probe = { count = 1, seconds = 0.02 }
subnets = [{ subnet = "10.9.0.0/24" }]
[namespaces.one.interfaces.eth0]
network = "pub"
addresses = ["10.9.0.10"]
[namespaces.two.interfaces.eth0]
network = "pub"
""",
    ),
    # In the guest, where these run, everything takes ten times as long: one link each.
    "vlan": Pair(
        """
[links.v5]
kind = "vlan"
parent = "eth0"
id = 5
gvrp = true
egress_qos = { "1" = 2 }
addresses = ["10.9.0.10/24"]
""",
        """
[links.v5]
kind = "vlan"
parent = "eth0"
id = 5
mtu = 1400
egress_qos = { "3" = 4 }
addresses = ["10.9.0.11/24"]
""",
    ),
    "ipvlan": Pair(
        """
[links.i0]
kind = "ipvlan"
parent = "eth0"
probe = false
addresses = ["10.9.0.10/24"]
""",
        """
[links.i0]
kind = "ipvlan"
parent = "eth0"
probe = false
mode = "l3s"
flag = "private"
mtu = 1400
addresses = ["10.9.0.11/24"]
""",
    ),
    "dummy": Pair(
        """
[links.d0]
kind = "dummy"
mtu = 1400
addresses = ["2001:db8:9::10/64"]
""",
        """
[links.d0]
kind = "dummy"
mac = "02:42:00:00:00:01"
altnames = ["zero"]
addresses = ["10.9.0.11/24"]
""",
    ),
    "veth": Pair(
        """
[namespaces.one]
[links.v0]
kind = "veth"
altnames = ["zero"]
addresses = ["10.9.0.1/30", "2001:db8:9::1/64"]
[links.v0.peer]
name = "v1"
namespace = "one"
addresses = ["10.9.0.2/30"]
routes = [{ to = "10.8.0.0/16", via = "10.9.0.1" }]
[links.a]
kind = "veth"
peer = { name = "b" }
""",
        """
[namespaces.one]
[namespaces.two]
[links.v0]
kind = "veth"
mtu = 1400
addresses = ["10.9.0.5/30"]
peer = { name = "v1", namespace = "one", mac = "02:42:00:00:00:01", addresses = ["10.9.0.6/30"] }
[links.a]
kind = "veth"
peer = { name = "b", namespace = "two" }
""",
    ),
}

NEEDS = {"asked": "macvlan"}
KINDS = [pytest.param(kind, marks=pytest.mark.needs(NEEDS.get(kind, kind))) for kind in PAIRS]


@dataclass
class Fault:
    """Refuses the operation of one number, counted from 0, for as long as it is asked again."""

    number: int
    errno: int
    seen: int = 0
    refused: list[str] = field(default_factory=list)
    _victim: bytes | None = None

    @property
    def takes_away(self) -> bool:
        """What the file does not hold any more has no line in it; a sysctl may go back, too."""
        words = ("remove", "write", *(f"message {number}" for number in (17, 21, 25)))
        return self.refused[0].startswith(words)

    def strikes(self, what: str) -> bool:
        """Count an operation; whether it is the one."""
        self.seen += 1
        if self.seen - 1 == self.number:
            self.refused.append(what)
            return True
        return False

    def strikes_messages(self, messages: Sequence[bytearray]) -> list[bool]:
        """The same for a send. The message that was refused may be sent again, alone.

        One that deletes a group is let through: refused, each link is asked for by itself
        (test_sharing.py).
        """
        if is_of_a_group(messages[0]):
            return [False]
        contents = [bytes(message[:8] + message[16:]) for message in messages]
        if contents == [self._victim]:
            return [True]
        struck = [self.strikes(f"message {int.from_bytes(m[4:6], 'little')}") for m in messages]
        if True in struck:
            self._victim = contents[struck.index(True)]
        return struck

    def undone(self, *words: Any) -> tuple[str, ...]:
        """Undo may well have to send the same."""
        self._victim = None
        return undo(*words)

    def check(self, what: str) -> None:
        if self.strikes(what):
            raise OSError(self.errno, os.strerror(self.errno))


def is_of_a_group(message: bytearray) -> bool:
    """Whether it deletes links by their group: it names no link."""
    return struct.unpack_from("=H10xi", message, 4)[0:2] == (DELLINK, 0) and len(message) > 32


@contextmanager
def refusal(number: int, shift: int = 0) -> Iterator[Fault]:
    """Let one operation fail, of whatever is done meanwhile."""
    one = Fault(number, ERRNOS[(number + shift) % len(ERRNOS)])
    request, make, remove = Socket.request, Namespaces.make, Namespaces.remove
    write = procfs.write

    def faulty_request(self: Socket, messages: Any) -> list[Refusal | None]:
        struck = one.strikes_messages(messages)
        passed = [m for m, hit in zip(messages, struck, strict=True) if not hit]
        answers = iter(request(self, passed) if passed else [])
        return [Refusal(one.errno, "injected") if hit else next(answers) for hit in struck]

    def faulty_make(self: Namespaces, name: str, path: str, first: bytearray) -> None:
        one.check(f"make namespace {name}")
        make(self, name, path, first)

    def faulty_remove(self: Namespaces, name: str) -> None:
        one.check(f"remove namespace {name}")
        remove(self, name)

    def faulty_write(key: str, value: str, root: Path) -> None:
        one.check(f"write {key}")
        write(key, value, root)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Socket, "request", faulty_request)
        patch.setattr(Namespaces, "make", faulty_make)
        patch.setattr(Namespaces, "remove", faulty_remove)
        patch.setattr(procfs, "write", faulty_write)
        patch.setattr(apply, "undo", one.undone)
        # Undo may need it, while a namespace is cleaned up; a refusal of ours is not waited out.
        patch.setattr(execution, "BUSY_SECONDS", 1.0)
        yield one


@contextmanager
def lost_answer(number: int, shift: int = 0) -> Iterator[Fault]:
    """Let the answer to one send be lost. The kernel has done all of it, or, ETIMEDOUT, nothing."""
    one = Fault(number, LOST[(number + shift) % len(LOST)])
    request = Socket.request

    def deaf_request(self: Socket, messages: Any) -> list[Refusal | None]:
        if not one.strikes(f"message {int.from_bytes(messages[0][4:6], 'little')}"):
            return request(self, messages)
        if one.errno != errno.ETIMEDOUT:
            request(self, messages)
        raise OSError(one.errno, os.strerror(one.errno))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Socket, "request", deaf_request)
        yield one


class Bench:
    """A host with two NICs, of which eth1 is down, and a topology to bring up on it."""

    def __init__(self, world: World, kind: str) -> None:
        self.world = world
        self.pair = PAIRS[kind]
        # Without duplicate detection nothing changes by itself while dumps are compared.
        Path("/proc/sys/net/ipv6/conf/default/accept_dad").write_text("0")
        world.batch(
            "link add eth0 type veth peer name far0\nlink add eth1 type veth peer name far1\n"
        )
        for far in ("far0", "far1"):
            Path(f"/proc/sys/net/ipv6/conf/{far}/disable_ipv6").write_text("1")
        world.batch(
            "link set far0 up\nlink set far1 up\nlink set eth0 up\n"
            "addr add 192.0.2.1/24 dev eth0\naddr add 2001:db8::1/64 dev eth1\n"
        )
        # A host on which forwarding was turned on and off once: both are as the kernel pairs them.
        Path("/proc/sys/net/ipv4/ip_forward").write_text("0")
        until(lambda: "tentative" not in world.ip("-6 addr"), "addresses settle")

        texts = (self.pair.text, self.pair.edited)
        self.topologies = [vlanlink.load(FILE, text=HEAD + text) for text in texts]

    def up(self, *, edited: bool = False, on_progress: Any = None) -> None:
        vlanlink.up(self.topologies[edited], on_progress=on_progress)

    def namespaces(self) -> list[str]:
        return sorted(self.world.namespaces())

    def dump(self, *, sysctls: bool = False) -> dict[str, Any]:
        return dump(self.world, *self.namespaces(), sysctls=sysctls)

    def same(self, before: dict[str, Any], *, numbers: bool = True) -> None:
        """All is as before, with ``numbers`` those too of links that had to be made anew."""
        left: list[str] = []

        def equal() -> bool:
            now = self.dump(sysctls="sysctls" in before)
            left[:] = [
                line for line in differences(before, now) if numbers or ".ifindex: " not in line
            ]
            return not left

        try:
            until(equal, seconds=3)
        except AssertionError:
            raise AssertionError("differs from before:\n" + "\n".join(left[:20])) from None

    def files(self) -> dict[str, str]:
        return {p.name: p.read_text() for p in Path("/run/vlanlink").glob("*.json")}


Injected = Callable[[int, int], AbstractContextManager[Fault]]


def each_refused(
    bench: Bench, act: Callable[[], None], fault: Injected, shift: int, *, at_line: bool
) -> int:
    """``act`` with its first operation refused, its second …; at last it goes through."""
    whole, files = bench.dump(sysctls=True), bench.files()
    before = {key: value for key, value in whole.items() if key != "sysctls"}
    number = 0
    while True:
        with fault(number, shift) as one:
            try:
                act()
            except (vlanlink.ApplyError, vlanlink.PrivilegeError) as error:
                judge_error(error, one, at_line=at_line)
            else:
                assert not one.refused, f"{one.refused} was refused, and all is said to be well"
                bench_undone = number
                break
        try:
            bench.same(before)
            assert bench.files() == files
        except AssertionError as error:
            raise AssertionError(f"after {one.refused} (number {number}): {error}") from None
        number += 1
    return bench_undone


def judge_error(error: vlanlink.VlanlinkError, one: Fault, *, at_line: bool) -> None:
    not_undone = getattr(error, "not_undone", ())
    assert not_undone == (), (one.refused, not_undone)
    expected = vlanlink.PrivilegeError if one.errno == errno.EPERM else vlanlink.ApplyError
    assert type(error) is expected, (one.refused, error)
    first = error.diagnostics[0]
    assert errno.errorcode[one.errno] in first.message, (one.refused, str(error))
    assert "can't " in first.message, str(error)
    if at_line and not (one.takes_away and first.line == 1):
        assert first.file == FILE, (one.refused, str(error))
        assert first.line is not None, (one.refused, str(error))
        assert first.line > 1, (one.refused, str(error))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", [refusal, lost_answer])
def test_each_operation_refused(world: World, kind: str, fault: Injected, long_run: bool) -> None:
    """``--long``: each with each error."""
    bench = Bench(world, kind)
    fresh = bench.dump(sysctls=True)
    edit = lambda: bench.up(edited=True)  # noqa: E731
    least = 3 if fault is refusal else 1  # of messages, or of sends with many of them
    for shift in range(len(ERRNOS) if long_run else 1):
        assert each_refused(bench, bench.up, fault, shift, at_line=True) >= least
        assert each_refused(bench, edit, fault, shift, at_line=True) >= least
        assert each_refused(bench, down, fault, shift, at_line=False) > 0
        bench.same(fresh)


def down(on_progress: Any = None) -> None:
    vlanlink.down("faults", on_progress=on_progress)


class ExampleBench(Bench):
    """A LAN, and a topology of examples/ to bring up on it."""

    def __init__(self, lan: Lan, name: str) -> None:
        self.world = lan.world
        self.topologies = [example(name)]

    def down(self) -> None:
        vlanlink.down(self.topologies[0].name)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``--long``: every example; else the first."""
    if "example_name" in metafunc.fixturenames:
        every = every_example()
        metafunc.parametrize("example_name", every if is_long(metafunc.config) else every[:1])


def test_each_operation_of_an_example_refused(
    lan: Lan, example_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Machine, "probe_lan", lambda *_, **__: {})  # it takes its time
    bench = ExampleBench(lan, example_name)
    fresh = bench.dump()
    assert each_refused(bench, bench.up, refusal, 0, at_line=False) >= 3
    assert each_refused(bench, bench.down, refusal, 0, at_line=False) > 0
    bench.same(fresh)


# -- interrupts ----------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def each_batch_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run reports each batch, however quick it is: so it can be stopped at each."""
    monkeypatch.setattr(machine, "TELL_SECONDS", 0.0)


Stop = Callable[[Callable[..., None], int], bool]


def by_callback(act: Callable[..., None], number: int) -> bool:
    """Ctrl-C in the caller's thread, before batch ``number``; False if there are fewer."""
    calls = 0

    def progress(*_: object) -> None:
        nonlocal calls
        calls += 1
        if calls - 1 == number:
            raise KeyboardInterrupt

    return _interrupted(lambda: act(on_progress=progress)) or calls > number


def while_sending(act: Callable[..., None], number: int) -> bool:
    """Ctrl-C while the door's thread is at batch ``number``; False if there are fewer."""
    batches, begun = 0, 0
    run_batch = Machine._run_batch

    def interrupted_batch(self: Machine, batch: Any) -> None:
        nonlocal batches
        batches += 1
        if batches - 1 == number:
            self.interrupt()
        run_batch(self, batch)

    def progress(*_: object) -> None:
        nonlocal begun
        begun += 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Machine, "_run_batch", interrupted_batch)
        stopped = _interrupted(lambda: act(on_progress=progress))
    assert not stopped or begun <= number + 3, "batches go on"  # the LAN is asked, and all is done
    return stopped


def _interrupted(act: Callable[[], None]) -> bool:
    try:
        act()
    except vlanlink.Interrupted as error:
        if error.not_undone:
            raise AssertionError(error.not_undone) from None
        return True
    return False


def each_interrupted(bench: Bench, act: Callable[..., None], stop: Stop) -> int:
    before, files = bench.dump(), bench.files()
    number = 0
    while stop(act, number):
        try:
            bench.same(before)
            assert bench.files() == files
        except AssertionError as error:
            raise AssertionError(f"interrupted at {number}: {error}") from None
        number += 1
    return number


@pytest.mark.needs("macvlan")
@pytest.mark.parametrize("kind", ["macvlan", "asked"])
@pytest.mark.parametrize("stop", [by_callback, while_sending])
def test_interrupted_at_each_batch(world: World, stop: Stop, kind: str) -> None:
    bench = Bench(world, kind)
    fresh = bench.dump(sysctls=True)
    assert each_interrupted(bench, bench.up, stop) > 4
    edit = lambda on_progress=None: bench.up(edited=True, on_progress=on_progress)  # noqa: E731
    assert each_interrupted(bench, edit, stop) > 3
    assert each_interrupted(bench, down, stop) > 1
    bench.same(fresh)


@pytest.mark.needs("macvlan")
def test_a_second_interrupt_does_not_cut_undo_short(world: World) -> None:
    """Somebody who presses Ctrl-C again, while undo thinks."""
    bench = Bench(world, "macvlan")
    before = bench.dump()
    seen = [0]

    def first(done: int, total: int, _what: str) -> None:
        if done * 2 > total:
            seen[0] = 1
            raise KeyboardInterrupt

    def second(*args: Any) -> Any:
        if seen[0] == 1:
            seen[0] = 2
            signal.raise_signal(signal.SIGINT)
        return plan(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apply, "plan", second)
        try:
            with pytest.raises(vlanlink.Interrupted):
                bench.up(on_progress=first)
        except KeyboardInterrupt:
            pytest.fail("the second Ctrl-C ended undo")
    assert seen == [2]
    bench.same(before)


# -- between the steps ---------------------------------------------------------------------------


def interrupt(*_: Any, **__: Any) -> Any:
    raise KeyboardInterrupt


def no_buffers(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS), "eth1")


def no_space(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/run/vlanlink")


BETWEEN: dict[str, tuple[object, str, Callable[..., Any], str]] = {
    "the LAN can't be asked": (Machine, "probe_lan", no_buffers, "could not be probed from eth1"),
    "Ctrl-C while asked": (Machine, "probe_lan", interrupt, "interrupted"),
    "Ctrl-C while thinking": (Session, "replan", interrupt, "interrupted"),
    "Ctrl-C before the second step": (up, "plan", interrupt, "interrupted"),
    "Ctrl-C while neighbours are told": (up, "announce", interrupt, "interrupted"),
}


@pytest.mark.needs("macvlan")
@pytest.mark.parametrize("case", BETWEEN)
def test_between_the_steps(world: World, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    bench = Bench(world, "asked")
    before = bench.dump(sysctls=True)
    place, name, act, said = BETWEEN[case]
    monkeypatch.setattr(place, name, act)
    with pytest.raises((vlanlink.ApplyError, vlanlink.Interrupted), match=said) as caught:
        bench.up()
    assert getattr(caught.value, "not_undone", None) == ()
    bench.same(before)
    assert bench.files() == {}


@pytest.mark.needs("macvlan")
def test_what_the_lan_said_can_not_be_written_down(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parent is up already then."""
    bench = Bench(world, "asked")
    text = PAIRS["asked"].text.replace('addresses = ["10.9.0.10"]\n', "")
    before = bench.dump(sysctls=True)
    said = iter(["02:00:00:00:00:99"])
    monkeypatch.setattr(
        Machine, "probe_lan", lambda _, asked, **__: dict(zip(asked, said, strict=False))
    )
    monkeypatch.setattr(Store, "write", nth(2, Store.write, no_space))
    with pytest.raises(vlanlink.ApplyError, match="can't write /run/vlanlink: No space"):
        vlanlink.up(vlanlink.load(FILE, text=HEAD + text))
    monkeypatch.undo()
    bench.same(before)
    assert bench.files() == {}


def nth(number: int, real: Callable[..., Any], act: Callable[..., Any]) -> Callable[..., Any]:
    """``real``, but for the n-th call."""
    calls = itertools.count(1)

    def either(*words: Any, **more: Any) -> Any:
        return act(*words, **more) if next(calls) == number else real(*words, **more)

    return either
