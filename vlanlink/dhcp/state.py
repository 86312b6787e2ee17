"""What a DHCP client knows, what it may do, and the messages that it sends. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final

from vlanlink.dataclass import dataclass, field, replace
from vlanlink.dhcp.message import BROADCAST, NO_ADDRESS, REQUEST, Kind, Message, Option
from vlanlink.model import DhcpClient
from vlanlink.store.dhcp_leases import ClientWords, DhcpLease

NEVER: Final = float("inf")
XID_MASK: Final = 0xFFFFFF00
"""The bits of the transaction id that stay, for a socket filter."""
_PARAMETERS: Final = bytes(
    (
        Option.MASK,
        Option.CLASSLESS_ROUTES,  # before the routers (RFC 3442)
        Option.ROUTERS,
        Option.DNS,
        Option.DOMAIN,
        Option.MTU,
        Option.LEASE_SECONDS,
        Option.SERVER,
        Option.RENEW_SECONDS,
        Option.REBIND_SECONDS,
        Option.SEARCH,
    )
)
_LARGEST_MESSAGE: Final = 1500


class Phase(Enum):
    """The states of RFC 2131, figure 5; PROBING and DECLINED come of its duplicate check."""

    INIT = "init"
    SELECTING = "selecting"
    REQUESTING = "requesting"
    REBOOTING = "rebooting"
    PROBING = "probing"
    BOUND = "bound"
    RENEWING = "renewing"
    REBINDING = "rebinding"
    DECLINED = "declined"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Tally:
    """What came back so far, for messages."""

    offers: int = 0
    refused: int = 0
    """Offers that can't be used."""
    naks: int = 0
    declined: int = 0
    said: str = ""
    """Why the last offer was refused, or the server's words in its NAK."""

    def __str__(self) -> str:
        """``2 offers (1 unusable: it names no server), 1 NAK, 0 addresses in use``."""
        offers = f"{self.offers} offer{'s' * (self.offers != 1)}"
        parts = [f"{offers} ({self.refused} unusable)" if self.refused else offers]
        parts += [f"{self.naks} NAK{'s' * (self.naks != 1)}"] if self.naks else []
        parts += [f"{self.declined} declined, in use on the LAN"] if self.declined else []
        return ", ".join(parts) + (f": {self.said}" if self.said else "")


@dataclass(frozen=True, slots=True)
class Client:
    """A client and its state."""

    config: DhcpClient
    mac: str
    seed: bytes = b""
    """Makes transaction ids and jitter unpredictable."""
    phase: Phase = Phase.INIT
    due: float = NEVER
    """When ``tick`` is wanted next."""
    serial: int = 0
    """Transactions so far."""
    draws: int = 0
    """Random numbers so far."""
    tries: int = 0
    """Messages sent in this phase."""
    began: float = 0.0
    """When the client began to look for a lease."""
    asked: float = 0.0
    """When the request was sent that is being answered, the first of several."""
    wanted: str | None = None
    """The address to ask for, bare."""
    offer: DhcpLease | None = None
    """Terms that are being requested or probed."""
    lease: DhcpLease | None = None
    """The lease whose address is in use."""
    tally: Tally = field(default_factory=Tally)

    @property
    def xid(self) -> int:
        """The transaction id: a part that stays, and a number."""
        first = int.from_bytes(digest(self, b"xid")[:4], "big")
        return (first & XID_MASK) | (self.serial & ~XID_MASK & 0xFF)

    @property
    def client_id(self) -> bytes:
        """Option 61: the configured one, or hardware type and MAC."""
        return self.config.client_id or b"\1" + raw(self.mac)

    @property
    def words(self) -> ClientWords:
        """What it says of itself, for the lease that it gets."""
        config = self.config
        return self.client_id.hex(), config.hostname or "", config.vendor_class or ""


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message, by broadcast or to a server."""

    message: Message
    to: str | None = None
    to_mac: str | None = None
    source: str = NO_ADDRESS


@dataclass(frozen=True, slots=True)
class Probe:
    """Send an ARP probe for an address."""

    address: str


@dataclass(frozen=True, slots=True)
class Configure:
    """Set the address of a lease, or its new lifetime."""

    lease: DhcpLease
    before: DhcpLease | None = None


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Remove the address of a lease that has ended."""

    lease: DhcpLease
    why: str


Action = Send | Probe | Configure | Withdraw


# -- details ---------------------------------------------------------------------------------------


def message_of(
    client: Client,
    now: float,
    kind: Kind,
    options: Mapping[int, bytes],
    *,
    parameters: bool = True,
    own: str = NO_ADDRESS,
    flags: int | None = None,
) -> Message:
    """A message of the client; ``own``: the address that it has."""
    config = client.config
    found: dict[int, bytes] = {Option.KIND: bytes([kind]), Option.CLIENT_ID: client.client_id}
    found.update(options)
    if parameters:
        found[Option.LARGEST_MESSAGE] = _LARGEST_MESSAGE.to_bytes(2, "big")
        if config.hostname:
            found[Option.HOSTNAME] = config.hostname.encode()
        if config.vendor_class:
            found[Option.VENDOR_CLASS] = config.vendor_class.encode()
        found[Option.PARAMETERS] = _PARAMETERS
    # A reply to an address that is not there yet would not reach an ipvlan link.
    wanted = BROADCAST if config.shares_mac and own == NO_ADDRESS else 0
    return Message(
        REQUEST,
        client.xid,
        raw(client.mac),
        found,
        seconds=max(0, min(0xFFFF, int(now - client.began))),
        flags=wanted if flags is None else flags,
        client=own,
    )


def next_transaction(client: Client, *, fresh: bool = True) -> Client:
    """The client with its next transaction id, if it is to be ``fresh``."""
    return replace(client, serial=client.serial + 1) if fresh else client


def draw(client: Client) -> tuple[Client, float]:
    """The next of the client's random numbers, from 0 to 1."""
    number = int.from_bytes(digest(client, client.draws.to_bytes(8, "big"))[:4], "big")
    return replace(client, draws=client.draws + 1), number / 0xFFFFFFFF


def digest(client: Client, what: bytes) -> bytes:
    """Bytes that others can't predict."""
    return hashlib.blake2s(b"\0".join((client.seed, client.client_id, what))).digest()


def raw(mac: str) -> bytes:
    """The six bytes of a MAC."""
    return bytes.fromhex(mac.replace(":", ""))


def packed(address: str | None) -> bytes:
    """The four bytes of an address; none of none."""
    return bytes(map(int, address.split("."))) if address else b""


def summary(clients: Sequence[Client]) -> Tally:
    """What came back to several clients."""
    tallies = [client.tally for client in clients]
    return Tally(
        sum(one.offers for one in tallies),
        sum(one.refused for one in tallies),
        sum(one.naks for one in tallies),
        sum(one.declined for one in tallies),
        next((one.said for one in tallies if one.said), ""),
    )
