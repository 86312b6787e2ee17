"""Sysctls of the host and of namespaces: written, and put back with all that goes along."""

import socket
import struct
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import vlanlink
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.world import World, until
from vlanlink import sysctl
from vlanlink.kernel import reader, snapshot
from vlanlink.model import Link, Namespace

PROC = Path("/proc/sys")


def _load(text: str) -> vlanlink.Topology:
    return vlanlink.load("/run/sysctls.toml", text='[topology]\nname = "sysctls"\n' + text)


def _host(**values: int) -> vlanlink.Topology:
    rows = {key.replace("__", "."): value for key, value in values.items()}
    return vlanlink.load({"topology": {"name": "sysctls"}, "host": {"sysctls": rows}})


def _write(values: dict[str, str]) -> None:
    for key, value in values.items():
        (PROC / key).write_text(value)


def _tree(world: World) -> dict[str, str]:
    """All of /proc/sys/net, what can't be read and what counts by itself left out."""
    lines = world.run(["grep", "-rs", "", "/proc/sys/net"], check=False).stdout.splitlines()
    rows = (line.removeprefix("/proc/sys/").partition(":") for line in lines)
    return {key: value for key, _, value in rows if "nf_conntrack_count" not in key}


# -- what a write changes besides: the table against the kernel -----------------------------------


def _namespace(world: World) -> Namespace:
    return Namespace("", links={name: Link(name, "veth") for name in world.names()})


def _told_is_true(world: World, key: str, value: str) -> None:
    """Write ``key``: what changes in the whole tree is what ``side_effects`` told, no more or less.

    An effect is seen only where the value was another before.
    """
    before = _tree(world)
    told = {key: value, **sysctl.side_effects(key, value, _namespace(world).links)}
    _write({key: value})
    after = _tree(world)
    changed = {k: after[k] for k in before if after[k] != before[k]}
    assert changed == {k: v for k, v in told.items() if k in before and before[k] != v}, key


@pytest.mark.parametrize("value", ["0", "1"])
@pytest.mark.parametrize("key", sorted(sysctl._SPREADING))
def test_the_table_of_what_is_written_along_is_true(world: World, key: str, value: str) -> None:
    if not (PROC / key).exists():
        return  # a kernel that is older than the key: it has nothing to carry
    world.batch("link add p0 type veth peer name p1\nlink set p0 up")
    other = "1" if value == "0" else "0"
    _write({key: other})  # so that every value that is written along is seen to change
    _told_is_true(world, key, value)


def _write_others(directory: Path) -> dict[str, str]:
    """Give every key of a directory another value; the keys that took it, with that value."""
    written = {}
    for file in sorted(directory.iterdir()):
        with suppress(OSError, ValueError):  # read only, or no number
            value = str(int(file.read_text()) ^ 1)
            file.write_text(value)
            written[str(file.relative_to(PROC))] = value
    return written


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_no_other_key_of_an_interface_is_written_along(world: World, family: str) -> None:
    """Each key of ``all``, ``default`` and one interface: all that changes was told beforehand.

    p0 has an address, p1 has none: the kernel carries writes of net/ipv4/conf/default only to
    interfaces that have none (devinet_copy_dflt_conf in net/ipv4/devinet.c).
    """
    world.batch("link add p0 type veth peer name p1\nlink set p0 up\naddr add 10.0.0.1/24 dev p0")
    namespace = _namespace(world)
    for where in ("conf/all", "conf/default", "conf/p1"):
        before = _tree(world)
        told = _write_others(PROC / "net" / family / where)
        assert len(told) > 20
        after = _tree(world)
        for key, value in list(told.items()):
            told |= sysctl.side_effects(key, value, namespace.links)
            told |= sysctl.possible_effects(key, value, namespace.links)
        assert {k for k in before if after.get(k) != before[k]} - set(told) == set(), where


@pytest.mark.sensitive
@pytest.mark.needs("macvlan")
@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_new_link_starts_with_the_defaults(lan: Lan, family: str) -> None:
    """Every key that the kernel has: ``heirs`` tells those of the link, and no others."""
    old = _tree(lan.world)
    defaults = _write_others(PROC / "net" / family / "conf/default")
    lan.world.ip("link add m0 link eth0 type macvlan mode bridge")
    new = _tree(lan.world)
    follows = {
        key
        for key in defaults
        if new[key] != old[key] and new[key.replace("/default/", "/m0/")] == new[key]
    }
    assert follows == {key for key in defaults if sysctl.heirs(key, ["m0"])}


