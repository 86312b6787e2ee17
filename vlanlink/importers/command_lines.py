"""``docker`` and ``podman`` command lines as a bundle. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePath
from re import compile as pattern
from typing import Final

from vlanlink.dataclass import dataclass, field, replace
from vlanlink.importers.addresses import holds
from vlanlink.importers.bundle import Attachment, Bundle, Container, Network, Pool
from vlanlink.importers.compose import endpoint_sysctls
from vlanlink.importers.node import Node, split_pair
from vlanlink.importers.notes import Notes
from vlanlink.importers.shell import commands
from vlanlink.topology.positions import Source

_PROGRAMS: Final = ("docker", "podman", "nerdctl")
_BEFORE: Final = pattern(
    r"\d+\*?|\$|#|%|>|\[[^\]]*\]|sudo|doas|env|time|exec|command|if|then|do|!|-\S+|\w+=.*"
    r"|\d[\d:/.T+-]+|\S*[$#%>]"
)
"""Words before the program: a number and time of the history, a prompt, sudo."""


@dataclass(slots=True)
class _Options:
    """The options of a command by long name, and its arguments."""

    values: dict[str, list[Node]] = field(default_factory=dict)
    arguments: list[Node] = field(default_factory=list)

    def all(self, *names: str) -> list[Node]:
        return [one for name in names for one in self.values.get(name, [])]

    def last(self, *names: str) -> Node | None:
        found = self.all(*names)
        return found[-1] if found else None

    def flag(self, name: str) -> bool:
        found = self.last(name)
        return found is not None and found.truth

    def split(self, name: str) -> Iterator[Node]:
        """Values, several in one separated by commas too."""
        for one in self.all(name):
            for part in (one.text or "").split(","):
                yield Node(one.place, part.strip())


_SHORT: Final[Mapping[str, str]] = {
    "d": "driver",
    "o": "opt",
    "h": "hostname",
    "e": "env",
    "p": "publish",
    "v": "volume",
    "u": "user",
    "w": "workdir",
    "l": "label",
    "m": "memory",
    "c": "cpu-shares",
    "a": "attach",
}
_SWITCHES: Final = frozenset(
    {
        "detach",
        "interactive",
        "tty",
        "publish-all",
        "rm",
        "init",
        "privileged",
        "read-only",
        "no-healthcheck",
        "quiet",
        "help",
        "oom-kill-disable",
        "sig-proxy",
        "disable-content-trust",
        "internal",
        "ipv6",
        "ipv4",
        "attachable",
        "ingress",
        "config-only",
        "force",
        "disable-dns",
        "ignore",
        "replace",
        "rmi",
        "no-hosts",
        "http-proxy",
        "env-host",
        "tls",
        "no-hostname",
        "passwd",
    }
)
"""Options without a value, unless it follows an equals sign."""


def _parse(words: Sequence[Node], *, switches: str, stop: bool) -> _Options:
    """Options before the first argument, or anywhere unless ``stop``."""
    found, at = _Options(), 0
    while at < len(words):
        word, at = words[at], at + 1
        text = word.text or ""
        if text == "--":
            found.arguments += words[at:]
            break
        if not text.startswith("-") or text == "-":
            found.arguments.append(word)
            if stop:
                found.arguments += words[at:]
                break
        elif text.startswith("--"):
            at = _long(found, word, words, at)
        else:
            at = _cluster(found, word, words, at, switches)
    return found


def _long(found: _Options, word: Node, words: Sequence[Node], at: int) -> int:
    name, sign, value = (word.text or "")[2:].partition("=")
    if sign or name in _SWITCHES:
        found.values.setdefault(name, []).append(Node(word.place, value if sign else "true"))
        return at
    if at < len(words):
        found.values.setdefault(name, []).append(words[at])
    return at + 1


def _cluster(found: _Options, word: Node, words: Sequence[Node], at: int, switches: str) -> int:
    """``-itd``, ``-p80:80``, ``-o parent=eth0``."""
    text = (word.text or "")[1:]
    for index, letter in enumerate(text):
        if letter in switches:
            continue
        name, rest = _SHORT.get(letter, letter), text[index + 1 :].removeprefix("=")
        if rest:
            found.values.setdefault(name, []).append(Node(word.place, rest))
        elif at < len(words):
            found.values.setdefault(name, []).append(words[at])
            at += 1
        break
    return at


class _Reader:
    """Follows commands one by one, as the daemon would."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.networks: dict[str, Network] = {}
        self.containers: dict[str, Container] = {}
        self.seen = 0

    def command(self, words: Sequence[Node]) -> None:
        """Read one simple command, if it is of interest."""
        at = _program(words)
        if at is None:
            return
        program = PurePath(words[at].text or "").name
        verb, rest = _verb(words[at + 1 :])
        act = _VERBS.get(verb)
        if act is not None:
            self.seen += 1
            act(self, rest, program)

    def network_create(self, words: Sequence[Node], program: str) -> None:
        options = _parse(words, switches="", stop=False)
        if not options.arguments:
            return
        name = options.arguments[-1]
        driver = options.last("driver")
        opts = dict(pair for one in options.all("opt") for pair in _pairs(one))
        parent = options.last("interface-name") if program == "podman" else None
        self.networks[name.text or ""] = Network(
            name.text or "",
            name.place,
            driver=(driver.text if driver else None) or "bridge",
            options={**opts, **({"parent": parent} if parent else {})},
            pools=tuple(_pools(options, self.notes)),
            internal=options.flag("internal"),
            ipv6=options.flag("ipv6") or program == "podman",
            ipam_driver=_text(options.last("ipam-driver")) or "default",
            real_name=name.text or "",
            config_from=_text(options.last("config-from")),
            config_only=options.flag("config-only"),
        )

    def network_connect(self, words: Sequence[Node], program: str) -> None:
        del program
        options = _parse(words, switches="", stop=False)
        if len(options.arguments) < 2:
            return
        network, name = options.arguments[:2]
        known = self.containers.get(name.text or "")
        before = known or Container(name.text or "", name.place)
        added = _attachment(network, options)
        self.containers[before.name] = replace(before, attachments=(*before.attachments, added))

    def network_disconnect(self, words: Sequence[Node], program: str) -> None:
        del program
        names = [one.text or "" for one in _parse(words, switches="f", stop=False).arguments]
        known = self.containers.get(names[1]) if len(names) == 2 else None
        if known:
            left = tuple(one for one in known.attachments if one.network != names[0])
            self.containers[known.name] = replace(known, attachments=left)

    def network_remove(self, words: Sequence[Node], program: str) -> None:
        del program
        for one in _parse(words, switches="f", stop=False).arguments:
            self.networks.pop(one.text or "", None)

    def remove(self, words: Sequence[Node], program: str) -> None:
        del program
        for one in _parse(words, switches="fvl", stop=False).arguments:
            self.containers.pop(one.text or "", None)

    def run(self, words: Sequence[Node], program: str) -> None:
        del program
        options = _parse(words, switches="ditPq", stop=True)
        if not options.arguments:
            return
        name = self.free_name(options.last("name"), options.arguments[0])
        mode, attachments = _networks(options)
        self.containers[name] = Container(
            name,
            options.arguments[0].place,
            tuple(attachments),
            mode=mode,
            sysctls=dict(pair for one in options.all("sysctl") for pair in _pairs(one)),
            ports=tuple(options.all("publish")),
            hosts=tuple(options.all("add-host")),
            dns=tuple(options.all("dns")),
            search=tuple(options.all("dns-search")),
        )

    def free_name(self, name: Node | None, image: Node) -> str:
        """The name asked for, or one from the image's."""
        if name is not None and name.text:
            return name.text
        base = (image.text or "").rpartition("/")[2].partition("@")[0].partition(":")[0]
        base = base if base.strip("…. ") else "container"
        names = (base, *(f"{base}-{n}" for n in range(2, len(self.containers) + 3)))
        return next(one for one in names if one not in self.containers)


