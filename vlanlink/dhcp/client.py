"""A DHCP client (RFC 2131, 4.4) as a pure machine: events with their time in, actions out.

``Client`` is a frozen value. Each function takes one, an event and the time, and returns the next
client and what is to be done. Waiting, sockets and the kernel are the caller's.
"""

from typing import Final

from vlanlink.dataclass import replace
from vlanlink.dhcp.message import REPLY, Kind, Message, Option
from vlanlink.dhcp.state import (
    NEVER,
    Action,
    Client,
    Configure,
    Phase,
    Probe,
    Send,
    Withdraw,
    draw,
    message_of,
    next_transaction,
    packed,
    raw,
)
from vlanlink.dhcp.terms import read_terms, server_of, words_of
from vlanlink.store.dhcp_leases import FOREVER, DhcpLease

DECLINE_SECONDS: Final = 10.0
"""The wait after a DECLINE (RFC 2131, 3.1, 5)."""
_FIRST_WAIT: Final = 1.0
_DOUBLINGS: Final = 6
"""Of the pause between messages, which is 64 seconds then (RFC 2131, 4.1)."""
_LONGEST_RENEW_WAIT = 60.0
_REQUESTS, _REBOOTS = 4, 2
"""How often a REQUEST is sent before the client begins again."""

Step = tuple[Client, tuple[Action, ...]]


# -- events ----------------------------------------------------------------------------------------


def start(client: Client, now: float, wanted: str | None = None) -> Step:
    """Begin: ask for the address ``wanted`` (INIT-REBOOT), or for any."""
    begun = replace(client, began=now, wanted=wanted)
    return _reboot(begun, now) if wanted else _discover(begun, now)


def resume(client: Client, now: float, lease: DhcpLease, *, confirm: bool = False) -> Step:
    """Begin with a lease that is in use; ``confirm``: ask the server about it first."""
    held = replace(client, began=now, lease=lease, wanted=lease.bare)
    if now >= lease.expires:
        return _end(held, now, "its lease has ended")
    return _reboot(held, now) if confirm else (_bound(held, now, lease), ())


def tick(client: Client, now: float) -> Step:
    """Do what is due."""
    lease = client.lease
    if lease and now >= lease.expires:
        return _end(client, now, "no server renewed it")
    if now < client.due:
        return client, ()
    match client.phase:
        case Phase.INIT | Phase.SELECTING | Phase.DECLINED:
            return _discover(client, now)
        case Phase.REQUESTING:
            return _again(client, now, _REQUESTS)
        case Phase.REBOOTING:
            return _reboot_again(client, now)
        case Phase.PROBING:
            return _probe(client, now)
        case Phase.BOUND | Phase.RENEWING | Phase.REBINDING:
            return _extend(client, now)
        case Phase.STOPPED:
            return replace(client, due=NEVER), ()


def receive(client: Client, now: float, message: Message, mac: str) -> Step:
    """Take a message from ``mac``; one that is not for this client changes nothing."""
    if not _is_reply_to(client, message):
        return client, ()
    kind = message.kind
    if kind == Kind.OFFER and client.phase is Phase.SELECTING:
        return _take_offer(client, now, message, mac)
    if kind == Kind.ACK:
        return _take_ack(client, now, message, mac)
    if kind == Kind.NAK:
        return _take_nak(client, now, message)
    return client, ()


def conflict(client: Client, now: float, address: str, mac: str) -> Step:
    """Another host, ``mac``, uses or probes for ``address``: decline it if it was offered."""
    offer = client.offer
    if client.phase is not Phase.PROBING or not offer or address != offer.bare:
        return client, ()
    said = f"{address} is in use by {mac}"
    tally = replace(client.tally, declined=client.tally.declined + 1, said=said)
    options: dict[int, bytes] = {
        Option.REQUESTED_ADDRESS: packed(offer.bare),
        Option.SERVER: packed(offer.server),
    }
    decline = message_of(client, now, Kind.DECLINE, options, parameters=False)
    gone = () if client.lease is None else (Withdraw(client.lease, said),)
    due = now + DECLINE_SECONDS
    waiting = replace(
        client, phase=Phase.DECLINED, due=due, tally=tally, offer=None, lease=None, wanted=None
    )
    return waiting, (Send(decline), *gone)


