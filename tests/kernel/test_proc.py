"""An instance of /proc of our own shows the sysctls of the namespace that the thread is in."""

import os
from pathlib import Path

import pytest

from tests.kernel.world import World
from vlanlink.kernel import procfs, syscalls

KEY = "net/ipv4/ip_forward"


@pytest.mark.needs
def test_each_namespace_has_its_own_values(world: World) -> None:
    ours = procfs.Proc()
    for name in ("a", "b"):
        world.make_place(name)
    for number in range(procfs.USES + 2):  # past the first instance
        name = "ab"[number % 2]
        with world.inside(name):
            procfs.write(KEY, str(number % 2), ours.sysctls())
            assert procfs.read(KEY, ours.sysctls()) == str(number % 2)
    for name, value in (("a", "0"), ("b", "1")):
        assert world.run(f"cat /proc/sys/{KEY}", name).stdout.strip() == value
    before = len(os.listdir("/proc/self/fd"))
    ours.close()
    assert len(os.listdir("/proc/self/fd")) == before - 1


@pytest.mark.needs
def test_the_proc_that_is_there_will_do(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise PermissionError

    monkeypatch.setattr(syscalls, "new_proc", refuse)
    ours = procfs.Proc()
    assert ours.sysctls() == Path("/proc/sys")
    assert procfs.read(KEY, ours.sysctls()) == world.run(f"cat /proc/sys/{KEY}").stdout.strip()
