"""The files of the tests of edits: one network of macvlans, and endpoints on it."""

from pathlib import Path

import vlanlink

NETWORK = """
[networks.{network}]
kind = "macvlan"
parent = "{parent}"
probe = false
subnets = [{{ subnet = "10.77.0.0/24"{more} }}]
"""


def load(text: str, name: str = "edited") -> vlanlink.Topology:
    Path(f"/run/{name}.toml").write_text(text)
    return vlanlink.load(f"/run/{name}.toml")


def network(more: str = "", *, name: str = "n", parent: str = "eth0") -> str:
    return NETWORK.format(network=name, parent=parent, more=f", {more}" if more else "")


def endpoint(space: str, more: str = "", *, of: str = "n", head: str = "") -> str:
    head = f"[namespaces.{space}]\n{head}\n" if head else ""
    return f'{head}[namespaces.{space}.interfaces.eth0]\nnetwork = "{of}"\n{more}\n'
