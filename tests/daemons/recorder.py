"""Records what a manager does to the host's network, as lines that `ip -batch` can do again."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from tests.kernel.world import World, until

MONITOR = Path("/run/monitor.txt")
_ADDRESS = re.compile(r"\d+: (?P<dev>\S+)\s+inet6? (?P<local>\S+) (?P<rest>.*)")
_LINK = re.compile(r"\d+: (?P<dev>[^:@]+)(@\S+)?: <(?P<flags>[^>]*)>")
_KEPT = ("metric", "brd", "scope")
_SECONDS = 3600  # however long the lease was: it ends where the recording says so
_BY_THE_KERNEL = re.compile(r"^(local|broadcast|multicast|anycast|fe80|ff00)|table local")
"""A connected route is its manager's, where the address says noprefixroute."""


class Recorder:
    """`ip monitor` in the host's namespace."""

    def __init__(self, world: World, dev: str) -> None:
        self.world = world
        self.dev = dev
        self._marks = 0
        self._bare: set[int] = set()  # families whose addresses bring no route
        shell = f"exec ip -d -o monitor label link address route rule >{MONITOR} 2>&1"
        world.start(["sh", "-c", shell])
        self.mark()

    def mark(self) -> None:
        """Everything before this is told before, everything after it later."""
        self._marks += 1
        name = f"mark{self._marks}"
        # Until the monitor listens, a first mark may not be heard: it is set again.
        until(lambda: self._hears(name), "the monitor hears")

    def _hears(self, name: str) -> bool:
        self.world.ip(f"link add {name} type bridge")
        self.world.ip(f"link delete {name}")
        return f"{name}:" in MONITOR.read_text()

    def sections(self) -> list[list[str]]:
        """What was done between the marks."""
        found: list[list[str]] = [[]]
        flags: set[str] = set()  # it is down at first
        for line in MONITOR.read_text().splitlines():
            if mark := re.search(r"\bmark(\d+):", line):
                found += [[] for _ in range(int(mark[1]) + 1 - len(found))]
            elif link := _LINK.match(line.removeprefix("[LINK]")):
                if link["dev"] == self.dev:
                    now = set(link["flags"].split(","))
                    found[-1] += _link_changes(self.dev, flags, now)
                    flags = now
            else:
                found[-1] += self._change(line)
        return [list(_without_repeats(lines)) for lines in found[1:]]

    def _change(self, line: str) -> list[str]:
        label, _, text = line.partition("]")
        gone = text.startswith("Deleted ")
        text = text.removeprefix("Deleted ").strip()
        if label == "[ADDR" and (match := _ADDRESS.match(text)):
            return self._address(match, gone=gone)
        if label == "[ROUTE" and f"dev {self.dev}" in text:
            return self._route(text, gone=gone)
        return [f"rule {'del' if gone else 'add'} {_rule(text)}"] if label == "[RULE" else []

    def _address(self, match: re.Match[str], *, gone: bool) -> list[str]:
        if match["dev"] != self.dev or match["local"].startswith("fe80"):
            return []
        if gone:
            return [f"addr del {match['local']} dev {self.dev}"]
        words = match["rest"].replace("\\", " ").split()
        kept = [f"{a} {b}" for a, b in pairwise(words) if a in _KEPT]
        if "noprefixroute" in words:
            kept.append("noprefixroute")
            self._bare.add(6 if ":" in match["local"] else 4)
        lasts = "forever" if "valid_lft forever" in match["rest"] else _SECONDS
        kept.append(f"valid_lft {lasts} preferred_lft {lasts}")
        kept += ["nodad"] if ":" in match["local"] else []
        return [f"addr replace {match['local']} {' '.join(kept)} dev {self.dev}"]

    def _is_connected(self, text: str) -> bool:
        family = 6 if ":" in text.partition(" dev ")[0] else 4
        return "proto kernel" in text and family not in self._bare

    def _route(self, text: str, *, gone: bool) -> list[str]:
        text = re.sub(r"^unicast ", "", text.replace("\\", " "))
        if _BY_THE_KERNEL.search(text) or self._is_connected(text):
            return []
        family = "-6 " if ":" in text.partition(" dev ")[0] else ""
        text = re.sub(r" (pref \w+|linkdown|dead|expires \w+)", "", text)
        return [f"{family}route {'del' if gone else 'replace'} {' '.join(text.split())}"]


def _rule(text: str) -> str:
    priority, _, rest = text.partition(":")
    return f"{' '.join(rest.split())} priority {priority}"


def _link_changes(dev: str, before: set[str], now: set[str]) -> Iterator[str]:
    if ("UP" in before) != ("UP" in now):
        yield f"link set {dev} {'up' if 'UP' in now else 'down'}"
    elif "UP" in now and ("LOWER_UP" in before) != ("LOWER_UP" in now):
        yield f"carrier {'on' if 'LOWER_UP' in now else 'off'}"


def _without_repeats(lines: list[str]) -> Iterator[str]:
    last = None
    for line in lines:
        if line != last:
            yield line
        last = line