# -- the host's own --------------------------------------------------------------------------------


def test_ip_forward_and_all_that_it_changes_go_back(lan: Lan) -> None:
    """Interfaces that stood out before stand out again; those that came meanwhile stay as told."""
    world = lan.world
    world.batch("link add p0 type veth peer name p1")
    _write(
        {
            "net/ipv4/conf/p0/forwarding": "1",
            "net/ipv4/conf/default/forwarding": "1",
            "net/ipv4/conf/all/accept_redirects": "0",
            "net/ipv6/conf/p1/forwarding": "1",
            "net/ipv6/conf/lo/forwarding": "1",
        }
    )
    before = dump(world)
    tree = _tree(world)
    topology = _host(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
    plan = vlanlink.up(topology)
    assert [(c.object, c.action, c.name, c.summary) for c in plan.changes] == [
        ("sysctl", "change", "net.ipv4.ip_forward", "0 → 1"),
        ("sysctl", "change", "net.ipv6.conf.all.forwarding", "0 → 1"),
    ]
    on = _tree(world)
    assert on["net/ipv4/conf/eth0/forwarding"] == on["net/ipv6/conf/eth0/forwarding"] == "1"
    assert vlanlink.up(topology).operations == ()
    vlanlink.down("sysctls")
    same(world, before)
    assert _tree(world) == tree


def test_what_a_default_changed_goes_back_too(lan: Lan) -> None:
    """eth0 has no IPv4 address, so a default of IPv4 becomes its own; it gets one meanwhile, and
    the way back of the default is not carried to it any more."""
    world = lan.world
    before = dump(world)
    vlanlink.up(_host(net__ipv4__conf__default__rp_filter=2))
    assert (PROC / "net/ipv4/conf/eth0/rp_filter").read_text() == "2\n"
    world.batch("addr add 10.0.0.1/24 dev eth0\naddr del 10.0.0.1/24 dev eth0")
    vlanlink.down("sysctls")
    same(world, before)


def test_the_way_back_of_one_key_out_of_the_file(lan: Lan) -> None:
    world = lan.world
    _write({"net/ipv4/conf/eth0/forwarding": "1"})
    before = dump(world)
    both = _host(net__ipv4__ip_forward=1, net__ipv4__conf__eth0__rp_filter=2)
    vlanlink.up(both)
    plan = vlanlink.up(_host(net__ipv4__conf__eth0__rp_filter=2))
    assert {c.object for c in plan.changes} == {"sysctl"}
    _write({"net/ipv4/conf/eth0/rp_filter": before["sysctls"]["net/ipv4/conf/eth0/rp_filter"]})
    same(world, before)
    vlanlink.down("sysctls")
    same(world, before)


def test_a_value_that_somebody_changed_in_between_is_left_alone(lan: Lan) -> None:
    del lan
    vlanlink.up(_host(net__ipv4__ip_forward=1, net__ipv4__conf__eth0__rp_filter=1))
    _write({"net/ipv4/conf/eth0/rp_filter": "2"})
    plan = vlanlink.down("sysctls")
    assert (PROC / "net/ipv4/ip_forward").read_text() == "0\n"
    assert (PROC / "net/ipv4/conf/eth0/rp_filter").read_text() == "2\n"
    notes = [note.message for note in plan.notes]
    assert len(notes) == 1
    assert (
        "net.ipv4.conf.eth0.rp_filter is 2, not the 1 that vlanlink wrote: left alone" in notes[0]
    )
    assert plan.notes[0].severity == "warning"


def test_an_unknown_sysctl_is_refused_before_anything_is_changed(lan: Lan) -> None:
    before = dump(lan.world)
    with pytest.raises(vlanlink.ConflictError, match=r"sysctl net\.ipv4\.ip_foward can't be read"):
        vlanlink.up(_load('[host]\nsysctls = { "net.ipv4.ip_foward" = 1 }\n'))
    same(lan.world, before)


def test_a_value_that_the_kernel_refuses_is_undone(lan: Lan) -> None:
    before = dump(lan.world)
    text = '[host.sysctls]\n"net.ipv4.ip_forward" = 1\n"net.ipv6.conf.eth0.addr_gen_mode" = 77\n'
    with pytest.raises(vlanlink.ApplyError) as caught:
        vlanlink.up(_load(text))
    assert "net.ipv6.conf.eth0.addr_gen_mode = 77" in str(caught.value)
    assert "EINVAL" in str(caught.value)
    assert "/run/sysctls.toml:5:" in str(caught.value)
    same(lan.world, before)


# -- a default route by router advertisement -------------------------------------------------------


def _advertise(world: World) -> None:
    """The router says on the LAN that it is one, for half an hour (RFC 4861, section 4.2)."""
    message = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)

    def send() -> None:
        with (
            world.inside("router"),
            socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as raw,
        ):
            raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
            raw.sendto(message, ("ff02::1", 0, 0, socket.if_nametoindex("eth0")))

    thread = threading.Thread(target=send)
    thread.start()
    thread.join()


