"""veth pairs (drivers/net/veth.c): both ends are created, and go, together."""

from vlanlink.kinds.kind import ETHERNET_MTU, Kind

VETH = Kind(name="veth", module="veth", default_mtu=ETHERNET_MTU, has_peer=True)
