"""What an operation can change anything in: only that is read back."""

import pytest

from vlanlink.model import HOST, Address, Link, LinkName, Route
from vlanlink.planning.operations import (
    AddAddress,
    AddRoute,
    MakeLink,
    MakeNamespace,
    Operation,
    RemoveLink,
    RemoveNamespace,
    SetLink,
    WriteFile,
    WriteSysctl,
    touched,
)

PARENT = LinkName(HOST, "eth0")


def make(kind: str, **ends: str) -> MakeLink:
    link, *peer = (Link(name, kind, namespace=space) for name, space in ends.items())
    return MakeLink(namespace=link.namespace, link=link, peer=peer[0] if peer else None)


def change(namespace: str, kind: str) -> SetLink:
    return SetLink(
        namespace=namespace, name="x", kind=kind, index=2, old={"up": False}, new={"up": True}
    )


WEB = frozenset({"web"})
ADDRESS, ROUTE = Address("192.0.2.1/24"), Route(to="0.0.0.0/0", dev="x", via="192.0.2.254")
CASES: dict[str, tuple[Operation, frozenset[str] | None]] = {
    "a namespace": (MakeNamespace(namespace="web", owner="t"), WEB),
    "a macvlan link": (make("macvlan", x="web"), WEB),
    "a pair": (make("veth", x="web", y="db"), frozenset({"web", "db"})),
    "an ipvlan link, whose mode is its siblings'": (make("ipvlan", x="web"), None),
    "a setting": (change("web", "macvlan"), WEB),
    "a setting of an ipvlan link": (change("web", "ipvlan"), None),
    "a setting of an end of a pair": (change("web", "veth"), None),
    "a setting of the host's, which its children feel": (change(HOST, "device"), None),
    "an address": (AddAddress(namespace="web", dev="x", index=2, address=ADDRESS), WEB),
    "a route": (AddRoute(namespace="web", route=ROUTE, index=2), WEB),
    "a sysctl": (WriteSysctl(namespace="web", key="net/ipv4/ip_forward", old="0", new="1"), WEB),
    "a sysctl of the host": (WriteSysctl(namespace=HOST, key="vm/x", old="0", new="1"), None),
    "a file": (WriteFile(namespace="web", name="hosts", text=""), frozenset()),
    "a link that goes, with its children": (
        RemoveLink(namespace="web", name="x", kind="macvlan", index=2),
        None,
    ),
    "a namespace that goes, with the peers of its links": (RemoveNamespace(namespace="web"), None),
}


@pytest.mark.parametrize("case", CASES)
def test_what_an_operation_touches(case: str) -> None:
    operation, wanted = CASES[case]
    assert operation.touches == wanted
    namespace = MakeNamespace(namespace="other", owner="t")
    both = None if wanted is None else wanted | {"other"}
    assert touched([namespace, operation]) == both
