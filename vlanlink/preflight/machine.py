"""Findings about the machine, whatever the topology."""

from collections.abc import Iterator

from vlanlink.desired.links import derived_mac
from vlanlink.kernel.facts import MachineFacts, Manager
from vlanlink.kinds import KINDS
from vlanlink.preflight.report import Finding
from vlanlink.preflight.topology import TopologyNeeds

OLDEST_KERNEL = (5, 10)
MARKED_ADDRESSES = (5, 18)


def kernel(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """A kernel that is too old, or can't mark addresses."""
    del needs
    running = _version(facts.kernel)
    if facts.kernel < OLDEST_KERNEL:
        yield Finding(
            "kernel-old",
            "warning",
            f"the kernel is Linux {running}",
            f"vlanlink is tested on {_version(OLDEST_KERNEL)} and later",
        )
    elif facts.kernel < MARKED_ADDRESSES:
        yield Finding(
            "kernel-no-address-marks",
            "note",
            f"Linux {running} can't mark addresses (IFA_PROTO is new in 5.18)",
            "vlanlink deletes addresses that somebody else adds to its links",
        )


def privilege(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """Not root, or root without its capabilities."""
    del needs
    missing = " and ".join(facts.missing_capabilities)
    if missing and facts.root:
        yield Finding(
            "privilege-missing",
            "failure",
            f"root lacks {missing} here",
            "the network can't be changed: this is a container, or a service with few capabilities",
            "run vlanlink outside, or add them (AmbientCapabilities=, --cap-add)",
        )
    elif missing:
        yield Finding(
            "privilege-user",
            "note",
            f"this user lacks {missing}",
            "doctor can't inspect other network namespaces; up and down need root",
            "sudo vlanlink doctor",
        )


def kinds(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """Link kinds that this kernel lacks."""
    needed = {link.kind for link in needs.wanted.values()} if needs else set(KINDS)
    for name in sorted(needed & KINDS.keys()):
        if facts.kinds.get(name) == "missing":
            module = KINDS[name].module
            yield Finding(
                "kind-missing",
                "failure" if needs else "warning",
                f"this kernel has no {name} links: module {module} is missing",
                f"up can't create {name} links",
                f"modprobe {module} (or install the full kernel)",
            )


def identity(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """A machine-id that is not unique."""
    text = facts.identity.replace("-", "")
    if text and text != "uninitialized" and len(set(text)) > 1:
        return
    derives = not needs or any(
        link.settings.get("mac") == derived_mac(facts.identity, needs.topology.name, *link.key)
        for link in needs.wanted.values()
    )
    if derives:
        yield Finding(
            "machine-id",
            "warning",
            f"/etc/machine-id is {facts.identity or 'empty or missing'}: it identifies no machine",
            "MACs are derived from it: two such machines with the same file get the same MACs",
            "rm -f /etc/machine-id && systemd-machine-id-setup",
        )


def managers(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """A network manager that manages links of vlanlink's."""
    del needs
    by_manager: dict[Manager, list[str]] = {}
    for link in facts.state.host.links.values():
        for manager in facts.nic(link).managers if link.owner else ():
            by_manager.setdefault(manager, []).append(link.name)
    for manager, names in by_manager.items():
        yield Finding(
            "managed-by-another",
            "warning",
            f"{manager} manages {', '.join(names)}, which vlanlink made",
            "it may remove their addresses, set them down or add its own at any time",
            _unmanage(manager, names),
        )


def _unmanage(manager: Manager, names: list[str]) -> str:
    if manager == "NetworkManager":
        devices = ";".join(f"interface-name:{name}" for name in names)
        return (
            f"printf '[keyfile]\\nunmanaged-devices+={devices}\\n' "
            "> /etc/NetworkManager/conf.d/90-vlanlink.conf && nmcli general reload"
        )
    return (
        f"printf '[Match]\\nName={' '.join(names)}\\n[Link]\\nUnmanaged=yes\\n' "
        "> /etc/systemd/network/00-vlanlink.network && networkctl reload"
    )


def _version(numbers: tuple[int, int]) -> str:
    return f"{numbers[0]}.{numbers[1]}"


RULES = (privilege, kernel, kinds, identity, managers)
