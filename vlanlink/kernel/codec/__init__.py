"""Operations into rtnetlink messages, messages into values: the only user of pyroute2's classes."""

from vlanlink.kernel.codec.decode import SeenLink, decode_address, decode_link, decode_route
from vlanlink.kernel.codec.encode import (
    Request,
    dump_addresses,
    dump_links,
    dump_routes,
    encode,
    mark_loopback,
)
from vlanlink.kernel.codec.message import UnknownAttributeError, encode_message
from vlanlink.kernel.codec.options import decode_options, encode_options

__all__ = [
    "Request",
    "SeenLink",
    "UnknownAttributeError",
    "decode_address",
    "decode_link",
    "decode_options",
    "decode_route",
    "dump_addresses",
    "dump_links",
    "dump_routes",
    "encode",
    "encode_message",
    "encode_options",
    "mark_loopback",
]
