"""The one door to the machine: netlink, namespaces, sysctls. Only here is pyroute2 imported.

The door itself is ``machine.Machine``. Nothing is imported with the package: the command line needs
a small part of it before it knows what to do.
"""
