"""Operations into rtnetlink messages, messages into values: the only user of pyroute2.

What reads is here. What writes is in ``netlink.encode``, which loads pyroute2: a look at a machine
does without.
"""

from vlanlink.kernel.netlink.decode import (
    SeenLink,
    decode_address,
    decode_link,
    decode_number,
    decode_route,
    readable,
)
from vlanlink.kernel.netlink.dumps import dump_addresses, dump_links, dump_routes

__all__ = [
    "SeenLink",
    "decode_address",
    "decode_link",
    "decode_number",
    "decode_route",
    "dump_addresses",
    "dump_links",
    "dump_routes",
    "readable",
]
