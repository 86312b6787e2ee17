"""The shim: a link of the host's own beside its endpoints, and the routes by way of it. Pure."""
