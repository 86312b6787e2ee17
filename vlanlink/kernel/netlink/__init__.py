"""Operations into rtnetlink messages and messages into values, by the kinds' tables.

pyroute2 is the oracle in the tests, and not imported here.
"""

from vlanlink.kernel.netlink.decode import (
    SeenLink,
    decode_address,
    decode_link,
    decode_number,
    decode_route,
    decode_token,
    decode_unicast,
    readable,
)
from vlanlink.kernel.netlink.dumps import (
    dump_addresses,
    dump_forwarding,
    dump_links,
    dump_routes,
    dump_tokens,
)

__all__ = [
    "SeenLink",
    "decode_address",
    "decode_link",
    "decode_number",
    "decode_route",
    "decode_token",
    "decode_unicast",
    "dump_addresses",
    "dump_forwarding",
    "dump_links",
    "dump_routes",
    "dump_tokens",
    "readable",
]
