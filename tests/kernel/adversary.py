"""An adversary: random hostile operations of somebody with CAP_NET_ADMIN in one namespace."""

import json
import os
import random
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.kernel.world import World, until
from vlanlink.kernel.marks import Marks
from vlanlink.kernel.netns.identity import identify

WORDS = (
    "x",
    "vlanlink:office",
    "vlanlink:other",
    "vlanlink:../../etc/passwd",
    "vlanlink:\x1b]0;X\a\x1b[31mx\rfake:line",
    "vlanlink:" + "g" * 200,
    "\x1b[2J\x1b[H",
    "a\u202eb\u200bc",
    "-rf",
    "%s%n",
)
NAMES = ("eth0", "lo", "eth1", "all", "x\x1b[31mx", "\u202eeth", "a" * 15, "-h", "host")
ADDRESSES = ("172.16.86.10", "172.16.86.11", "172.16.86.20", "172.16.86.1", "10.9.9.9", "0.0.0.1")
SYSCTLS = (
    "net.ipv4.ip_forward=1",
    "net.ipv4.conf.all.arp_ignore=8",
    "net.ipv6.conf.all.disable_ipv6=1",
    "net.ipv6.conf.eth0.accept_ra=2",
    "net.ipv4.conf.eth0.forwarding=1",
)


class Adversary:
    """It acts in the namespace ``one``; what it does is kept, for the message of a failure."""

    def __init__(self, world: World, seed: int, *, many: int) -> None:
        self.world = world
        self.random = random.Random(seed)
        self.many = many
        self.done: list[str] = []
        self.hideout: int | None = None
        self._made = 0
        marks = Marks(identify(None))
        owners = ("office", "other", "ghost", "?")
        self.groups = [0, 1, 0xFFFFFFFE, 0x76000000, *map(marks.group, owners[:3])]

    def act(self, times: int) -> None:
        """So many deeds; those that the kernel refuses count."""
        deeds: Sequence[Callable[[], None]] = (
            self.mark, self.mark, self.rename, self.altname, self.mac, self.flags, self.delete,
            self.make, self.make, self.address, self.route, self.sysctl, self.nest, self.move,
            self.flood, self.ghosts, self.replace, self.hide,
        )  # fmt: skip
        for _ in range(times):
            self.random.choice(deeds)()

    def ip(self, *words: str) -> None:
        self.done.append(" ".join(map(ascii, words)))
        self.world.run(["ip", *words], "one", check=False)

    def one_of(self, choices: Sequence[str]) -> str:
        return self.random.choice(choices)

    def link(self) -> str:
        return self.one_of(sorted(self.world.names("one")) or ["lo"])

    def mark(self) -> None:
        group = str(self.random.choice(self.groups))
        alias = self.one_of(WORDS)
        link = self.link()
        self.ip("link", "set", "dev", link, "group", group)
        self.ip("link", "set", "dev", link, "alias", alias)

    def rename(self) -> None:
        link = self.link()
        self.ip("link", "set", "dev", link, "down")
        self.ip("link", "set", "dev", link, "name", self.one_of(NAMES))

    def altname(self) -> None:
        name = self.one_of((*NAMES, "\x1b[31m" * 20, "n" * 127))
        self.ip("link", "property", "add", "dev", self.link(), "altname", name)

    def mac(self) -> None:
        tail = self.random.randrange(256)
        self.ip("link", "set", "dev", self.link(), "address", f"02:00:00:00:00:{tail:02x}")

    def flags(self) -> None:
        words = (("up",), ("down",), ("mtu", "1280"), ("promisc", "on"), ("arp", "off"))
        self.ip("link", "set", "dev", self.link(), *self.random.choice(words))

    def delete(self) -> None:
        self.ip("link", "delete", "dev", self.link())

    def make(self) -> None:
        self._made += 1
        name = self.one_of((*NAMES, f"m{self._made}"))
        kind = self.one_of(("veth", "bridge", "macvlan", "macvlan", "ifb"))
        below = ("link", self.link()) if kind == "macvlan" else ()
        mode = ("mode", self.one_of(("bridge", "private", "passthru"))) if below else ()
        self.ip("link", "add", *below, "name", name, "type", kind, *mode)

    def replace(self) -> None:
        self.ip("link", "delete", "dev", "eth0")
        self.ip("link", "add", "name", "eth0", "type", self.one_of(("veth", "bridge")))
        self.ip("link", "set", "dev", "eth0", "group", str(self.random.choice(self.groups)))

    def address(self) -> None:
        verb = self.one_of(("add", "add", "del"))
        proto = ("proto", "118") if self.random.random() < 0.5 and verb == "add" else ()
        prefix = self.one_of(("24", "32", "8"))
        self.ip("addr", verb, f"{self.one_of(ADDRESSES)}/{prefix}", "dev", self.link(), *proto)

    def route(self) -> None:
        to = self.one_of(("default", "10.7.0.0/16", "172.16.86.0/24", "0.0.0.0/1"))
        table = ("table", self.one_of(("local", "main", "7")))
        self.ip("route", "replace", to, "dev", self.link(), "proto", "118", *table)

    def sysctl(self) -> None:
        text = self.one_of(SYSCTLS)
        self.done.append(text)
        self.world.run(["sysctl", "-qw", text], "one", check=False)

    def nest(self) -> None:
        self.ip("netns", "set", "one", str(self.random.randrange(5)))

    def move(self) -> None:
        self.ip("link", "set", "dev", self.link(), "netns", "den")

    def hide(self) -> None:
        """In a namespace without a name, of a process."""
        if self.hideout is None:
            self.hideout = self.world.start("unshare -n sleep 1000").pid
            until(lambda: b"sleep" in self._command(), "it is in a namespace of its own")
        link = self.link()
        self.ip("link", "set", "dev", link, "netns", str(self.hideout))
        words = ["nsenter", "-n", "-t", str(self.hideout), "ip", "link", "set", "dev", link, "up"]
        self.world.run(words, check=False)

    def _command(self) -> bytes:
        return Path(f"/proc/{self.hideout}/cmdline").read_bytes()[:5]

    def hidden(self) -> list[dict[str, Any]]:
        """The links in there, as `ip -j -d link` shows them."""
        if self.hideout is None:
            return []
        words = ["nsenter", "-n", "-t", str(self.hideout), "ip", "-j", "-d", "link"]
        found: list[dict[str, Any]] = json.loads(self.world.run(words).stdout, strict=False)
        return found

    def leave(self) -> None:
        """The process ends, and its namespace with it."""
        if self.hideout is not None:
            os.kill(self.hideout, signal.SIGKILL)

    def flood(self) -> None:
        link, many = self.link(), self.many
        self.done.append(f"{many} addresses and routes on {link!a}")
        lines = [
            f"addr add 10.{n >> 8 & 255}.{n & 255}.{n >> 16}/32 dev {link}" for n in range(many)
        ]
        lines += [f"route add 11.{n >> 8 & 255}.{n & 255}.0/24 dev lo" for n in range(many)]
        self.world.run("ip -force -batch -", "one", check=False, stdin="\n".join(lines) + "\n")

    def ghosts(self) -> None:
        marks = Marks(identify(None))
        count = max(3, self.many // 100)
        self.done.append(f"{count} ghosts")
        lines = []
        for n in range(count):
            name = f"ghost{n}"
            lines += [
                f"link add name g{n} type bridge",
                f"link set g{n} group {marks.group(name)} alias vlanlink:{name}",
            ]
        self.world.run("ip -force -batch -", "one", check=False, stdin="\n".join(lines) + "\n")
