"""The only access to the machine: netlink, namespaces, sysctls.

Its interface is ``machine.Machine``. The package imports nothing by itself: the command line needs
a small part of it before it knows what to do.
"""
