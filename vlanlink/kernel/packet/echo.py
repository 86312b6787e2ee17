"""What is asked of the network, and what came of it: values without a kernel."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class EchoRequest:
    """Whether ``address`` answers a namespace, by one of its links and from one of its addresses.

    Without ``index`` and ``source`` the namespace's routes choose.
    """

    namespace: str
    index: int | None
    source: str | None
    address: str


class FailureReason(StrEnum):
    """Why no answer came, as far as was measured."""

    NONE = ""
    NO_ROUTE = "no route"
    NOT_SENT = "not sent"
    NO_NEIGHBOUR = "no neighbour answers"
    NO_ECHO = "the neighbour is there, no echo comes back"
    REJECTED = "rejected on the way"
    UNKNOWN = "no echo comes back"


@dataclass(frozen=True, slots=True)
class EchoReply:
    """What was measured."""

    reached: bool
    neighbour: str | None = None
    """The MAC address that the namespace has for the address, or for the gateway to it."""
    why: FailureReason = FailureReason.NONE
    detail: str = ""
