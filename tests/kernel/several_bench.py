"""The property of several topologies: each is as its file says whatever is done to the others.

After each step every topology that is up says so, the others' endpoints are the very ones that they
were, and what was refused changed nothing. After the last `down` the machine is as before.
"""

import os
import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import vlanlink
from tests.kernel.edit_judge import Facts, becomes, settled
from tests.kernel.edit_topologies import Table
from tests.kernel.judge import differences, dump, same
from tests.kernel.several_grammar import BRIDGE, NICS, Script, Step, ends, mapping
from tests.kernel.watching import watching
from tests.kernel.world import World, own_world, until
from vlanlink.kernel import syscalls

_WIRE = "wire"


def went_well(script: Script) -> list[str]:
    """The property; returns what was refused, and why."""
    with own_world() as world:
        tasks = len(os.listdir("/proc/self/task"))
        try:
            bench = Bench(world, script)
            bench.run()
            return bench.refused
        finally:
            # A thread that was joined may still be about to end; then no namespace can be left.
            until(lambda: len(os.listdir("/proc/self/task")) <= tasks, "threads end")


@dataclass
class Up:
    """A topology that is up."""

    tables: Table
    topology: vlanlink.Topology
    hurt: bool = False
    """A link of another topology that it names is gone, or another one."""
    attached: bool = False