def carrier_back(client: Client, now: float) -> Step:
    """The link has its carrier again, perhaps on another network: ask about the lease."""
    if client.phase is Phase.STOPPED:
        return client, ()
    if client.lease:
        return _reboot(client, now)
    return start(client, now, client.wanted)


def release(client: Client, now: float) -> Step:
    """Give the lease back."""
    lease, stopped = client.lease, replace(client, phase=Phase.STOPPED, due=NEVER, lease=None)
    if lease is None:
        return stopped, ()
    options: dict[int, bytes] = {Option.SERVER: packed(lease.server)}
    message = message_of(
        client, now, Kind.RELEASE, options, parameters=False, own=lease.bare, flags=0
    )
    return stopped, (Send(message, lease.server, lease.server_mac, lease.bare),)


# -- sending ---------------------------------------------------------------------------------------


def _discover(client: Client, now: float) -> Step:
    """Look for servers, with pauses that double."""
    fresh = client.phase is not Phase.SELECTING
    tries = 0 if fresh else client.tries
    sent = next_transaction(client, fresh=fresh)
    sent, due = _jittered(sent, now, _FIRST_WAIT * 2**tries)
    sent = replace(
        sent, phase=Phase.SELECTING, due=due, tries=min(tries + 1, _DOUBLINGS), offer=None
    )
    options: dict[int, bytes] = (
        {Option.REQUESTED_ADDRESS: packed(client.wanted)} if client.wanted else {}
    )
    return sent, (Send(message_of(sent, now, Kind.DISCOVER, options)),)


def _request(client: Client, now: float, offer: DhcpLease) -> Step:
    """Request what was offered."""
    asked = client.asked if client.tries else now
    wait = _FIRST_WAIT * 2**client.tries
    sent, due = _jittered(client, now, wait)
    sent = replace(
        sent, phase=Phase.REQUESTING, due=due, tries=client.tries + 1, offer=offer, asked=asked
    )
    options: dict[int, bytes] = {
        Option.REQUESTED_ADDRESS: packed(offer.bare),
        Option.SERVER: packed(offer.server),
    }
    return sent, (Send(message_of(sent, now, Kind.REQUEST, options)),)


def _again(client: Client, now: float, most: int) -> Step:
    if client.tries >= most or client.offer is None:
        return _discover(client, now)
    return _request(client, now, client.offer)


def _reboot(client: Client, now: float) -> Step:
    """INIT-REBOOT: ask whether the address may be used (again)."""
    fresh = replace(next_transaction(client), phase=Phase.REBOOTING, tries=0, offer=None, asked=now)
    return _reboot_again(fresh, now)


def _reboot_again(client: Client, now: float) -> Step:
    if client.tries >= _REBOOTS or client.wanted is None:
        # RFC 2131, 3.2: without an answer the client may go on using a lease that has not ended.
        if client.lease:
            return _bound(client, now, client.lease), ()
        return _discover(client, now)
    sent, due = _jittered(client, now, _FIRST_WAIT * 2**client.tries)
    sent = replace(sent, due=_no_later(sent, due), tries=client.tries + 1)
    options: dict[int, bytes] = {Option.REQUESTED_ADDRESS: packed(client.wanted)}
    return sent, (Send(message_of(sent, now, Kind.REQUEST, options)),)


def _extend(client: Client, now: float) -> Step:
    """Renew by the server that gave the lease; from T2 on by any (RFC 2131, 4.4.5)."""
    lease = client.lease
    if lease is None:
        return _discover(client, now)
    broadcast = now >= lease.obtained + lease.rebind
    phase = Phase.REBINDING if broadcast else Phase.RENEWING
    sent = next_transaction(client, fresh=phase is not client.phase)
    end = lease.expires if broadcast else lease.obtained + lease.rebind
    least = min(_LONGEST_RENEW_WAIT, lease.seconds / 10)
    due = min(now + max((end - now) / 2, least), end)
    sent = replace(sent, phase=phase, due=due, asked=now)
    message = message_of(sent, now, Kind.REQUEST, {}, own=lease.bare)
    if broadcast:
        return sent, (Send(message, source=lease.bare),)
    return sent, (Send(message, lease.server, lease.server_mac, lease.bare),)


def _probe(client: Client, now: float) -> Step:
    """Probe, or take the address if nobody has answered (RFC 5227, 2.1)."""
    config, offer = client.config, client.offer
    if offer is None:
        return _discover(client, now)
    if client.tries >= config.probes:
        return _configure(client, now, offer)
    due = now + config.probe_seconds / config.probes
    return replace(client, due=due, tries=client.tries + 1), (Probe(offer.bare),)