_VERBS: Final[Mapping[tuple[str, ...], Callable[[_Reader, Sequence[Node], str], None]]] = {
    ("network", "create"): _Reader.network_create,
    ("network", "connect"): _Reader.network_connect,
    ("network", "disconnect"): _Reader.network_disconnect,
    ("network", "rm"): _Reader.network_remove,
    ("network", "remove"): _Reader.network_remove,
    ("run",): _Reader.run,
    ("create",): _Reader.run,
    ("rm",): _Reader.remove,
}


def read_commands(source: Source, notes: Notes) -> Bundle | None:
    """What the commands of a script, a history or a line leave; None if there are none."""
    reader = _Reader(notes)
    for one in commands(source):
        reader.command(one.words)
    if not reader.seen:
        return None
    return Bundle(reader.networks, tuple(reader.containers.values()))


def _program(words: Sequence[Node]) -> int | None:
    """The position of docker or podman, if nothing but prompts, numbers and sudo precede it."""
    for at, word in enumerate(words[:12]):
        text = word.text or ""
        if PurePath(text).name in _PROGRAMS:
            return at
        if not _BEFORE.fullmatch(text):
            return None
    return None


_GLOBAL: Final = ("-H", "--host", "-c", "--context", "--config", "-l", "--log-level")


def _verb(words: Sequence[Node]) -> tuple[tuple[str, ...], Sequence[Node]]:
    at = 0
    while at < len(words) and (words[at].text or "").startswith("-"):
        at += 2 if words[at].text in _GLOBAL else 1
    first = words[at].text if at < len(words) else ""
    if first == "container":
        at, first = at + 1, words[at + 1].text if at + 1 < len(words) else ""
    if first == "network" and at + 1 < len(words):
        return ("network", words[at + 1].text or ""), words[at + 2 :]
    return (first or "",), words[at + 1 :]