@dataclass
class Bench:
    """A host with three NICs, and what is up there by the steps done."""

    world: World
    script: Script
    up: dict[int, Up] = field(default_factory=dict)
    now: Facts = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.host = vlanlink.Host(etc_netns_directory="/run/etc/netns")
        Path("/run/etc").mkdir()
        Path("/run/etc/nsswitch.conf").write_text("hosts: files dns\n")
        self.files = list(self.script.files)
        self.has_vlan = any(file["vlan"] for file in self.script.files) or _can_vlan(self.world)
        self.boots()

    def boots(self) -> None:
        """The machine as its administrator has it."""
        self.world.make_place(_WIRE)
        for n, (name, is_up) in enumerate(zip(NICS, self.script.nics_up, strict=True)):
            self.world.batch(
                f"link add {name} address 02:00:00:00:01:0{n} type veth peer name far-{name}\n"
                f"link set far-{name} netns {self.world.path(_WIRE)}"
            )
            # Without duplicate detection nothing changes by itself while states are compared.
            Path(f"/proc/sys/net/ipv6/conf/{name}/accept_dad").write_text("0")
            self.world.ip(f"link set far-{name} up", _WIRE)
            if is_up:
                self.world.ip(f"link set {name} up")
        if self.script.addressed:
            self.world.ip("addr add 192.0.2.1/24 dev eth0")
        if self.has_vlan:
            words = "type bridge vlan_filtering 1 mcast_snooping 0 forward_delay 0"
            self.world.ip(f"link add {BRIDGE} address 02:00:00:00:02:01 {words}")
        self.world.ip("netns add kept")
        carriers = sum(self.script.nics_up)
        until(lambda: self.world.ip("-6 addr").count("fe80:") == carriers, "carriers", seconds=120)
        self.now = self.settled()
        self.fresh = dump(self.world, "kept")

    @property
    def places(self) -> list[str]:
        return [place for place in self.world.places if place != _WIRE]

    def settled(self) -> Facts:
        return settled(self.world, self.places, seconds=120)

    def run(self) -> None:
        with ExitStack() as watches:
            left, watched = 0, -1
            for n, step in enumerate(self.script.steps):
                if not left:
                    watches.close()
                    watched = -1
                if step.verb == "watch":
                    if not left and step.who in self.up and not self.up[step.who].hurt:
                        topology = self.up[step.who].topology
                        watches.enter_context(watching(topology, host=self.host))
                        left, watched = step.steps + 1, step.who
                elif step.who != watched and not (step.verb == "reboot" and left):
                    try:
                        self.take(step)
                        self.is_right(step, lasting=watched < 0)
                    except Exception as error:
                        error.add_note(f"step {n}: {step}, watched: {watched}")
                        raise
                left = max(0, left - 1)
            watches.close()
        self.ends()

    def ends(self) -> None:
        for who in list(self.up):
            step = Step("down", who)
            try:
                self.take(step)
                self.is_right(step)
            except Exception as error:
                error.add_note(f"at the end: {step}")
                raise
        for space in sorted(self.world.namespaces() - {"kept"}):
            raise AssertionError(f"namespace {space} is left")
        same(self.world, self.fresh, "kept")
        files = [str(path) for path in Path("/run/etc/netns").rglob("*") if path.is_file()]
        assert not files, files
        records = [path.name for path in Path("/run/vlanlink").glob("*.json")]
        assert not records, records

    # -- steps -------------------------------------------------------------------------------------

    def take(self, step: Step) -> None:
        match step.verb:
            case "up":
                self.brings_up(step.who, step.file)
            case "down":
                vlanlink.down(f"t{step.who}", self.host) if step.who in self.up else None
                self.up.pop(step.who, None)
            case "restart" if step.who in self.up:
                self.restarts(step.who)
            case "attach" if step.who in self.up and not self.up[step.who].hurt:
                self.attaches(step.who)
            case "detach" if step.who in self.up and self.up[step.who].attached:
                vlanlink.detach(f"t{step.who}/n", f"box{step.who}", self.host)
                self.up[step.who].attached = False
            case "reboot":
                self.reboots(step.order)
        self.world.settle()  # what goes keeps its MACs busy until the kernel gets round to it

    def brings_up(self, who: int, file: Table | None) -> bool:
        """An edit that is refused is not kept."""
        tables = mapping(who, file or self.files[who])
        try:
            topology = vlanlink.load(tables)
            vlanlink.up(topology, self.host)
        except (vlanlink.TopologyError, vlanlink.ConflictError, vlanlink.ApplyError) as error:
            self.is_refused(f"up t{who}", error)
            return False
        self.files[who] = file or self.files[who]
        before = self.up.get(who)
        self.up[who] = Up(tables, topology, attached=bool(before and before.attached))
        return True

    def restarts(self, who: int) -> None:
        try:
            vlanlink.restart(f"t{who}", self.host)
        except vlanlink.ConflictError as error:
            self.is_refused(f"restart t{who}", error)
        else:
            self.up[who].hurt = False

    def attaches(self, who: int) -> None:
        if f"box{who}" not in self.places:
            self.world.make_place(f"box{who}")
            self.now = self.settled()
        path = self.world.path(f"box{who}")
        try:
            vlanlink.attach(f"t{who}/n", self.host, path=path, id=f"box{who}")
        except vlanlink.ConflictError as error:
            self.is_refused(f"attach t{who}", error)
        else:
            self.up[who].attached = True

    def is_refused(self, what: str, error: vlanlink.VlanlinkError) -> None:
        self.refused.append(f"{what}: {error}")
        if isinstance(error, vlanlink.ApplyError) and "Network is down" not in str(error):
            raise error  # the kernel may refuse a route on a NIC that nobody brings up
        wrong = becomes(self.world, self.places, self.now)[1]
        assert not wrong, f"changed by what is refused ({error}):\n" + "\n".join(wrong[:12])

    def reboots(self, order: tuple[int, ...]) -> None:
        """The kernel forgets everything, and so does /run; at boot the units start in any order."""
        had = {who: self.addresses(who, one) for who, one in self.up.items()}
        for path in (*Path("/run/netns").iterdir(), *Path("/run/places").iterdir()):
            self.world.run(["umount", "--lazy", str(path)])
            path.unlink()
        shutil.rmtree("/run/vlanlink", ignore_errors=True)
        syscalls.unshare(syscalls.CLONE_NEWNET)
        self.world.places.clear()
        self.world.ip("link set lo up")
        were, self.up = self.up, {}
        self.boots()
        waiting = [who for who in order if who in were]
        while waiting:  # a unit whose parent is another's link starts again
            started = {who for who in waiting if self.starts(who)}
            waiting = [who for who in waiting if who not in started and started]
        for who in were.keys() - self.up.keys():  # what is left of it is on the disk
            vlanlink.down(were[who].topology, self.host)
        for who, one in self.up.items():
            wrong = differences(had[who], self.addresses(who, one))
            assert not wrong, f"addresses of t{who} after the reboot: {wrong}"

    def starts(self, who: int) -> bool:
        """As a unit at boot."""
        is_up = self.brings_up(who, None)
        self.now = self.settled()
        return is_up

    def addresses(self, who: int, one: Up) -> dict[str, list[str]]:
        """Those of its endpoints, which are theirs over a reboot."""
        found = _endpoints(self.now, who, replace(one, attached=False))
        return {
            name: sorted(a["local"] for a in row["addr"] or () if a["scope"] != "link")
            for name, row in found.items()
        }

    # -- what is right -----------------------------------------------------------------------------

    def is_right(self, step: Step, *, lasting: bool = True) -> None:
        before, self.now = self.now, self.settled()
        for who, one in self.up.items():
            if who != step.who and step.verb != "reboot":
                one.hurt |= self.hurts(before, step, one)
        for who, one in self.up.items():
            if not one.hurt:
                self.is_in_step(who, one, lasting=lasting)
            if who != step.who and step.verb != "reboot":
                wrong = differences(_endpoints(before, who, one), _endpoints(self.now, who, one))
                assert not wrong, f"endpoints of t{who}:\n" + "\n".join(wrong[:12])

    def hurts(self, before: Facts, step: Step, one: Up) -> bool:
        """Whether what is named of another's is gone, or on another NIC; a route goes with it.

        So do the routes of a shim from an address that its parent had.
        """
        was, now = before[""]["link"], self.now[""]["link"]
        own = {name for space, name in ends(one.tables) if not space}
        named = {*_parents(one.tables), *_devs(one.tables)} - own
        others = {f"{letter}{step.who}" for letter in "mvw"} if step.verb == "restart" else set()
        if _shim(one.tables) and any(self.loses_address(before, name) for name in named):
            return True
        return any(
            name in was and (name not in now or was[name].get("on") != now[name].get("on"))
            for name in named
        ) or bool(others & {*_devs(one.tables)} - own)

    def loses_address(self, before: Facts, name: str) -> bool:
        had, has = (
            {one["local"] for one in facts[""]["addr"].get(name) or ()}
            for facts in (before, self.now)
        )
        return not had <= has

    def is_in_step(self, who: int, one: Up, *, lasting: bool) -> None:
        def is_up() -> bool:
            return vlanlink.status(f"t{who}", self.host).state == "up"

        if not lasting:
            until(is_up, f"t{who} is up")
        found = vlanlink.status(f"t{who}", self.host)
        assert found.state == "up", f"t{who}: {found.state}: {found.plan} {found.problems}"
        plan = vlanlink.plan(one.topology, self.host)
        assert not plan.operations, f"t{who}: planned:\n{plan}"


