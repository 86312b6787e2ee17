"""The events of a watch as an iterator."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

from vlanlink.host import Host
from vlanlink.topology import Topology
from vlanlink.watcher import Watch
from vlanlink.watcher.backoff import Policy
from vlanlink.watcher.event import Event


def events(
    topology: Topology,
    host: Host | None = None,
    *,
    repair: bool = True,
    replace_file: bool = False,
    policy: Policy | None = None,
) -> Generator[Event, None, None]:
    """Watch a topology in a thread and yield what it notices and does.

    The watch begins with the first event that is asked for. ``close()`` ends it, as leaving a
    ``contextlib.closing`` block does; everything stays up. Parameters and errors as in ``Watch``.
    """
    arrived: SimpleQueue[Event | None] = SimpleQueue()
    watch = Watch(
        topology, host, arrived.put, repair=repair, replace_file=replace_file, policy=policy
    )
    with ThreadPoolExecutor(1, "vlanlink-watch") as thread:
        running = thread.submit(watch.run)
        running.add_done_callback(lambda _: arrived.put(None))
        try:
            while (event := arrived.get()) is not None:
                yield event
        finally:
            watch.stop()
        running.result()