# -- receiving -------------------------------------------------------------------------------------


def _is_reply_to(client: Client, message: Message) -> bool:
    """Whether it answers this client; a server that echoes the client id tells it (RFC 6842)."""
    if message.op != REPLY or message.xid != client.xid or message.mac != raw(client.mac):
        return False
    return message.options.get(Option.CLIENT_ID, client.client_id) == client.client_id


def _take_offer(client: Client, now: float, message: Message, mac: str) -> Step:
    tally = replace(client.tally, offers=client.tally.offers + 1)
    terms = read_terms(message, mac, now)
    if isinstance(terms, str):
        tally = replace(tally, refused=tally.refused + 1, said=terms)
        return replace(client, tally=tally), ()
    return _request(replace(client, tally=tally, tries=0), now, terms)


def _take_ack(client: Client, now: float, message: Message, mac: str) -> Step:
    expected = _expected(client)
    if expected is None or message.yours != expected:
        return client, ()
    # A lease counts from the request: nobody knows how long the answer took (RFC 2131, 4.4.1).
    terms = read_terms(message, mac, client.asked)
    if isinstance(terms, str):
        tally = replace(client.tally, refused=client.tally.refused + 1, said=terms)
        return replace(client, tally=tally), ()
    terms = replace(terms, client=client.words)
    if client.phase is Phase.REQUESTING and client.offer and terms.server != client.offer.server:
        return client, ()
    held = client.lease is not None and client.lease.bare == terms.bare
    if held or client.config.probes == 0:
        return _configure(client, now, terms)
    return _probe(replace(client, phase=Phase.PROBING, tries=0, offer=terms), now)


def _expected(client: Client) -> str | None:
    """The address that an ACK may have in this phase."""
    match client.phase:
        case Phase.REQUESTING:
            return client.offer.bare if client.offer else None
        case Phase.REBOOTING:
            return client.wanted
        case Phase.RENEWING | Phase.REBINDING:
            return client.lease.bare if client.lease else None
    return None


def _take_nak(client: Client, now: float, message: Message) -> Step:
    asked = {Phase.REQUESTING, Phase.REBOOTING, Phase.RENEWING, Phase.REBINDING}
    server = server_of(message)
    theirs = {Phase.REQUESTING: client.offer, Phase.RENEWING: client.lease}.get(client.phase)
    if client.phase not in asked or server is None or (theirs and theirs.server != server):
        return client, ()
    said = words_of(message)
    tally = replace(client.tally, naks=client.tally.naks + 1, said=said or client.tally.said)
    told = replace(client, tally=tally, wanted=None)
    if told.lease:
        return _end(told, now, f"server {server} refused it" + (f": {said}" if said else ""))
    if told.phase is Phase.REBOOTING:
        return _discover(told, now)
    # A server that refuses what it offers would otherwise be asked without a pause.
    return replace(told, phase=Phase.INIT, due=now + _FIRST_WAIT, offer=None), ()


# -- the lease -------------------------------------------------------------------------------------


def _configure(client: Client, now: float, terms: DhcpLease) -> Step:
    before = client.lease
    gone = (Withdraw(before, "replaced"),) if before and before.address != terms.address else ()
    return _bound(client, now, terms), (*gone, Configure(terms, before))


def _bound(client: Client, now: float, lease: DhcpLease) -> Client:
    """Bound, until T1, a little earlier or later than others."""
    drawn, part = draw(client)
    first = lease.renew * (0.95 + 0.05 * part)
    due = NEVER if lease.seconds == FOREVER else max(now, lease.obtained + first)
    return replace(
        drawn, phase=Phase.BOUND, due=due, lease=lease, offer=None, wanted=lease.bare, tries=0
    )


def _end(client: Client, now: float, why: str) -> Step:
    """Begin again without the lease."""
    lease = client.lease
    looking, sent = _discover(replace(client, phase=Phase.INIT, lease=None, began=now), now)
    return looking, (*((Withdraw(lease, why),) if lease else ()), *sent)


def _jittered(client: Client, now: float, wait: float) -> tuple[Client, float]:
    drawn, part = draw(client)
    return drawn, now + wait * (0.9 + 0.2 * part)


def _no_later(client: Client, due: float) -> float:
    return min(due, client.lease.expires) if client.lease else due
