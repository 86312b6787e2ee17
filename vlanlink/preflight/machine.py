"""What is so of the machine, whatever shall come."""

from collections.abc import Iterator

from vlanlink.desired.links import derived_mac
from vlanlink.kernel.facts import MachineFacts, Manager
from vlanlink.kinds import KINDS
from vlanlink.preflight.report import Finding
from vlanlink.preflight.topology import TopologyNeeds

OLDEST_KERNEL = (5, 10)
MARKED_ADDRESSES = (5, 18)


def kernel(facts: MachineFacts, asked: TopologyNeeds | None) -> Iterator[Finding]:
    """Too old, or too old to mark addresses."""
    del asked
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
            f"Linux {running} can't mark addresses (IFA_PROTO comes with 5.18)",
            "an address added by hand to a link that vlanlink made counts as its own, and goes",
        )


def privilege(facts: MachineFacts, asked: TopologyNeeds | None) -> Iterator[Finding]:
    """Not root, or a root without its powers."""
    del asked
    missing = " and ".join(facts.missing_capabilities)
    if missing and facts.root:
        yield Finding(
            "privilege-missing",
            "failure",
            f"root lacks {missing} here",
            "the network can't be changed: this is a container, or a service with few capabilities",
            "run it outside, or add them (AmbientCapabilities=, --cap-add)",
        )
    elif missing:
        yield Finding(
            "privilege-user",
            "note",
            f"this user lacks {missing}",
            "other network namespaces could not be looked into; up and down need root",
            "sudo vlanlink doctor",
        )


def kinds(facts: MachineFacts, asked: TopologyNeeds | None) -> Iterator[Finding]:
    """Link kinds that this kernel does not have."""
    needed = {link.kind for link in asked.wanted.values()} if asked else set(KINDS)
    for name in sorted(needed & KINDS.keys()):
        if facts.kinds.get(name) == "missing":
            module = KINDS[name].module
            yield Finding(
                "kind-missing",
                "failure" if asked else "warning",
                f"this kernel has no {name} links: no module {module} is there",
                f"up can't make {name} links",
                f"modprobe {module} (or install the full kernel)",
            )


def identity(facts: MachineFacts, asked: TopologyNeeds | None) -> Iterator[Finding]:
    """A machine-id that other machines have too."""
    text = facts.identity.replace("-", "")
    if text and text != "uninitialized" and len(set(text)) > 1:
        return
    drawn = not asked or any(
        link.settings.get("mac") == derived_mac(facts.identity, asked.topology.name, *link.key)
        for link in asked.wanted.values()
    )
    if drawn:
        yield Finding(
            "machine-id",
            "warning",
            f"/etc/machine-id is {facts.identity or 'empty or missing'}: it names no machine",
            "MACs are derived from it: two such machines with one topology have the same MACs",
            "rm -f /etc/machine-id && systemd-machine-id-setup",
        )


def managers(facts: MachineFacts, asked: TopologyNeeds | None) -> Iterator[Finding]:
    """A network manager that thinks our links are its own."""
    del asked
    by_manager: dict[Manager, list[str]] = {}
    for link in facts.state.host.links.values():
        for manager in facts.nic(link).managers if link.owner else ():
            by_manager.setdefault(manager, []).append(link.name)
    for manager, names in by_manager.items():
        yield Finding(
            "managed-by-another",
            "warning",
            f"{manager} manages {', '.join(names)}, which vlanlink made",
            "it may take their addresses, set them down or add its own at any time",
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
