"""Operations into rtnetlink messages, messages into values: the only user of pyroute2."""

from vlanlink.kernel.codec.decode import SeenLink, decode_address, decode_link, decode_route
from vlanlink.kernel.codec.dumps import dump_addresses, dump_links, dump_routes
from vlanlink.kernel.codec.encode import (
    Request,
    bare_link,
    encode,
    mark_loopback,
)
from vlanlink.kernel.codec.message import UnknownAttributeError, encode_message
from vlanlink.kernel.codec.read_options import decode_options
from vlanlink.kernel.codec.write_options import encode_options

__all__ = [
    "Request",
    "SeenLink",
    "UnknownAttributeError",
    "bare_link",
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
