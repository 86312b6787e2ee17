"""The one door to the machine: netlink, namespaces, sysctls. Only here is pyroute2 imported."""

from vlanlink.kernel.machine import Machine

__all__ = ["Machine"]
