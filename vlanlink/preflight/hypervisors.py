"""Virtual NICs that drop frames of foreign MACs, and the setting that allows them.

Recognized by driver where the driver is specific, else by the firmware's vendor name.
"""

from typing import Final

from vlanlink.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Filter:
    """A NIC that may drop foreign MACs, and the setting that lets them pass."""

    name: str
    command: str


_ESXI: Final = Filter(
    "NIC of VMware",
    "port group: accept forged transmits and promiscuous mode",
)
_HYPER_V: Final = Filter(
    "NIC of Hyper-V", "Set-VMNetworkAdapter -VMName NAME -MacAddressSpoofing On"
)
_CLOUD: Final = 'kind = "ipvlan", mode = "l3", and a route of the cloud to its subnet'

_BY_DRIVER: Final = {
    "hv_netvsc": _HYPER_V,
    "vmxnet3": _ESXI,
    "ena": Filter("NIC of Amazon EC2", _CLOUD),
    "gve": Filter("NIC of Google Cloud", _CLOUD),
    "mana": Filter("NIC of Azure", _CLOUD),
}

_BY_VENDOR: Final = {
    "VMware": _ESXI,
    "innotek": Filter(
        "NIC of VirtualBox", "VBoxManage modifyvm NAME --nicpromiscN allow-all (N: the adapter)"
    ),
    "Amazon": Filter("NIC of Amazon EC2", _CLOUD),
    "Google": Filter("NIC of Google Cloud", _CLOUD),
    "Alibaba": Filter("NIC of Alibaba Cloud", _CLOUD),
    "DigitalOcean": Filter("NIC of DigitalOcean", _CLOUD),
    "Hetzner": Filter("NIC of Hetzner Cloud", _CLOUD),
    "OpenStack": Filter(
        "NIC of OpenStack",
        "openstack port set --allowed-address ip-address=IP,mac-address=MAC PORT",
    ),
}
_VIRTUAL_DRIVERS: Final = ("virtio_net", "e1000", "e1000e", "pcnet32", "vif", "xen-netfront")

_VIRTUAL_FUNCTION: Final = Filter(
    "virtual function of another NIC",
    "on the host of the NIC: ip link set PF vf N trust on spoofchk off",
)


def filter_of(driver: str, vendor: str, *, virtual_function: bool) -> Filter | None:
    """What may filter a NIC's MACs; None if nothing is known to."""
    if driver in _BY_DRIVER:
        return _BY_DRIVER[driver]
    if virtual_function:
        return _VIRTUAL_FUNCTION
    if driver in _VIRTUAL_DRIVERS:
        return next((one for name, one in _BY_VENDOR.items() if name in vendor), None)
    return None
