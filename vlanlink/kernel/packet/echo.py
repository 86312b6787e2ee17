"""Echo requests and their results, as values."""

from enum import StrEnum

from vlanlink.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class EchoRequest:
    """An echo request from a namespace, over one of its links and from one of its addresses.

    Without ``index`` and ``source`` the namespace's routes decide.
    """

    namespace: str
    index: int | None
    source: str | None
    address: str


class FailureReason(StrEnum):
    """Why no reply came, as far as measured."""

    NONE = ""
    NO_ROUTE = "no route"
    NOT_SENT = "not sent"
    NO_NEIGHBOUR = "no neighbour answers"
    NO_ECHO = "the neighbour is there, no echo comes back"
    REJECTED = "rejected on the way"
    UNKNOWN = "no echo comes back"


@dataclass(frozen=True, slots=True)
class EchoReply:
    """The result of an echo request."""

    reached: bool
    neighbour: str | None = None
    """The MAC in the namespace's neighbour table for the address or its gateway."""
    why: FailureReason = FailureReason.NONE
    detail: str = ""
