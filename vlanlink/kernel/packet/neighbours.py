"""A namespace's neighbour table, and its next hop to an address."""

import struct
from collections.abc import Collection
from socket import AF_INET, AF_INET6, inet_ntop

from vlanlink.dataclass import dataclass
from vlanlink.kernel.netlink.attributes import attributes
from vlanlink.kernel.netlink.message import ip, request, u32
from vlanlink.kernel.netlink.socket import Socket
from vlanlink.kernel.packet.packets import mac_text
from vlanlink.model import family_of

_NDMSG = struct.Struct("=BBHiHBB")
_RTMSG = struct.Struct("=8BI")
_GETROUTE, _DELNEIGH, _GETNEIGH = 26, 29, 30
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300

_NDA_DST, _NDA_LLADDR = 1, 2
_RTA_DST, _RTA_SRC, _RTA_OIF, _RTA_GATEWAY, _RTA_PREFSRC, _RTA_VIA = 1, 2, 4, 5, 7, 18
_RTN_LOCAL = 2

INCOMPLETE, REACHABLE, FAILED = 0x01, 0x02, 0x20


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An entry of the neighbour table (ip-neighbour(8)); ``state`` is an NUD_ constant."""

    state: int
    mac: str | None

    @property
    def silent(self) -> bool:
        """True if it was requested and didn't answer."""
        return bool(self.state & (INCOMPLETE | FAILED))

    @property
    def confirmed(self) -> bool:
        """True if it answered within the last half minute or so."""
        return bool(self.state & REACHABLE)


@dataclass(frozen=True, slots=True)
class Hop:
    """The next hop of a namespace's route to an address, and its link."""

    address: str
    index: int
    source: str | None
    """The namespace's source address."""
    local: bool = False
    """True if the address is the namespace's own."""


def neighbours(socket: Socket, family: int) -> dict[tuple[int, str], Neighbour]:
    """The neighbour table of the socket's namespace, by link and address. Raises OSError."""
    body = _NDMSG.pack(_number(family), 0, 0, 0, 0, 0, 0)
    found = {}
    for answer in socket.dump(request(_GETNEIGH, _REQUEST | _DUMP, body)):
        if len(answer) < 16 + _NDMSG.size:
            continue
        _, _, _, index, state, _, _ = _NDMSG.unpack_from(answer, 16)
        values = dict(attributes(answer, 16 + _NDMSG.size))
        address, mac = values.get(_NDA_DST), values.get(_NDA_LLADDR)
        if address:
            text = mac_text(mac) if mac and len(mac) == 6 else None
            found[index, inet_ntop(_number(family), address)] = Neighbour(state, text)
    return found


def forget(socket: Socket, entries: Collection[tuple[int, str]]) -> None:
    """Remove entries from the neighbour table; the kernel resolves needed ones again."""
    messages = []
    for index, address in entries:
        body = _NDMSG.pack(_number(family_of(address)), 0, 0, index, 0, 0, 0)
        messages.append(request(_DELNEIGH, _REQUEST | _ACK, body, ip(_NDA_DST, address)))
    if messages:
        socket.request(messages)


def next_hop(
    socket: Socket, address: str, index: int | None = None, source: str | None = None
) -> Hop:
    """Look up the route to ``address``. Raises OSError; ENETUNREACH if there is none."""
    family = family_of(address)
    bits = 32 if family == 4 else 128
    body = _RTMSG.pack(_number(family), bits, bits if source else 0, 0, 0, 0, 0, 0, 0)
    values = [ip(_RTA_DST, address)]
    values += [ip(_RTA_SRC, source)] if source else []
    values += [u32(_RTA_OIF, index)] if index else []
    answer = socket.dump(request(_GETROUTE, _REQUEST | _ACK, body, *values))[0]
    return _decode_hop(answer, address)


def _decode_hop(message: bytes, address: str) -> Hop:
    values = dict(attributes(message, 16 + _RTMSG.size))
    local = message[16 + 7] == _RTN_LOCAL
    (index,) = struct.unpack("=I", values.get(_RTA_OIF, bytes(4)))
    gateway = values.get(_RTA_GATEWAY) or values.get(_RTA_VIA, b"")[2:]
    source = values.get(_RTA_PREFSRC)
    return Hop(
        _text(gateway) if gateway else address, index, _text(source) if source else None, local
    )


def _text(address: bytes) -> str:
    return inet_ntop(AF_INET if len(address) == 4 else AF_INET6, address)


def _number(family: int) -> int:
    return AF_INET if family == 4 else AF_INET6
