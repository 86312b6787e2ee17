"""An attachment as users see it."""

from collections.abc import Mapping
from typing import Any

from vlanlink.dataclass import dataclass, field, replace
from vlanlink.host import Host
from vlanlink.model import HOST, Link, LinkName, State
from vlanlink.store.attached import AttachmentKey, AttachmentLease

_ANYWHERE = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True, slots=True)
class Attachment:
    """An endpoint in a namespace of somebody else's."""

    topology: str
    network: str
    id: str
    interface: str
    mac: str | None
    addresses: tuple[str, ...]
    """With prefix."""
    gateways: tuple[str, ...] = ()
    """Of its default routes."""
    routes: tuple[Mapping[str, Any], ...] = ()
    dns: tuple[str, ...] = ()
    """The name servers that its DHCP server names; its resolv.conf is the container's affair."""
    live: bool = True
    """False once its namespace is gone: the id keeps addresses and MAC."""
    host: Host | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        """``office/pub c1``."""
        return f"{self.topology}/{self.network} {self.id}"

    def detach(self) -> None:
        """Remove the link, if its namespace is there, and give addresses and MAC back."""
        from vlanlink.attachment.detach import detach

        detach(f"{self.topology}/{self.network}", self.id, self.host)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; ``namespace`` is the id."""
        return {
            "topology": self.topology,
            "network": self.network,
            "id": self.id,
            "namespace": self.id,
            "interface": self.interface,
            "mac": self.mac,
            "addresses": list(self.addresses),
            "gateways": list(self.gateways),
            "routes": [dict(route) for route in self.routes],
            "dns": list(self.dns),
            "live": self.live,
        }


def described(
    topology: str,
    key: AttachmentKey,
    lease: AttachmentLease,
    state: State | None,
    host: Host,
    dns: tuple[str, ...] = (),
) -> Attachment:
    """An attachment, its link as observed in ``state``; None: its namespace is gone."""
    network, name = key
    link = state.link(LinkName(name, lease.interface)) if state else None
    found = Attachment(
        topology, network, name, lease.interface, lease.mac, lease.addresses, live=False, host=host
    )
    if link is None or state is None:
        return found
    return replace(_observed(found, link, state), dns=dns)


def _observed(found: Attachment, link: Link, state: State) -> Attachment:
    routes = [r for r in state.namespaces[link.namespace].routes if r.dev == link.name]
    mac = link.settings.get("mac")
    return replace(
        found,
        mac=str(mac) if mac else None,
        addresses=tuple(a.text for a in link.addresses if not a.link_local),
        gateways=tuple(sorted(str(r.via) for r in routes if r.to in _ANYWHERE and r.via)),
        routes=tuple(
            {"to": r.to, "via": r.via} for r in sorted(routes, key=lambda r: (r.to, r.via or ""))
        ),
        live=link.namespace != HOST,
    )
