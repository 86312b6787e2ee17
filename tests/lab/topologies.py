"""Topologies on the lab's hosts: up on both at once, down again without a trace."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.lab.machine import Machine

EXAMPLES = Path(__file__).parents[2] / "examples"


@contextmanager
def up(texts: Mapping[Machine, str]) -> Iterator[None]:
    """Bring each machine's topology up for the block; afterwards each is as before."""
    with ThreadPoolExecutor() as pool:
        before = dict(zip(texts, pool.map(Machine.dump, texts), strict=True))
        try:
            list(pool.map(_up, texts, texts.values()))
            yield
        finally:
            list(pool.map(_down, texts))
        list(pool.map(Machine.is_as, before, before.values()))


def on_the_trunk(example: str) -> str:
    """An example for hosts whose trunk is eth1, not eth0."""
    return (EXAMPLES / example).read_text().replace('parent = "eth0', 'parent = "eth1')


def _up(machine: Machine, text: str) -> None:
    machine.write("/root/lab.toml", text)
    machine.run("vlanlink up /root/lab.toml")


def _down(machine: Machine) -> None:
    machine.run("vlanlink down --forget /root/lab.toml")
