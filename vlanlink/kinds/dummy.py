"""dummy links (drivers/net/dummy.c): parents without a wire."""

from vlanlink.kinds.kind import ETHERNET_MTU, Kind

DUMMY = Kind(name="dummy", module="dummy", multicast=False, default_mtu=ETHERNET_MTU, isolated=True)
