"""The sockets of one client: DHCP on its link, and ARP there or on its parent."""

import socket
from collections.abc import Iterator
from contextlib import suppress

from vlanlink.dhcp.frames import EVERYBODY, build_frame, parse_frame
from vlanlink.dhcp.message import Message
from vlanlink.dhcp.state import XID_MASK, Client, Send
from vlanlink.kernel.packet import packets
from vlanlink.kernel.packet.client_socket import NOTHING, attach, replies, talk_about

_LARGEST_FRAME = 2048
_MOST_AT_ONCE = 64

Heard = tuple[str, Message] | tuple[str, str]
"""The sender's MAC, and its message or the address that it uses."""


class Port:
    """The sockets of one client.

    An ARP probe from an ipvlan link is answered to its parent, so that one sends and listens on
    ``parent``: a socket there.
    """

    def __init__(
        self, own: socket.socket, parent: socket.socket | None = None, parent_mac: str = ""
    ) -> None:
        """Take over open sockets that receive nothing yet."""
        self._own = own
        self._parent = parent
        self.parent_mac = parent_mac

    def sockets(self) -> tuple[socket.socket, ...]:
        """All of them."""
        return (self._own, self._parent) if self._parent else (self._own,)

    def listen(self, client: Client, *, arp: bool) -> None:
        """Let the replies to a client pass; ``arp``: and talk about the address on offer."""
        about = client.offer.bare if arp and client.offer else None
        here = about if self._parent is None else None
        mask = XID_MASK if client.config.shares_mac else 0
        attach(self._own, replies(client.mac, client.xid, mask, here))
        if self._parent:
            attach(self._parent, talk_about(about) if about else NOTHING)

    def send(self, client: Client, what: Send) -> None:
        """Send a message. One that can't be sent is lost, as others are on the way."""
        frame = build_frame(
            what.message,
            mac=client.mac,
            source=what.source,
            to=what.to or EVERYBODY,
            to_mac=what.to_mac or packets.BROADCAST_MAC,
        )
        with suppress(OSError):
            self._own.send(frame)

    def probe(self, client: Client, address: str) -> None:
        """Send an ARP probe."""
        mac = self.parent_mac if self._parent else client.mac
        with suppress(OSError):
            (self._parent or self._own).send(packets.arp_probe(mac, address))

    def heard(self, at: socket.socket, client: Client) -> Iterator[Heard]:
        """What has come in since."""
        for _ in range(_MOST_AT_ONCE):
            try:
                data = at.recv(_LARGEST_FRAME)
            except BlockingIOError:
                return
            except OSError:  # the link went down; it is bound again when it comes back
                continue
            reply = parse_frame(data)
            if reply:
                yield reply
            elif (address := _claimed(data, {client.mac, self.parent_mac})) is not None:
                yield address

    def close(self) -> None:
        """Close the sockets; many at once are closed faster by ``close_all``."""
        for each in self.sockets():
            each.close()


def _claimed(data: bytes, own: set[str]) -> tuple[str, str] | None:
    frame = packets.parse(data)
    claim = packets.claim(frame) if frame else None
    if claim is None or claim[1] in own:
        return None
    return claim[1], claim[0]
