"""A tool on top of vlanlink: endpoints on a NIC for as long as a command runs in each of them.

    sudo .venv/bin/python examples/lab.py eth0 192.0.2.0/24 2 ip -brief address

docs/python.md goes through it.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import vlanlink


def lab(parent: str, subnet: str, count: int) -> vlanlink.Topology:
    """The tables and keys of a file, as Python values."""
    return vlanlink.load(
        {
            "topology": {"name": "lab"},
            "networks": {
                "lan": {"kind": "macvlan", "parent": parent, "subnets": [{"subnet": subnet}]}
            },
            "namespaces": {
                f"lab{n + 1}": {"interfaces": {"eth0": {"network": "lan"}}} for n in range(count)
            },
        }
    )


@contextmanager
def running(topology: vlanlink.Topology, host: vlanlink.Host | None = None) -> Iterator[None]:
    """Up while the block runs; whatever happens in it, down after it."""
    vlanlink.up(topology, host, on_progress=show)
    try:
        yield
    finally:
        vlanlink.down(topology, host)


def show(done: int, total: int, what: str) -> None:
    """Progress: operations done, operations in all, and what is being done."""
    print(f"{done}/{total} {what}", file=sys.stderr)


def ask(topology: vlanlink.Topology) -> None:
    """Who reaches whom; what is not as promised comes with its cause."""
    found = vlanlink.verify(topology)
    for check in found.differences:
        print(check.pair.source, "to", check.pair.address, check.cause, file=sys.stderr)
    print(f"{len(found.checks)} probes, {'as' if found.ok else 'not as'} promised", flush=True)


def main(words: Sequence[str]) -> int:
    """The command in each namespace, one after the other; the exit code is the first failure's."""
    parent, subnet, count, *command = words
    try:
        topology = lab(parent, subnet, int(count))
        print(vlanlink.plan(topology), flush=True)
        with running(topology):
            ask(topology)
            names = topology.namespaces
            codes = [subprocess.call(["ip", "netns", "exec", n, *command]) for n in names]
    except vlanlink.VlanlinkError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return next(filter(None, codes), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
