"""The property of attachments: each topology is as its file says whatever is attached.

Two topologies on one NIC have networks with or without a shim, whose families change with what is
attached. After each step ``status`` says up, and an ``up`` would do nothing. Once all is detached
the host is as it was after the first ``up``, and after ``down`` as before it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import vlanlink
from tests.kernel.edit_topologies import Hand, Table
from tests.kernel.judge import dump, same
from tests.kernel.world import World, own_world

BOXES = 3
VERBS = (*("attach",) * 6, *("detach",) * 4, "end", "up")


@dataclass(frozen=True)
class Step:
    """What is done to network ``net`` of topology ``who`` for the container ``box``."""

    verb: str
    who: int
    net: str = "a"
    box: int = 0
    addresses: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.verb} t{self.who}/{self.net} box{self.box} {' '.join(self.addresses)}"


@dataclass(frozen=True)
class Script:
    """The files, and what happens."""

    files: tuple[Table, ...]
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return "\n".join([*map(json.dumps, self.files), *map(str, self.steps)])


def script(hand: Hand, most: int) -> Script:
    """Files, and at most that many steps."""
    kind = hand.one(("macvlan", *(["ipvlan"] if hand.has("ipvlan") else [])))
    files = tuple(_file(hand, kind, who) for who in range(2))
    steps = tuple(_step(hand, files) for _ in range(hand.number(most // 2, most)))
    return Script(files, steps)


def _file(hand: Hand, kind: str, who: int) -> Table:
    nets = ("a", "b") if hand.chance(3) else ("a",)
    found: Table = {"topology": {"name": f"t{who}"}, "networks": {}, "namespaces": {}}
    for net in nets:
        four, six = _prefixes(who, net)
        subnets: list[Table] = [{"subnet": f"{four}.0/24"}, {"subnet": f"{six}::/64"}]
        if hand.chance():
            subnets[0]["ip_range"] = f"{four}.0/26"
        if hand.chance():
            subnets[1]["ip_range"] = f"{six}::100/120"
        if hand.chance():
            subnets[0]["gateway"] = f"{four}.254"
        found["networks"][net] = {
            "kind": kind,
            "parent": "eth0",
            "probe": False,
            "shim": not hand.chance(4),
            "subnets": subnets,
        }
        if hand.chance():
            written = hand.one((None, [f"{four}.15"], [f"{six}::15"], [f"{four}.99"]))
            table: Table = {"network": net} | ({"addresses": written} if written else {})
            found["namespaces"][f"w{who}{net}"] = {"interfaces": {"eth0": table}}
    return found


def _prefixes(who: int, net: str) -> tuple[str, str]:
    number = 2 * who + "ab".index(net)
    return f"10.7{number}.0", f"2001:db8:{number}"


def _step(hand: Hand, files: tuple[Table, ...]) -> Step:
    verb, who, box = hand.one(VERBS), hand.number(0, len(files) - 1), hand.number(0, BOXES - 1)
    net = hand.one(tuple(files[who]["networks"]))
    if verb != "attach":
        return Step(verb, who, net, box)
    four, six = _prefixes(who, net)
    chosen = [f"{four}.{30 + box}", f"{six}::13{box}"]
    outside = [f"{four}.{130 + box}", f"{six}::2:3{box}"]
    addresses = hand.one(
        ([], [], chosen, chosen[:1], chosen[1:], outside, [f"{four}.0/24"], [f"{six}::/64"])
    )
    return Step(verb, who, net, box, tuple(addresses))


def stays_as_written(script: Script) -> None:
    """The property."""
    with own_world() as world:
        Bench(world, script).run()
        world.assert_nothing_left()


@dataclass
class Bench:
    """A host with a NIC and containers, two topologies up."""

    world: World
    script: Script
    attached: set[tuple[str, str]] = field(default_factory=set)
    """Network and id of those that keep addresses."""

    def run(self) -> None:
        self.world.batch(
            "link add eth0 address 02:00:00:00:01:01 type veth peer name far0\n"
            "link set eth0 up\nlink set far0 up\n"
            "addr add 192.0.2.1/24 dev eth0\naddr add 2001:db8:ff::1/64 dev eth0 nodad"
        )
        self.topologies = [vlanlink.load(file) for file in self.script.files]
        before = dump(self.world)
        for topology in self.topologies:
            vlanlink.up(topology)
        fresh = dump(self.world, sysctls=False)
        for n, step in enumerate(self.steps()):
            try:
                self.take(step)
                self.is_right()
            except Exception as error:
                error.add_note(f"step {n}: {step}")
                raise
        same(self.world, fresh)
        for topology in self.topologies:
            vlanlink.down(topology)
        same(self.world, before)

    def steps(self) -> Iterator[Step]:
        """The script's, then what ends all that is attached."""
        yield from self.script.steps
        for network, box in sorted(self.attached):
            topology, _, net = network.partition("/")
            yield Step("detach", int(topology[1:]), net, int(box[-1]))

    def take(self, step: Step) -> None:
        network, box = f"t{step.who}/{step.net}", f"box{step.who}{step.box}"
        match step.verb:
            case "attach":
                if box not in self.world.places:
                    self.world.make_place(box)
                path, name = self.world.path(box), f"{step.net}{step.who}"
                vlanlink.attach(
                    network, path=path, id=box, interface=name, addresses=step.addresses
                )
                self.attached.add((network, box))
            case "detach" if (network, box) in self.attached:
                vlanlink.detach(network, box)
                self.attached.remove((network, box))
            case "end" if box in self.world.places:
                path = self.world.places.pop(box)
                self.world.run(["umount", "--lazy", path])
                Path(path).unlink()
                self.world.settle()
            case "up":
                assert not vlanlink.up(self.topologies[step.who]).changes

    def is_right(self) -> None:
        for who, topology in enumerate(self.topologies):
            found = vlanlink.status(f"t{who}")
            assert found.state == "up", f"t{who}: {found.state}: {found.plan} {found.problems}"
            plan = vlanlink.plan(topology)
            assert not plan.operations, f"t{who}: planned:\n{plan}"
