"""veth pairs (drivers/net/veth.c): made, and gone, together."""

from vlanlink.kinds.kind import Kind

VETH = Kind(name="veth", module="veth", has_peer=True)
