"""dummy links (drivers/net/dummy.c): a parent without a wire."""

from vlanlink.kinds.kind import Kind

DUMMY = Kind(name="dummy", module="dummy", leads_nowhere=True)
