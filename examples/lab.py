"""A tool on top of vlanlink: endpoints on a NIC while a command runs in each of them.

    sudo .venv/bin/python examples/lab.py eth0 192.0.2.0/24 2 ip -brief address

docs/python.md explains it.
"""

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
    """Up while the block runs; down afterwards, whatever happens in it."""
    vlanlink.up(topology, host, on_progress=show)
    try:
        yield
    finally:
        vlanlink.down(topology, host)


def show(done: int, total: int, what: str) -> None:
    """Print operations done, their total, and the current one."""
    print(f"{done}/{total} {what}", file=sys.stderr)


def check(topology: vlanlink.Topology) -> None:
    """Verify reachability; print each difference with its cause."""
    found = vlanlink.verify(topology)
    for one in found.differences:
        print(f"{one.source} → {one.address}: {one.measured}, {one.cause}", file=sys.stderr)
    print(f"{len(found.checks)} probes, {'as' if found.ok else 'not as'} expected", flush=True)


def main(words: Sequence[str]) -> int:
    """Run the command in each namespace; the exit code of the first one that fails."""
    parent, subnet, count, *command = words
    try:
        topology = lab(parent, subnet, int(count))
        print(vlanlink.plan(topology), flush=True)
        with running(topology):
            check(topology)
            codes = [vlanlink.run(name, command).returncode for name in topology.namespaces]
    except vlanlink.VlanlinkError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return next(filter(None, codes), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
