"""Links of a topology that somebody has moved into a namespace without a name.

What is in there is somebody else's business: it is named, and left alone.
"""

from collections.abc import Iterator

from vlanlink.errors import Diagnostic, printable, shell_word
from vlanlink.model import HOST, LinkName, State, Stray
from vlanlink.reconcile.session import Observation
from vlanlink.store.record import Record


def moved_away(seen: Observation) -> Iterator[Diagnostic]:
    """A warning for each, with the command that removes it."""
    own = seen.records.own
    found = {s for s in seen.observed.strays if s.owner == seen.topology.name}
    found |= set(_without_mark(own, seen.observed)) if own else set()
    for stray in sorted(found, key=lambda stray: (stray.holder, stray.link)):
        link = printable(stray.link)
        message = f"{link} stays: it was moved into a namespace without a name ({stray.holder})"
        command = f"nsenter --net={shell_word(stray.path)} ip link delete dev"
        hint = f"{command} {shell_word(stray.link)} removes it"
        yield Diagnostic(message, hint=hint, severity="warning")


def _without_mark(own: Record, observed: State) -> Iterator[Stray]:
    """Those whose mark is gone too: the record knows their MACs."""
    missing = {
        (link.kind, link.mac)
        for space, place in own.places.items()
        for name, link in place.links.items()
        if link.mac and observed.link(LinkName(space, name)) is None
    }
    for namespace in observed.namespaces.values() if missing else ():
        for link in namespace.links.values() if namespace.stranger else ():
            on_host = link.parent is not None and link.parent.namespace == HOST
            if on_host and (link.kind, link.settings.get("mac")) in missing:
                yield Stray(own.topology, namespace.name, namespace.path or "", link.name)
