"""A pair of units for the lab: a socket, and the service that it starts, which answers hello."""

SOCKET = """\
[Socket]
ListenStream=80

[Install]
WantedBy=sockets.target
"""

SERVICE = """\
[Service]
ExecStart=/usr/bin/python3 -c "import socket; s = socket.socket(fileno=3); c, _ = s.accept(); \
c.sendall(b'HTTP/1.0 200 OK\\\\r\\\\n\\\\r\\\\nhello\\\\n'); c.close()"
"""
