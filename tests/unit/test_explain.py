"""Who is told to have a MAC that the kernel calls in use: a link on the same parent, or nobody."""

import errno

import pytest

from vlanlink.kernel.explain import explain
from vlanlink.model import HOST, Link, LinkName, Namespace, State, Stray
from vlanlink.planning.operations import SetLink

MAC, OTHER = "02:00:00:00:00:01", "02:00:00:00:00:02"
ETH0, ETH1 = LinkName(HOST, "eth0"), LinkName(HOST, "eth1")
UP = SetLink(namespace="a", name="eth0", kind="macvlan", index=3, old={}, new={"up": True})
NOBODY = f"MAC {MAC} is in use on this parent, in an unnamed namespace"


def link(space: str, name: str, parent: LinkName | None, mac: str = MAC) -> Link:
    kind = "macvlan" if parent else "device"
    return Link(name, kind, space, parent=parent, settings={"mac": mac}, owner="office")


def machine(*links: Link, strays: tuple[Stray, ...] = ()) -> State:
    every = (link("a", "eth0", ETH0), *links)
    spaces = {one.namespace for one in every}
    return State(
        {
            space: Namespace(
                space, links={one.name: one for one in every if one.namespace == space}
            )
            for space in spaces
        },
        strays=strays,
    )


def stray(mac: str, name: str = "eth0") -> Stray:
    return Stray("office", "pid 7 (sleep 9)", "/proc/7/ns/net", name, mac)


@pytest.mark.parametrize(
    ("state", "who"),
    [
        (machine(link("b", "x", ETH0)), f"b/x already uses MAC {MAC}"),
        (machine(link(HOST, "eth0", None)), f"eth0 already uses MAC {MAC}"),
        (machine(link("b", "x", ETH1)), NOBODY),
        (machine(link(HOST, "eth1", None)), NOBODY),
        (machine(link("b", "x", ETH0, OTHER)), NOBODY),
        (machine(strays=(stray(MAC, "x"),)), f"x of pid 7 (sleep 9) already uses MAC {MAC}"),
        (machine(strays=(stray(OTHER),)), NOBODY),
    ],
)
def test_who_has_the_mac(state: State, who: str) -> None:
    assert explain(UP, errno.EADDRINUSE, "", state) == who
