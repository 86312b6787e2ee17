"""Bring a topology up in an asyncio program; cancelling the task rolls back.

Usage: sudo python examples/asynchronous.py FILE SECONDS
"""

import asyncio
import sys
import threading

import vlanlink


async def up(topology: vlanlink.Topology) -> vlanlink.Plan:
    """``vlanlink.up`` in a thread. A cancelled task ends once the change is rolled back."""
    cancel = threading.Event()
    work = asyncio.create_task(asyncio.to_thread(vlanlink.up, topology, cancel=cancel))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        cancel.set()
        await asyncio.wait([work])
        work.exception()  # vlanlink.Interrupted, unless all was done already
        raise


async def main(file: str, seconds: str) -> int:
    """Bring a file's topology up within a time."""
    topology = vlanlink.load(file)
    try:
        done = await asyncio.wait_for(up(topology), float(seconds))
    except TimeoutError:
        print(f"not up within {seconds} s: {vlanlink.status(topology).state}")
        return 1
    print(done.summary)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
