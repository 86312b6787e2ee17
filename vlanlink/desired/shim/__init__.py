"""The shim: a link of the host's own on its endpoints' parent, and the routes through it. Pure."""
