"""A DHCP server that gives short leases, or says what a file tells it to: no server would."""

import socket
import struct
import sys
from pathlib import Path
from socket import inet_ntoa

from tests.unit.dhcp_server import SERVER_MAC, Server
from vlanlink.dhcp.frames import build_frame
from vlanlink.dhcp.message import NO_ADDRESS, Kind, Message, Option, parse
from vlanlink.dhcp.state import packed

MODE = Path("/run/liar.mode")
"""answer, silent, nak, offers (and nothing else), or one of LIES."""
HEARD = Path("/run/liar.heard")
"""A line for each message: the state that its client is in (RFC 2131, table 4)."""
_EVERYBODY = b"\xff" * 6
LIES: dict[str, dict[int, bytes]] = {
    "mask": {Option.MASK: bytes(4)},
    "server": {Option.SERVER: b"-"},
    "time": {Option.LEASE_SECONDS: bytes(4)},
    "names": {
        Option.DOMAIN: b"x\nnameserver 6.6.6.6",
        Option.DNS: packed("224.0.0.1") + packed("192.0.2.53"),
    },
}


def reply(server: Server, asked: Message, mode: str) -> Message | None:
    server.options = LIES.get(mode, {})
    server.refuses = mode == "nak"
    if mode == "foreign" and asked.kind == Kind.REQUEST:
        return Server(address="192.0.2.66", seconds=server.seconds).reply(Kind.ACK, asked)
    if mode == "silent" or (mode == "offers" and asked.kind != Kind.DISCOVER):
        return None
    if asked.kind == Kind.DISCOVER and mode == "answer":  # the same for who asks for it
        wanted = asked.options.get(Option.REQUESTED_ADDRESS)
        number = int(server.address.rpartition(".")[2]) + 1
        server.address = inet_ntoa(wanted) if wanted else f"192.0.2.{number}"
    return server.answer(asked)


def state_of(asked: Message, to: bytes) -> str:
    """What a client's message tells of its state; ``to``: the MAC that it is sent to."""
    if asked.kind != Kind.REQUEST:
        return "selecting" if asked.kind == Kind.DISCOVER else "other"
    if asked.client != NO_ADDRESS:
        return "rebinding" if to == _EVERYBODY else "renewing"
    return "requesting" if Option.SERVER in asked.options else "rebooting"


def main() -> None:
    server = Server(seconds=int(sys.argv[1]))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)) as wire:
        wire.bind(("eth0", 0x0800))
        MODE.with_suffix(".ready").touch()
        while True:
            data = wire.recv(2048)
            if len(data) < 42 or data[23] != 17 or struct.unpack_from("!H", data, 36)[0] != 67:
                continue
            asked = parse(data[42:])
            mode = MODE.read_text().strip()
            if mode == "garbage":
                wire.send(data[6:12] + bytes(6) + bytes.fromhex("0800") + data[30:] * 2)
                continue
            said = reply(server, asked, mode) if asked else None
            with HEARD.open("a") as heard:
                heard.write(f"{state_of(asked, data[:6])}\n" if asked else "garbage\n")
                heard.write("refused\n" if said and said.kind == Kind.NAK else "")
            if said is not None:
                frame = bytearray(build_frame(said, mac=SERVER_MAC, source="192.0.2.1"))
                frame[34:38] = struct.pack("!HH", 67, 68)
                wire.send(bytes(frame))


if __name__ == "__main__":
    main()
