"""Recordings of what real managers do to a host's NIC, and a host to which it is done again.

tests/daemons writes them (`scripts/test --daemons --record`). A line is what `ip -batch` reads, or
`carrier on|off`. The three parts are how the manager configures the NIC, how an event begins, and
how it ends.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.kernel.lan import SWITCH
from tests.kernel.living import HOST4, HOST6, Event, LivingHost
from tests.kernel.world import until

RECORDINGS = Path(__file__).with_name("recordings")


@dataclass(frozen=True)
class Recording:
    """An event, as a manager lived it."""

    title: str
    start: list[str]
    begins: list[str]
    ends: list[str]

    def text(self) -> str:
        """As it is in its file."""
        parts = {"start": self.start, "begins": self.begins, "ends": self.ends}
        lines = [f"# {self.title}"]
        for name, part in parts.items():
            lines += [f"== {name}", *part]
        return "\n".join([*lines, ""])

    @classmethod
    def read(cls, file: Path) -> Self:
        """From its file."""
        heading, *parts = file.read_text().split("== ")
        title = heading.splitlines()[-1].removeprefix("# ")
        start, begins, ends = (part.splitlines()[1:] for part in parts)
        return cls(title, start, begins, ends)

    def file(self, directory: Path) -> Path:
        """Where it is kept."""
        return directory / (self.title.lower().replace(": ", "-").replace(" ", "_") + ".txt")

    @property
    def address(self) -> str:
        """The host's address at the end."""
        found = [
            line.split()[2].split("/")[0]
            for line in (*self.start, *self.begins, *self.ends)
            if line.startswith("addr replace") and ":" not in line.split()[2]
        ]
        return found[-1]

    @property
    def stays(self) -> bool:
        """The host keeps its address throughout."""
        return not _takes_it_away(self.begins + self.ends)

    def event(self) -> Event:
        """The event, as the matrix wants it."""

        def begins(host: LivingHost) -> None:
            _replay(host, self.begins)

        def ends(host: LivingHost) -> None:
            _replay(host, self.ends)
            host.address = self.address

        same, away = self.address == HOST4, _takes_it_away(self.begins)
        return Event(begins, ends, same_address=same, address_stays=self.stays, away=away)


def _takes_it_away(lines: list[str]) -> bool:
    words = (f"addr del {HOST4}/", "link set eth0 down", "carrier off")
    return any(line.startswith(words) for line in lines)


@dataclass
class RecordedHost(LivingHost):
    """A host whose NIC is configured as the recording says."""

    recording: Recording = field(kw_only=True)

    def configure(self, address: str = HOST4) -> None:
        del address
        self.world.ip("link set eth0 down")
        _replay(self, self.recording.start)
        until(lambda: HOST6 in self.world.ip("-6 addr show dev eth0"), "it is configured")


def _replay(host: LivingHost, lines: list[str]) -> None:
    for line in lines:
        if line.startswith("carrier "):
            _set_carrier(host, on=line == "carrier on")
        else:  # what went by itself is also told of
            host.world.run(f"ip {line}", check=" del " not in line)


def _set_carrier(host: LivingHost, *, on: bool) -> None:
    host.world.ip(f"link set port1 {'up' if on else 'down'}", SWITCH)
    until(lambda: ("NO-CARRIER" not in host.world.link("eth0")["flags"]) == on, "the carrier")