def _text(node: Node | None) -> str:
    return (node.text or "") if node else ""


def _pairs(node: Node) -> Iterator[tuple[str, Node]]:
    key, value = split_pair(node.text or "", "=")
    if key:
        yield key, Node(node.place, value)


def _pools(options: _Options, notes: Notes) -> Iterator[Pool]:
    """The subnets, each with the gateway, range and addresses that lie in it."""
    subnets = list(options.split("subnet"))
    gateways, ranges = list(options.split("gateway")), list(options.split("ip-range"))
    aux = dict(pair for one in options.all("aux-address") for pair in _pairs(one))
    for subnet in subnets:
        gateway = next((one for one in gateways if holds(subnet, one)), None)
        ip_range = next((one for one in ranges if holds(subnet, one)), None)
        inside = {name: one for name, one in aux.items() if holds(subnet, one)}
        gateways = [one for one in gateways if one is not gateway]
        ranges = [one for one in ranges if one is not ip_range]
        aux = {name: one for name, one in aux.items() if name not in inside}
        nothing = Node(subnet.place)
        yield Pool(subnet.place, subnet, gateway or nothing, ip_range or nothing, inside)
    for what, left in (("gateway", gateways), ("range", ranges), ("address", aux.values())):
        for one in left:
            notes.decide(one.place, f"{what} {one.text} lies in no subnet of the network")


def _networks(options: _Options) -> tuple[Node | None, list[Attachment]]:
    """A mode that isn't a network, and the networks of a container."""
    asked = options.all("network", "net")
    if not asked:
        place = options.arguments[0].place
        return None, [Attachment("bridge", place)]
    modes = [one for one in asked if _is_mode(one.text or "")]
    if modes:
        return modes[0], []
    first, *others = asked
    nothing = _Options()
    return None, [_attachment(first, options), *(_attachment(one, nothing) for one in others)]


def _is_mode(text: str) -> bool:
    return text in ("host", "none") or text.startswith(
        ("container:", "ns:", "slirp4netns", "pasta")
    )


def _attachment(word: Node, options: _Options) -> Attachment:
    """A network by name, ``name=NET,ip=…`` or ``NET:ip=…``; the first has the options' address."""
    name, details = _details(word)
    addresses = [details.get("ip"), details.get("ip6"), options.last("ip"), options.last("ip6")]
    mac = details.get("mac-address") or details.get("mac") or options.last("mac-address")
    interface = details.get("interface_name") or details.get("interface-name")
    priority = details.get("gw-priority") or options.last("gw-priority")
    opts = [pair for key, one in details.items() if key == "driver-opt" for pair in _pairs(one)]
    opts += [pair for one in options.all("driver-opt") for pair in _pairs(one)]
    sysctls = [n for key, n in opts if key == "com.docker.network.endpoint.sysctls"]
    return Attachment(
        name,
        word.place,
        addresses=tuple(one for one in addresses if one),
        mac=mac,
        link_local=tuple(options.all("link-local-ip")),
        gateway_priority=priority.number() if priority else 0,
        interface=_text(interface),
        sysctls=endpoint_sysctls(sysctls[0]) if sysctls else {},
    )


def _details(word: Node) -> tuple[str, dict[str, Node]]:
    text = word.text or ""
    name, sign, rest = text.partition(":")
    parts = rest.split(",") if sign else text.split(",")
    pairs = [split_pair(part, "=") for part in parts]
    found = {key: Node(word.place, value) for key, value in pairs}
    if sign:
        return name, found
    return (_text(found.get("name")) if "name" in found else text), found
