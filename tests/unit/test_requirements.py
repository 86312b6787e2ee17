"""What an old kernel would pass over in silence is named, at its place in the file."""

from vlanlink.desired.requirements import too_new
from vlanlink.topology import load

TEXT = """
[networks.pub]
kind = "macvlan"
parent = "eth0"
bc_queue_len = 5000
[links.m0]
kind = "macvlan"
parent = "eth1"
bc_queue_len = 2000
[namespaces.web.interfaces.m1]
kind = "macvlan"
parent = "eth1"
mode = "private"
[namespaces.web.interfaces.eth0]
network = "pub"
addresses = []
"""


def test_options_that_are_too_new() -> None:
    topology = load("office.toml", text=TEXT)
    assert list(too_new(topology, (5, 11))) == []
    said = [str(topology.diagnose(problem)) for problem in too_new(topology, (5, 10))]
    assert [text.partition(": ")[0] for text in said] == ["office.toml:5:1", "office.toml:9:1"]
    assert "bc_queue_len needs Linux 5.11; this is 5.10" in said[0]
