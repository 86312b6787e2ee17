"""Temporary links, from which siblings on the same parents hear a probe.

No macvlan link receives what its parent sends: a probe from there reaches the wire only. What a
link in bridge mode sends reaches the wire and all others in that mode, in any namespace. The
temporary links are in a namespace without a name: nothing else on the host sees them, and if the
process is killed the kernel removes both.
"""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

from vlanlink.dataclass import dataclass
from vlanlink.kernel import syscalls
from vlanlink.kernel.netlink.encode import make_beside, remove_beside
from vlanlink.kernel.netlink.socket import Socket
from vlanlink.kernel.netns.namespaces import Namespaces
from vlanlink.kernel.packet import packets
from vlanlink.model import HOST

_FIRST_INDEX = 1 << 30
"""The kernel refuses the ifindex of a link that the namespace which asks has."""


@dataclass(frozen=True, slots=True)
class Beside:
    """How a probe reaches other links on a parent: a link of this kind sends it, with this MAC."""

    kind: str
    mac: str

    def frame(self, address: str) -> bytes:
        """The probe for an address."""
        return packets.address_probe(self.mac, address)


@dataclass(frozen=True, slots=True)
class LinksBeside:
    """Temporary links: a socket that sends from them, and their names by the parent's ifindex."""

    socket: socket.socket
    names: dict[int, str]


@contextmanager
def links_beside(namespaces: Namespaces, kinds: Mapping[int, str]) -> Iterator[LinksBeside]:
    """A temporary link on each parent: its kind by the parent's ifindex.

    Raises OSError, with the parent's name as its file name.
    """
    host = namespaces.socket(HOST)
    namespaces.enter(HOST)
    parents = {index: socket.if_indextoname(index) for index in kinds}
    inside, links = namespaces.in_new_namespace(lambda: _make(host, kinds, parents))
    with closing(inside), links.socket:
        try:
            yield links
        finally:  # here, not with the namespace, which the kernel deletes some time later
            inside.request([remove_beside(_FIRST_INDEX + parent) for parent in kinds])


def _make(
    host: Socket, kinds: Mapping[int, str], parents: Mapping[int, str]
) -> tuple[Socket, LinksBeside]:
    here = os.open(syscalls.OWN_NETWORK, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for parent, kind in kinds.items():
            refusal = host.request([make_beside(kind, parent, _FIRST_INDEX + parent, here)])[0]
            if refusal:
                text = refusal.text or os.strerror(refusal.errno)
                message = f"can't create a temporary {kind} link: {text}"
                raise OSError(refusal.errno, message, parents[parent])
    finally:
        os.close(here)
    names = {parent: socket.if_indextoname(_FIRST_INDEX + parent) for parent in kinds}
    how = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    return Socket(), LinksBeside(socket.socket(socket.AF_PACKET, how, 0), names)
