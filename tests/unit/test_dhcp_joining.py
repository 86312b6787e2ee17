"""What is said to a running keeper: it comes back as it was, and nonsense harms nobody."""

import socket
from contextlib import ExitStack

import pytest

from vlanlink.dhcp import joining
from vlanlink.dhcp.guests import read_keys, receive
from vlanlink.dhcp.joining import Joining
from vlanlink.dhcp.service import Service
from vlanlink.dhcp.state import Client
from vlanlink.model import DhcpClient, LinkName
from vlanlink.store.dhcp_leases import DhcpLease
from vlanlink.store.keeper_file import word_of

MAC = "02:00:00:00:00:07"
LEASE = DhcpLease("192.168.77.9/24", "192.168.77.1", "02:00:00:00:00:01", 5.0, 600, 300, 525)


@pytest.mark.parametrize(
    "config",
    [
        DhcpClient(),
        DhcpClient(b"\0web", "web", "shop", shares_mac=True, timeout=3, probes=0),
    ],
)
def test_an_endpoint_is_the_same_at_the_other_end(config: DhcpClient) -> None:
    one = Joining(LinkName("c1", "eth0"), 3, Client(config, MAC), "", LEASE, "/proc/7/ns/net", 42)
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with here, there, socket.socket() as passed:
        here.settimeout(5)
        there.settimeout(5)
        data = joining.request_to_join(one)
        socket.send_fds(here, [data], [passed.fileno()])
        request, sockets = receive(there)
        for each in sockets:
            each.close()
    found = joining.read_joining(request["join"])
    assert (found.key, found.index, found.lease) == (one.key, one.index, one.lease)
    assert (found.path, found.inode) == (one.path, one.inode)
    assert len(sockets) == 1
    words = {word_of(each.key, each.index, MAC, each.client.config) for each in (one, found)}
    assert len(words) == 1


@pytest.mark.parametrize("said", [b"[", b"[1]", b"7", b"\xff"])
def test_what_is_no_request(said: bytes) -> None:
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with here, there:
        here.send(said)
        with pytest.raises(ValueError, match=r"."):
            receive(there)


@pytest.mark.parametrize("row", [{}, {"endpoint": 7}, [], None, "x", {"client_id": 7}])
def test_what_is_no_endpoint(row: object) -> None:
    with pytest.raises(ValueError, match="not an endpoint"):
        joining.read_joining(row)


@pytest.mark.parametrize("rows", [7, [7], [["a"]], None])
def test_what_are_no_endpoints(rows: object) -> None:
    with pytest.raises(ValueError, match="not endpoints"):
        read_keys(rows)


def test_sockets_that_are_too_few_are_refused() -> None:
    one = Joining(LinkName("c1", "eth0"), 3, Client(DhcpClient(), MAC), "", LEASE, "/x", 42)
    with pytest.raises(ValueError, match="0 sockets"):
        joining.as_given(one, ())


def test_one_that_shares_its_mac_brings_a_socket_on_the_parent() -> None:
    client = Client(DhcpClient(b"\0web", shares_mac=True), MAC)
    one = Joining(LinkName("c1", "eth0"), 3, client, "02:00:00:00:00:08", LEASE, "/x", 42)
    with ExitStack() as stack:
        own, requests, events, parent = (stack.enter_context(socket.socket()) for _ in range(4))
        given = joining.as_given(one, (own, requests, events, parent))
        assert given.port.sockets() == (own, parent)
        assert given.port.parent_mac == one.parent_mac
        assert (given.requests.fileno(), given.events) == (requests.fileno(), events)
        with pytest.raises(ValueError, match="3 sockets"):
            joining.as_given(one, (own, requests, events))


def test_news_of_a_namespace_that_was_let_go_a_moment_ago_is_passed_over() -> None:
    """Both are heard of at once, in any order."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with here, there:
        Service({}, {}, here)._on_events("web")
