"""Attachments on disk: a lease for each id, and a record for each that is live.

An attachment is an endpoint whose namespace somebody else owns and may end at any time. Its lease
(addresses and MAC) belongs to topology, network and id until ``detach``; its record says where the
namespace is, and is gone with it.
"""

from collections.abc import Mapping
from typing import Any

from vlanlink.dataclass import dataclass, field
from vlanlink.store import fields
from vlanlink.store.documents import VERSION, UnreadableError
from vlanlink.store.record import Place, RecordedLink

AttachmentKey = tuple[str, str]
"""(network, id)."""


@dataclass(frozen=True, slots=True)
class AttachmentLease:
    """What an id keeps over the end of its namespace."""

    interface: str
    mac: str | None = None
    """None: links of the network's kind have no MAC of their own."""
    addresses: tuple[str, ...] = ()
    """With prefix."""
    asked: tuple[str, ...] = ()
    """Those that the user wrote; none: they were chosen."""
    ended: float | None = None
    """When its namespace was found to be gone (seconds since 1970); None while it is live."""

    @property
    def bare(self) -> tuple[str, ...]:
        """The addresses without their prefix."""
        return tuple(text.partition("/")[0] for text in self.addresses)

    def to_row(self, key: AttachmentKey) -> list[Any]:
        """Plain JSON."""
        found = [self.interface, self.mac, list(self.addresses), list(self.asked), self.ended]
        return [*key, *found]


def lease_row(value: object, where: str) -> tuple[AttachmentKey, AttachmentLease]:
    """A lease of a JSON value. Raises UnreadableError."""
    network, name, interface, mac, addresses, asked, ended = fields.array(value, where, 7)
    lease = AttachmentLease(
        interface=fields.link_name(interface, where),
        mac=fields.text_or_none(mac, where),
        addresses=fields.many(fields.interface_address)(addresses, where),
        asked=fields.many(fields.text)(asked, where),
        ended=None if ended is None else fields.number(ended, where),
    )
    return (fields.text(network, where), fields.file_name(name, where)), lease


@dataclass(frozen=True, slots=True)
class AttachmentRecord:
    """Where the namespace of a live attachment is."""

    topology: str
    network: str
    id: str
    interface: str
    path: str
    """Where it was found; it may outlive the process in that path."""
    inode: int
    cookie: int
    """What ``netns.identity`` gives; inodes are used again."""
    boot: str
    """The boot (random(4), boot_id) that inode and cookie are true for."""
    link: RecordedLink | None = None
    """None while it is being made."""
    container: tuple[str, str] | None = None
    """The engine's command, and the container's name."""
    default_routes: Mapping[str, bool] = field(default_factory=dict)
    """By family ("4", "6"): False where the namespace had a default route already."""

    @property
    def key(self) -> AttachmentKey:
        """Network and id."""
        return self.network, self.id

    @property
    def place(self) -> Place:
        """Its namespace, with its link."""
        return Place(self.cookie, links={self.interface: self.link} if self.link else {})

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        link = self.link
        return {
            "version": VERSION,
            "topology": self.topology,
            "network": self.network,
            "id": self.id,
            "interface": self.interface,
            "path": self.path,
            "inode": self.inode,
            "cookie": self.cookie,
            "boot": self.boot,
            "link": [link.index, link.kind, link.mac] if link else None,
            "container": list(self.container) if self.container else None,
            "default_routes": dict(self.default_routes),
        }

    @classmethod
    def from_dict(cls, data: object) -> "AttachmentRecord":
        """The record of a JSON value. Raises UnreadableError."""
        table = fields.document(data, VERSION)
        record = cls(
            topology=table.take("topology", fields.topology_name),
            network=table.take("network", fields.text),
            id=table.take("id", fields.file_name),
            interface=table.take("interface", fields.link_name),
            path=table.take("path", fields.full_path),
            inode=table.take("inode", fields.whole),
            cookie=table.take("cookie", fields.whole),
            boot=table.take("boot", fields.text),
            link=table.take("link", _link),
            container=table.take("container", _container),
            default_routes=table.take("default_routes", fields.mapping(fields.text, fields.flag)),
        )
        table.close()
        return record


def _link(value: object, where: str) -> RecordedLink | None:
    if value is None:
        return None
    index, kind, mac = fields.array(value, where, 3)
    return RecordedLink(
        fields.whole(index, where), fields.text(kind, where), fields.text_or_none(mac, where)
    )


def _container(value: object, where: str) -> tuple[str, str] | None:
    if value is None:
        return None
    engine, name = fields.array(value, where, 2)
    if engine not in ("podman", "docker"):
        raise UnreadableError(f"{where} has an unknown engine")
    return str(engine), fields.text(name, where)
