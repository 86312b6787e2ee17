"""Links of a topology that somebody has moved into a namespace that is not the topology's.

What is in there is somebody else's business: it is named, and left alone. A mark or a MAC tells
such a link; without them its ifindex does, which a move keeps where it is free. The ifindexes of
vlanlink are beyond those that the kernel gives, so others' links don't have them by chance. All
three can be changed by who moved it, but for its kind and its parent: links that have only these in
common with a missing one are counted.
"""

from collections.abc import Iterator, Sequence

from vlanlink.dataclass import dataclass
from vlanlink.errors import Diagnostic, printable, shell_word
from vlanlink.kinds import KINDS
from vlanlink.model import HOST, Link, LinkName, Stray
from vlanlink.planning.ifindex import FIRST_INDEX
from vlanlink.reconcile.attached import is_lease_of
from vlanlink.reconcile.observation import Observation
from vlanlink.store.record import RecordedLink

_NAMED = 3
"""Of the namespaces that are counted, those that are named."""


@dataclass(frozen=True, slots=True)
class _Missing:
    """A link of the record that is gone from its namespace."""

    key: LinkName
    link: RecordedLink
    alone: bool
    """Its namespace is still there."""

    def is_certainly(self, other: Link) -> bool:
        """By the MAC that it was made with, if it has one of its own, and not its parent's."""
        own = other.kind in KINDS and KINDS[other.kind].mac(other.settings) == "derived"
        return own and self.link.mac is not None and self.link.mac == other.settings.get("mac")

    def is_probably(self, other: Link) -> bool:
        """By the ifindex that it was made with."""
        return other.index == self.link.index >= FIRST_INDEX


def moved_away(seen: Observation, *, doubtful: bool = False) -> tuple[Diagnostic, ...]:
    """A warning for each, with the command that removes it.

    With ``doubtful``, also one for each link that may have been moved and changed since, and for
    those of attachments whose record is lost.
    """
    found = {_where(one): one for one in _strays(seen, attached=doubtful)}
    probable: dict[tuple[str, str], Diagnostic] = {}
    rest: list[Diagnostic] = []
    others = list(_foreign(seen)) if seen.everywhere and not seen.narrowed else []
    for missing in _missing(seen) if others or doubtful else ():
        alike = [one for one in others if one.kind == missing.link.kind]
        for link in alike:
            if missing.is_certainly(link):
                found |= {_where(stray): stray for stray in [_stray(seen, link)]}
            elif missing.is_probably(link):
                stray = _stray(seen, link)
                probable[_where(stray)] = _probable(missing, stray, link)
        told = any(missing.is_certainly(one) or missing.is_probably(one) for one in alike)
        if doubtful and alike and missing.alone and not told:
            rest.append(_doubtful(seen, missing, alike))
    certain = [_certain(found[where]) for where in sorted(found)]
    return (*certain, *(probable[one] for one in sorted(probable.keys() - found.keys())), *rest)


def _strays(seen: Observation, *, attached: bool) -> Iterator[Stray]:
    """The links with the topology's mark; without ``attached``, not those of attachments."""
    leases = [seen.leases.attachments[key] for key in (() if attached else seen.context.lost)]
    for one in seen.observed.strays:
        if one.owner == seen.topology.name and not any(is_lease_of(lease, one) for lease in leases):
            yield one


def _missing(seen: Observation) -> Iterator[_Missing]:
    own = seen.records.own
    for name, place in own.places.items() if own else ():
        space = seen.observed.namespaces.get(name)
        alone = space is not None and space.identity == place.identity
        there = {(one.index, one.kind) for one in space.links.values()} if space and alone else ()
        for link_name, link in place.links.items():
            if (link.index, link.kind) not in there:
                yield _Missing(LinkName(name, link_name), link, alone)


def _foreign(seen: Observation) -> Iterator[Link]:
    """Nobody's links, in namespaces that are not the topology's, on parents that it uses."""
    own = seen.records.own
    parents, places = (own.parents.keys(), own.places.keys()) if own else ((), ())
    here = seen.observed.host.links
    ours = {name for name, link in here.items() if link.owner or name in parents}
    for name, space in seen.observed.namespaces.items():
        for link in space.links.values() if name not in (HOST, *places) else ():
            below = link.parent
            if link.owner is None and below and below.namespace == HOST and below.name in ours:
                yield link


def _stray(seen: Observation, link: Link) -> Stray:
    space = seen.observed.namespaces[link.namespace]
    return Stray(seen.topology.name, _holder(seen, link), space.path or "", link.name)


def _where(stray: Stray) -> tuple[str, str]:
    return stray.holder, stray.link


def _holder(seen: Observation, link: Link) -> str:
    named = not seen.observed.namespaces[link.namespace].stranger
    return f"namespace {printable(link.namespace)}" if named else link.namespace


def _place(holder: str) -> str:
    return holder if holder.startswith("namespace ") else f"a namespace without a name ({holder})"


def _certain(stray: Stray) -> Diagnostic:
    message = f"{printable(stray.link)} stays: it was moved into {_place(stray.holder)}"
    return Diagnostic(message, hint=f"{_removal(stray)} removes it", severity="warning")


def _probable(missing: _Missing, stray: Stray, link: Link) -> Diagnostic:
    message = (
        f"{missing.key} was probably moved into {_place(stray.holder)}: "
        f"{link.kind} {printable(link.name)} there has its ifindex and its parent {link.parent}"
    )
    return Diagnostic(message, hint=f"{_removal(stray)} removes it", severity="warning")


def _doubtful(seen: Observation, missing: _Missing, alike: Sequence[Link]) -> Diagnostic:
    """The count of links that it could be, and where they are; they may well be others'."""
    places = list(dict.fromkeys(_place(_holder(seen, link)) for link in alike))
    more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
    links = f"{len(alike)} {missing.link.kind} link{'s' * (len(alike) > 1)}"
    message = (
        f"{missing.key} is gone: deleted, or moved and changed since; its parent "
        f"has {links} of others, in {', '.join(places[:_NAMED])}{more}"
    )
    path = seen.observed.namespaces[alike[0].namespace].path or ""
    hint = f"nsenter --net={shell_word(path)} ip -d address shows what is in there"
    return Diagnostic(message, hint=hint, severity="warning")


def _removal(stray: Stray) -> str:
    inside = f"nsenter --net={shell_word(stray.path)} ip link delete dev"
    return f"{inside} {shell_word(stray.link)}"