def _can_vlan(world: World) -> bool:
    words = "ip link add link lo name try type vlan id 5"
    if world.run(words, check=False).returncode:
        return False
    world.ip("link delete try")
    return True


def _parents(tables: Table) -> list[str]:
    found = [*tables["networks"].values(), *tables["links"].values()]
    for space in tables["namespaces"].values():
        found += space.get("interfaces", {}).values()
    return [table["parent"] for table in found if "parent" in table]


def _shim(tables: Table) -> bool:
    return bool(tables["networks"]["n"].get("shim"))


def _devs(tables: Table) -> list[str]:
    return [route["dev"] for route in tables["host"].get("routes", [])]


def _endpoints(facts: Facts, who: int, one: Up) -> dict[str, Any]:
    """The links of a topology, with their numbers, addresses and routes."""
    found: dict[str, Any] = {}
    places = [*ends(one.tables), *([(f"box{who}", "eth0")] if one.attached else [])]
    for space, name in places:
        here = facts[space]
        routes = [r for r in here["route"] if r.get("dev") == name and not _is_others(r)]
        found[f"{space}/{name}"] = {
            "link": here["link"].get(name),
            "index": here["index"].get(name),
            "addr": here["addr"].get(name),
            "route": routes,
        }
    return found


def _is_others(route: dict[str, Any]) -> bool:
    """One of those that any topology may ask for on any link, or that come with forwarding."""
    return str(route["dst"]).startswith("10.9") or route["type"] == "anycast"
