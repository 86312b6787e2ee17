"""What the golden plans can't say: the kernel's own devices in a namespace of ours."""

import pytest

from tests.unit.golden import read_state
from vlanlink.model import HOST, Namespace, State
from vlanlink.planning.operations import RemoveNamespace
from vlanlink.planning.plan import plan


@pytest.mark.parametrize(("kind", "goes"), [("sit", True), ("tun", False)])
def test_a_namespace_goes_with_the_devices_that_the_kernel_puts_into_each(
    kind: str, *, goes: bool
) -> None:
    links = {"sit0": {"kind": kind}}
    observed = read_state({"host": {"links": {}}, "web": {"owner": "office", "links": links}})
    todo = plan(observed, State({HOST: Namespace(HOST)}), "office")
    assert (todo.operations == (RemoveNamespace(namespace="web"),)) is goes
    assert (todo.warnings == ()) is goes


def test_what_another_host_makes_in_a_shared_directory_of_namespaces_is_not_ours() -> None:
    """It comes after the look, and stands in a later snapshot only: no lock is shared."""
    links = {"eth0": {"kind": "macvlan", "owner": "theirs"}}
    routes = ["default via 10.0.0.1 dev eth0"]
    theirs = {"owner": "theirs", "links": links, "routes": routes}
    seen = read_state({"host": {"links": {}}, "web9": theirs})
    assert all(one.ours for one in seen.namespaces["web9"].routes)
    assert plan(seen, State({HOST: Namespace(HOST)}), "office").operations == ()
