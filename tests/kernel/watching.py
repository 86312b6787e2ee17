"""Watches that go on beside a test: in a thread, or as a process."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import vlanlink
from tests.kernel.command_line import VLANLINK
from tests.kernel.world import World, scaled, until
from vlanlink.watcher import Event, Policy

FILE = "/run/office.toml"
SECONDS = 60.0
"""A namespace that goes keeps its MACs busy until the kernel gets round to it."""


class Watched:
    """A watch that goes on meanwhile, and what it told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.reload: Callable[[], None] = lambda: None
        self._more = threading.Condition()

    def hear(self, event: Event) -> None:
        with self._more:
            self.events.append(event)
            self._more.notify()

    def told(self, word: str, what: str = "") -> Event:
        """The event, which comes within the bound; it and what was told before are forgotten."""

        def place() -> int:
            return next((n for n, event in enumerate(self.events, 1) if fits(event)), 0)

        def fits(event: Event) -> bool:
            return event.event == word and (not what or any(what in w for w in event.what))

        with self._more:
            came = self._more.wait_for(place, scaled(SECONDS))
            assert came, f"no {word} {what!r} in {self.events}"
            *_, found = self.events[: place()]
            del self.events[: place()]
        return found


@contextmanager
def watched(text: str, **options: Any) -> Iterator[Watched]:
    """A watch in a thread of this process."""
    Path(FILE).write_text(text)
    found = Watched()
    watch = vlanlink.Watch(vlanlink.load(FILE), on_event=found.hear, **options)
    found.reload = watch.reload
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        yield found
    finally:
        watch.stop()
        thread.join()


@contextmanager
def watching(
    topology: vlanlink.Topology, policy: Policy | None = None, host: vlanlink.Host | None = None
) -> Iterator[list[vlanlink.Event]]:
    """A watch in a thread of this process, which has begun, and the events that it tells."""
    events: list[vlanlink.Event] = []
    watch = vlanlink.Watch(topology, host, events.append, policy=policy or Policy())
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        until(lambda: events, "the watch has begun")
        yield events
    finally:
        watch.stop()
        thread.join()


class Process:
    """`vlanlink watch`, with what it prints in files."""

    def __init__(self, world: World, words: str, **environment: str) -> None:
        command = ["sh", "-c", f"exec {VLANLINK} watch {words} </dev/null >/run/out 2>/run/err"]
        self.process = subprocess.Popen(command, env={**os.environ, **environment})
        world.started.append(self.process)

    def lines(self) -> list[str]:
        found = Path("/run/out")
        return found.read_text().splitlines() if found.exists() else []

    def told(self, word: str, times: int = 1) -> None:
        """An event of the word was told so many times, or will be within the bound."""
        until(lambda: self.count(word) >= times, f"{word} in {self.lines()}", SECONDS)

    def count(self, word: str) -> int:
        return sum(json.loads(line)["event"] == word for line in self.lines())

    def ends(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)