def _learnt(world: World) -> list[str]:
    return [r["gateway"] for r in world.json("-6 route show default") if r["protocol"] == "ra"]


def test_ipv6_forwarding_does_not_cost_an_advertised_default_route(lan: Lan) -> None:
    world = lan.world
    lan.router("2001:db8::1/64")

    def learns() -> list[str]:
        _advertise(world)
        return _learnt(world)

    route = until(learns, "a default route by router advertisement")
    before = dump(world)
    assert before["sysctls"]["net/ipv6/conf/eth0/accept_ra"] == "1"
    plan = vlanlink.up(_host(net__ipv6__conf__all__forwarding=1))
    assert {c.name for c in plan.changes} == {
        "net.ipv6.conf.eth0.accept_ra",
        "net.ipv6.conf.all.forwarding",
    }
    assert (PROC / "net/ipv6/conf/eth0/accept_ra").read_text() == "2\n"
    assert (PROC / "net/ipv6/conf/eth0/forwarding").read_text() == "1\n"
    assert _learnt(world) == route
    _advertise(world)
    assert vlanlink.up(_host(net__ipv6__conf__all__forwarding=1)).operations == ()
    vlanlink.down("sysctls")
    assert _learnt(world) == route
    same(world, before)
    # What would have been without it. (The kernel looks for default routes to drop only once
    # after it learnt one; so it learns it again.)
    world.ip("-6 route del default")
    until(learns, "a default route by router advertisement")
    _write({"net/ipv6/conf/all/forwarding": "1"})
    assert _learnt(world) == []


# -- namespaces, and links that are made ----------------------------------------------------------

INSIDE = """
[namespaces.one]
[namespaces.one.sysctls]
"net.ipv4.conf.default.rp_filter" = 2
"net.ipv4.conf.m.0.arp_filter" = 1
"net/ipv4/conf/m.0/log_martians" = 1
[namespaces.one.interfaces."m.0"]
kind = "macvlan"
probe = false
parent = "eth0"
addresses = ["10.1.0.1/24"]
"""


@pytest.mark.needs("macvlan")
def test_defaults_come_before_the_links_their_own_after(lan: Lan) -> None:
    """In a namespace that is somebody else's; a link's name may have a dot in it."""
    world = lan.world
    world.ip("netns add one")
    before = dump(world, "one")
    vlanlink.up(_load(INSIDE))
    keys = ["default/rp_filter", "m.0/rp_filter", "m.0/arp_filter", "m.0/log_martians"]
    files = [f"/proc/sys/net/ipv4/conf/{key}" for key in keys]
    assert world.run(["cat", *files], "one").stdout.split() == ["2", "2", "1", "1"]
    assert vlanlink.up(_load(INSIDE)).operations == ()
    vlanlink.down("sysctls")
    assert world.run(["cat", files[0]], "one").stdout == "0\n"
    same(world, before, "one")


def test_a_plan_with_sysctls_reads_the_machine_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.batch("netns add one\nnetns add two\nnetns add stranger")
    dumps: list[str] = []
    read = snapshot.read_namespace

    def counted(name: str, *args: Any, **options: Any) -> Any:
        dumps.append(name)
        return read(name, *args, **options)

    monkeypatch.setattr(reader, "read_namespace", counted)
    text = '[host]\nsysctls = { "net.ipv4.ip_forward" = 1 }\n[namespaces.one]\n[namespaces.two]\n'
    vlanlink.plan(vlanlink.load("t.toml", text=text))
    assert sorted(dumps) == ["", "one", "two"]
