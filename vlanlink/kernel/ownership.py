"""Whose a link or a namespace is: by its mark on the host, by the records inside namespaces."""

from collections.abc import Iterable

from vlanlink.kernel.marks import Marks
from vlanlink.kernel.netlink import SeenLink
from vlanlink.kernel.netns.namespaces import Namespaces
from vlanlink.model import HOST, LOOPBACK_KIND
from vlanlink.planning.operations import MakeLink, MakeNamespace, Operation, SetLink
from vlanlink.store.evidence import Evidence


class Ownership:
    """Judges marks by the evidence of the records, and by what was made since they were read."""

    def __init__(self, marks: Marks, namespaces: Namespaces) -> None:
        """Nothing was made yet."""
        self._marks = marks
        self._namespaces = namespaces
        self._links: dict[tuple[str, int], tuple[str, str]] = {}
        """By namespace and ifindex: owner and kind."""
        self._makers: dict[int, str] = {}
        """By identity of the namespace."""

    def owner(
        self,
        seen: SeenLink,
        namespace: tuple[str, int],
        evidence: Evidence,
        known: Iterable[str],
    ) -> tuple[str | None, bool]:
        """The owner of a link, and whether its mark says so.

        ``namespace``: name and identity; ``known``: candidates for marks without an alias.
        """
        marked, labelled = self._marks.owner(seen.group, seen.alias, known)
        name, identity = namespace
        if name == HOST:
            return marked, labelled
        if seen.kind == LOOPBACK_KIND:
            found = self._makers.get(identity) or evidence.maker(identity, marked)
        else:
            found = self._inside(seen, namespace, evidence, marked)
        return found, labelled and found == marked

    def _inside(
        self,
        seen: SeenLink,
        namespace: tuple[str, int],
        evidence: Evidence,
        marked: str | None,
    ) -> str | None:
        name, identity = namespace
        owner, kind = self._links.get((name, seen.index), (None, ""))
        if kind == seen.kind:
            return owner
        mac = seen.settings.get("mac")
        return evidence.owner(identity, seen.index, seen.kind, mac, marked)

    def note(self, operations: Iterable[Operation]) -> None:
        """Note what operations make, and whom they mark things for."""
        for one in operations:
            match one:
                case MakeNamespace():
                    self._makers[self._namespaces.identity(one.namespace)] = one.owner
                case MakeLink(link=link, peer=peer):
                    for end in (link, *([peer] if peer else [])):
                        self._links[end.namespace, end.index] = (end.owner or "", end.kind)
                case SetLink(owner=str(owner), kind="loopback"):
                    self._makers[self._namespaces.identity(one.namespace)] = owner
                case SetLink(owner=str(owner)):
                    self._links[one.namespace, one.index] = (owner, one.kind)
