"""DHCP for endpoints (RFC 2131): messages, the client as a pure machine, and its sockets."""
