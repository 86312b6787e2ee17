"""What ``verify`` says, for tests that pinged before."""

import vlanlink
from vlanlink.reachability.result import Check

Who = tuple[str, str, str]


def verified(topology: vlanlink.Topology) -> dict[Who, str]:
    """All is as promised: what was measured, by from, to and address."""
    found = vlanlink.verify(topology.name)
    assert (found.state, found.ok) == ("up", True), [c.to_dict() for c in found.differences]
    assert found.checks
    return measured(found)


def measured(found: vlanlink.Verification) -> dict[Who, str]:
    """What was measured of the pairs that are judged."""
    return {who(check): str(check.to_dict()["measured"]) for check in found.checks}


def who(check: Check) -> Who:
    """From, to and address."""
    row = check.to_dict()
    return str(row["from"]), str(row["to"]), str(row["address"])


def causes(topology: vlanlink.Topology) -> dict[Who, str | None]:
    """The cause of each difference; there are some."""
    found = vlanlink.verify(topology.name)
    assert not found.ok
    return {who(check): check.cause for check in found.differences}
