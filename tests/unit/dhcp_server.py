"""A DHCP server of the tests, as plain as can be: it answers a message with another."""

from dataclasses import dataclass, field

from vlanlink.dhcp.message import REPLY, Kind, Message, Option
from vlanlink.dhcp.state import packed

SERVER, SERVER_MAC = "192.0.2.1", "02:00:00:00:00:01"


@dataclass
class Server:
    """It gives one address, whoever asks."""

    address: str = "192.0.2.50"
    seconds: int = 3600
    options: dict[int, bytes] = field(default_factory=dict)
    """More options, or others in place of its own."""
    refuses: bool = False
    known: str | None = None
    """Answers requests for this address alone with ACK, others with NAK."""

    def reply(self, kind: int, to: Message, **options: bytes) -> Message:
        """A reply of a kind."""
        del options
        found: dict[int, bytes] = {
            Option.KIND: bytes([kind]),
            Option.SERVER: packed(SERVER),
            Option.LEASE_SECONDS: self.seconds.to_bytes(4, "big"),
            Option.MASK: packed("255.255.255.0"),
            Option.ROUTERS: packed(SERVER),
        }
        found |= self.options
        kept = {number: value for number, value in found.items() if value != b"-"}
        yours = "0.0.0.0" if kind == Kind.NAK else self.address
        return Message(REPLY, to.xid, to.mac, kept, yours=yours)

    def answer(self, message: Message) -> Message | None:
        """What it says to a message."""
        asked = message.options.get(Option.REQUESTED_ADDRESS) or packed(message.client)
        if message.kind == Kind.DISCOVER:
            return self.reply(Kind.OFFER, message)
        if message.kind == Kind.REQUEST:
            right = asked == packed(self.address) and not self.refuses
            return self.reply(Kind.ACK if right else Kind.NAK, message)
        return None
