"""A failure or Ctrl-C between the steps of ``up``: the parent is up already, the rest is not."""

import errno
import itertools
import os
from collections.abc import Callable
from typing import Any

import pytest

import vlanlink
from tests.kernel.bench import Bench
from tests.kernel.pairs import FILE, HEAD, PAIRS
from tests.kernel.world import World
from vlanlink.kernel.machine import Machine
from vlanlink.reconcile import up
from vlanlink.reconcile.session import Session
from vlanlink.store.files import Store

pytestmark = pytest.mark.needs("macvlan")


def interrupt(*_: Any, **__: Any) -> Any:
    raise KeyboardInterrupt


def no_buffers(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS), "eth1")


def no_space(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/run/vlanlink")


BETWEEN: dict[str, tuple[object, str, Callable[..., Any], str]] = {
    "the LAN can't be probed": (Machine, "probe_lan", no_buffers, "could not be probed from eth1"),
    "Ctrl-C while probing": (Machine, "probe_lan", interrupt, "interrupted"),
    "Ctrl-C while planning again": (Session, "replan", interrupt, "interrupted"),
    "Ctrl-C before the second step": (up, "plan", interrupt, "interrupted"),
    "Ctrl-C while announcing": (up, "announce", interrupt, "interrupted"),
}


@pytest.mark.parametrize("case", BETWEEN)
def test_between_the_steps(world: World, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    bench = Bench(world, "asked")
    world.ip(
        "addr add 2001:db8:1::1/64 dev eth1 nodad"
    )  # the kernel removes it when the link goes down
    before = bench.dump(sysctls=True)
    place, name, act, said = BETWEEN[case]
    monkeypatch.setattr(place, name, act)
    with pytest.raises((vlanlink.ApplyError, vlanlink.Interrupted), match=said) as caught:
        bench.up()
    assert getattr(caught.value, "not_undone", None) == ()
    bench.same(before)
    assert bench.files() == {}


def test_probe_results_that_cannot_be_saved(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """By then the parent is up."""
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
    """``real``, except for the n-th call, which is ``act``."""
    calls = itertools.count(1)

    def either(*words: Any, **more: Any) -> Any:
        return act(*words, **more) if next(calls) == number else real(*words, **more)

    return either
