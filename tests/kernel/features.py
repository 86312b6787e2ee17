"""What the kernel under test can do, found out by doing it."""

import os
import subprocess
from collections.abc import Iterable
from functools import cache

_PAIR = "ip link add name p type veth peer name q"
_TRIALS = {
    "macvlan": f"{_PAIR} && ip link add link p name m type macvlan mode bridge",
    "vlan": f"{_PAIR} && ip link add link p name v type vlan id 5",
    "ipvlan": f"{_PAIR} && ip link add link p name i type ipvlan mode l3s",
    "dummy": "ip link add name d0 type dummy",
    "veth": _PAIR,
    "bridge": "ip link add name br0 type bridge",
    "trunk": "ip link add name br0 type bridge vlan_filtering 1 "
    ""
    f"&& {_PAIR} && ip link set p master br0 && bridge vlan add dev p vid 5",
    "vrf": "ip link add name v0 type vrf table 5",
    # a port that lets in what is in its table only (5.18; before it is passed over)
    "locked": f"ip link add name br0 type bridge && {_PAIR} && ip link set p master br0 "
    "&& bridge link set dev p learning off locked on "
    """&& bridge -d -j link show dev p | grep -q '"locked":true'""",
    # where a test may do what no machine of people's should suffer
    "guest": '[ "$(uname -n)" = vlanlink-vm ]',
    # two NICs on one wire, with hardware below them
    "nics": '[ "$(uname -n)" = vlanlink-vm ] && modprobe virtio_net '
    "&& nsenter -t 1 -n ip link | grep -q 52:54:00:76:6c:02",
    "nat": "nft 'add table ip t; add chain ip t c { type nat hook postrouting priority 100; }; "
    "add rule ip t c masquerade'",
    "iptables": "iptables-legacy -nL && ip6tables-legacy -nL && iptables-nft -nL && "
    "ip6tables-nft -nL",
    # a hook that sees forwarded and local traffic
    "nftables": "nft 'add table inet t; add chain inet t c { type filter hook forward "
    "priority 0; }; add rule inet t c counter'",
}


def missing(features: Iterable[str]) -> list[str]:
    """Those of ``features`` that are not there."""
    wanted = {"root", "bridge", "veth", *features}
    return sorted(feature for feature in wanted if not _has(feature))


@cache
def _has(feature: str) -> bool:
    if os.geteuid() != 0:
        return False
    if feature == "root":
        return True
    trial = ["unshare", "-n", "sh", "-c", _TRIALS[feature]]
    return subprocess.run(trial, capture_output=True, check=False).returncode == 0
