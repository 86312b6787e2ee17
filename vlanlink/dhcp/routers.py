"""When to ask routers, and when to tell what they say of DNS. Pure, time goes in."""

from collections.abc import Iterator, Mapping
from typing import Final

from vlanlink.dataclass import dataclass, replace
from vlanlink.dhcp.advertisements import learn, read_options
from vlanlink.model import LinkName
from vlanlink.store.advertised import Advertised

MOST_ASKED: Final = 3
ASK_SECONDS: Final = 4.0
"""MAX_RTR_SOLICITATIONS and RTR_SOLICITATION_INTERVAL (RFC 4861, 10)."""
TELL_SECONDS: Final = 5.0
"""The shortest time between two reports, whatever is advertised."""


@dataclass(frozen=True, slots=True)
class News:
    """What is known of a link, and whether other names are known than were told before."""

    link: LinkName
    known: Advertised
    changed: bool


@dataclass(frozen=True, slots=True)
class _Link:
    known: Advertised
    told: Advertised
    told_at: float = float("-inf")
    ask_at: float = 0.0
    asked: int = 0

    def tell_at(self, now: float) -> float:
        """When to tell: other names at once, later ends before those that were told come close."""
        known = self.known.at(now)
        told, ends = self.told.ends, known.ends
        if known.names != self.told.names:
            return max(now, self.told_at + TELL_SECONDS)
        soon = (min(2 * told[name] - until, until) for name, until in ends.items())
        return max(min(soon, default=float("inf")), self.told_at + TELL_SECONDS)


class Routers:
    """The routers of some links."""

    def __init__(self, known: Mapping[LinkName, Advertised], now: float) -> None:
        """``known``: what was told before, by link."""
        self._links = {key: _Link(one, one, ask_at=now) for key, one in known.items()}

    def hear(self, key: LinkName, options: bytes, now: float) -> None:
        """Take options of an advertisement."""
        for option in read_options(options) if key in self._links else ():
            one = self._links[key]
            known = learn(one.known, option, now)
            self._links[key] = replace(one, known=known, ask_at=float("inf"))

    def drop(self, key: LinkName) -> None:
        """Forget a link."""
        self._links.pop(key, None)

    def due(self, now: float) -> float:
        """When there is something to do."""
        times = (min(one.ask_at, one.tell_at(now)) for one in self._links.values())
        return min(times, default=float("inf"))

    def to_ask(self, now: float) -> list[LinkName]:
        """The links to send a solicitation on."""
        found = [key for key, one in self._links.items() if one.ask_at <= now]
        for key in found:
            asked = self._links[key].asked + 1
            ask_at = now + ASK_SECONDS if asked < MOST_ASKED else float("inf")
            self._links[key] = replace(self._links[key], asked=asked, ask_at=ask_at)
        return found

    def to_tell(self, now: float) -> Iterator[News]:
        """What is to be told."""
        for key, one in list(self._links.items()):
            if one.tell_at(now) <= now:
                known = one.known.at(now)
                self._links[key] = replace(one, known=known, told=known, told_at=now)
                yield News(key, known, known.names != one.told.names)
