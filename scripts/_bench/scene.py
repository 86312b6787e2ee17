"""What is built: namespaces, each with a macvlan of one parent, addresses, a route; or VLANs."""

from __future__ import annotations

import ipaddress
import json
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlanlink.kernel import syscalls

PARENT = "p0"
NETNS = Path("/run/netns")
_SUBNETS = {4: ipaddress.ip_network("10.64.0.0/16"), 6: ipaddress.ip_network("fd00:64::/64")}
_GATEWAYS = {family: subnet[-2] for family, subnet in _SUBNETS.items()}
_SETTLE_SECONDS = 120


@dataclass(frozen=True)
class Scene:
    """``size`` endpoints with an address of each of ``families``."""

    size: int
    families: tuple[int, ...] = (4,)

    def __str__(self) -> str:
        """For headings."""
        return f"{self.size} endpoints" + (", IPv6 too" if 6 in self.families else "")

    @property
    def names(self) -> list[str]:
        """The namespaces."""
        return [f"n{number}" for number in range(1, self.size + 1)]

    def addresses(self, name: str) -> list[str]:
        """Those of one endpoint, with prefix."""
        number = int(name[1:])
        subnets = [_SUBNETS[family] for family in self.families]
        return [f"{subnet[number]}/{subnet.prefixlen}" for subnet in subnets]

    def gateways(self) -> list[str]:
        """The default routes of every endpoint."""
        return [str(_GATEWAYS[family]) for family in self.families]

    def everywhere(self) -> list[str]:
        """What the default routes lead to."""
        return ["::/0" if family == 6 else "0.0.0.0/0" for family in self.families]

    def topology(self) -> str:
        """The scene as a topology file."""
        subnets = ", ".join(
            f'{{ subnet = "{_SUBNETS[f]}", gateway = "{_GATEWAYS[f]}" }}' for f in self.families
        )
        lines = [
            "[networks.lan]",
            'kind = "macvlan"',
            f'parent = "{PARENT}"',
            "probe = false",
            f"subnets = [{subnets}]",
        ]
        for name in self.names:
            listed = ", ".join(f'"{text.partition("/")[0]}"' for text in self.addresses(name))
            lines += [
                f"[namespaces.{name}.interfaces.eth0]",
                'network = "lan"',
                f"addresses = [{listed}]",
            ]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Vlans:
    """``size`` VLAN links on one parent, from 1 on, which are up."""

    size: int

    def __str__(self) -> str:
        """For headings."""
        return f"{self.size} VLANs"

    @property
    def names(self) -> list[str]:
        """The links."""
        return [f"{PARENT}.{number}" for number in range(1, self.size + 1)]

    def topology(self) -> str:
        """The scene as a topology file."""
        return "".join(
            f'[links."{name}"]\nkind = "vlan"\nparent = "{PARENT}"\nid = {number}\n'
            for number, name in enumerate(self.names, 1)
        )


def make_parent() -> None:
    """A link that is up, without IPv6 of its own; at its other end a LAN with the gateways."""
    gateways = " && ".join(
        f"ip addr add {_GATEWAYS[family]}/{subnet.prefixlen} dev q0"
        for family, subnet in _SUBNETS.items()
    )
    lan = f"""
        unshare -n sleep infinity & lan=$!
        until [ "$(readlink /proc/$lan/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do :; done
        ip link add {PARENT} type veth peer name q0 netns $lan &&
        echo 1 >/proc/sys/net/ipv6/conf/{PARENT}/disable_ipv6 &&
        nsenter --net=/proc/$lan/ns/net sh -c 'ip link set q0 up && {gateways}' &&
        ip link set {PARENT} up
        """
    subprocess.run(["sh", "-c", lan], check=True)


def clear() -> None:
    """Take away whatever a contender left."""
    for path in NETNS.glob("*"):
        syscalls.unmount(str(path))
        path.unlink()
    for group in {link["group"] for link in vlans()} - {"default"}:
        subprocess.run(["ip", "link", "del", "group", group], check=True)
    for directory in ("/run/vlanlink", "/var/lib/vlanlink"):
        shutil.rmtree(directory, ignore_errors=True)
    settle()


def vlans() -> list[dict[str, Any]]:
    """The VLAN links that are there, by `ip`'s account."""
    command = ["ip", "-j", "-d", "link", "show", "type", "vlan"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [link for link in json.loads(said or "[]") if link]


def settle() -> None:
    """Wait until the kernel has cleaned up after the namespaces that are gone.

    It does that in the background, one batch after the other: when a link of a namespace that
    went later is gone, what went before it is past its links; when a second one is, it is done.
    """
    for _ in range(2):
        add = "ip netns add settle && ip link add settle0 type veth peer name s1 netns settle"
        subprocess.run(["sh", "-c", f"{add} && ip netns del settle"], check=True)
        deadline = time.monotonic() + _SETTLE_SECONDS
        while _is_there("settle0"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"namespaces are not cleaned up within {_SETTLE_SECONDS} s")
            time.sleep(0.01)


def _is_there(link: str) -> bool:
    found = subprocess.run(["ip", "link", "show", link], capture_output=True, check=False)
    return found.returncode == 0
