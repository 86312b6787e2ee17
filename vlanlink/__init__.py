"""VLAN, macvlan and ipvlan networks from a TOML topology: planned, applied, verified, undone.

::

    import vlanlink

    topology = vlanlink.load("topology.toml")
    print(vlanlink.plan(topology))
    vlanlink.up(topology)
    vlanlink.down("office")

A name is imported when it is first used: loading a topology does not import netlink.
"""

from vlanlink._version import __version__ as __version__

_MODULES = {
    "attachment.attach": "attach",
    "attachment.detach": "detach",
    "attachment.listing": "attachments",
    "attachment.value": "Attachment",
    "boot": "AtBoot enable",
    "boot.file_trust": "refuse_untrusted_file",
    "boot.journal": "LogEntry",
    "boot.transaction": "Step",
    "commit_confirm.commit": "Confirmation Decide confirm revert_overdue",
    "errors": "JSON_VERSION ApplyError ConflictError Diagnostic Interrupted PrivilegeError Problem"
    " TopologyError UsageError VlanlinkError nearest printable",
    "exporters.blueprint": "Exported",
    "host": "Host",
    "importers.conversion": "Conversion convert",
    "inventory": "EndpointStatus HostLink Lease NetworkDetail NetworkSummary",
    "model": "Address DhcpClient Link LinkName Namespace NetnsFile Route State Stray",
    "pictures.tree": "Branch",
    "planning.change": "Change Drift",
    "planning.operation": "Operation",
    "planning.plan": "Plan",
    "preflight.examine": "doctor first_topology",
    "preflight.report": "Finding Report",
    "reachability.expected": "Pair",
    "reachability.result": "Check Verification",
    "reconcile.apply": "Progress",
    "reconcile.restart": "Restart",
    "reconcile.wait": "OnWait",
    "store.lock": "LOCK_SECONDS",
    "store.pending": "PendingStatus",
    "topology": "DefaultRouteConfig DhcpConfig EndpointConfig HostConfig HostRouteConfig"
    " InterfaceConfig InterfaceDhcpConfig LinkConfig NamespaceConfig NetworkConfig PeerConfig"
    " ProbeConfig RouteConfig ShimConfig Source SubnetConfig Topology load",
    "topology.export": "as_mapping to_toml",
    "topology.json_schema": "schema",
    "topology.load": "Heading formatted heading",
    "verbs.disable": "disable",
    "verbs.down": "down",
    "verbs.every": "active boot_files",
    "verbs.export": "export",
    "verbs.graph": "Graph graph",
    "verbs.leases": "leases",
    "verbs.listing": "file_problems inspect networks snapshot",
    "verbs.logs": "logs",
    "verbs.plan": "plan",
    "verbs.restart": "restart",
    "verbs.run": "enter popen run",
    "verbs.status": "Status status",
    "verbs.up": "up",
    "verbs.verify": "verify",
    "watcher": "Event Policy Watch",
    "watcher.stream": "events",
}
"""The public names by module. The imports below say the same to type checkers; a test compares."""

_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}

# isort: off
TYPE_CHECKING = False  # as typing has it, whose import takes longer than the rest of this file
if TYPE_CHECKING:
    from vlanlink.attachment.attach import (
        attach as attach,
    )
    from vlanlink.attachment.detach import (
        detach as detach,
    )
    from vlanlink.attachment.listing import (
        attachments as attachments,
    )
    from vlanlink.attachment.value import (
        Attachment as Attachment,
    )
    from vlanlink.boot import (
        AtBoot as AtBoot,
        enable as enable,
    )
    from vlanlink.boot.file_trust import (
        refuse_untrusted_file as refuse_untrusted_file,
    )
    from vlanlink.boot.journal import (
        LogEntry as LogEntry,
    )
    from vlanlink.boot.transaction import (
        Step as Step,
    )
    from vlanlink.commit_confirm.commit import (
        Confirmation as Confirmation,
        Decide as Decide,
        confirm as confirm,
        revert_overdue as revert_overdue,
    )
    from vlanlink.errors import (
        JSON_VERSION as JSON_VERSION,
        ApplyError as ApplyError,
        ConflictError as ConflictError,
        Diagnostic as Diagnostic,
        Interrupted as Interrupted,
        PrivilegeError as PrivilegeError,
        Problem as Problem,
        TopologyError as TopologyError,
        UsageError as UsageError,
        VlanlinkError as VlanlinkError,
        nearest as nearest,
        printable as printable,
    )
    from vlanlink.exporters.blueprint import (
        Exported as Exported,
    )
    from vlanlink.host import (
        Host as Host,
    )
    from vlanlink.importers.conversion import (
        Conversion as Conversion,
        convert as convert,
    )
    from vlanlink.inventory import (
        EndpointStatus as EndpointStatus,
        HostLink as HostLink,
        Lease as Lease,
        NetworkDetail as NetworkDetail,
        NetworkSummary as NetworkSummary,
    )
    from vlanlink.model import (
        Address as Address,
        DhcpClient as DhcpClient,
        Link as Link,
        LinkName as LinkName,
        Namespace as Namespace,
        NetnsFile as NetnsFile,
        Route as Route,
        State as State,
        Stray as Stray,
    )
    from vlanlink.pictures.tree import (
        Branch as Branch,
    )
    from vlanlink.planning.change import (
        Change as Change,
        Drift as Drift,
    )
    from vlanlink.planning.operation import (
        Operation as Operation,
    )
    from vlanlink.planning.plan import (
        Plan as Plan,
    )
    from vlanlink.preflight.examine import (
        doctor as doctor,
        first_topology as first_topology,
    )
    from vlanlink.preflight.report import (
        Finding as Finding,
        Report as Report,
    )
    from vlanlink.reachability.expected import (
        Pair as Pair,
    )
    from vlanlink.reachability.result import (
        Check as Check,
        Verification as Verification,
    )
    from vlanlink.reconcile.apply import (
        Progress as Progress,
    )
    from vlanlink.reconcile.restart import (
        Restart as Restart,
    )
    from vlanlink.reconcile.wait import (
        OnWait as OnWait,
    )
    from vlanlink.store.lock import (
        LOCK_SECONDS as LOCK_SECONDS,
    )
    from vlanlink.store.pending import (
        PendingStatus as PendingStatus,
    )
    from vlanlink.topology import (
        DefaultRouteConfig as DefaultRouteConfig,
        DhcpConfig as DhcpConfig,
        EndpointConfig as EndpointConfig,
        HostConfig as HostConfig,
        HostRouteConfig as HostRouteConfig,
        InterfaceConfig as InterfaceConfig,
        InterfaceDhcpConfig as InterfaceDhcpConfig,
        LinkConfig as LinkConfig,
        NamespaceConfig as NamespaceConfig,
        NetworkConfig as NetworkConfig,
        PeerConfig as PeerConfig,
        ProbeConfig as ProbeConfig,
        RouteConfig as RouteConfig,
        ShimConfig as ShimConfig,
        Source as Source,
        SubnetConfig as SubnetConfig,
        Topology as Topology,
        load as load,
    )
    from vlanlink.topology.export import (
        as_mapping as as_mapping,
        to_toml as to_toml,
    )
    from vlanlink.topology.json_schema import (
        schema as schema,
    )
    from vlanlink.topology.load import (
        Heading as Heading,
        formatted as formatted,
        heading as heading,
    )
    from vlanlink.verbs.disable import (
        disable as disable,
    )
    from vlanlink.verbs.down import (
        down as down,
    )
    from vlanlink.verbs.every import (
        active as active,
        boot_files as boot_files,
    )
    from vlanlink.verbs.export import (
        export as export,
    )
    from vlanlink.verbs.graph import (
        Graph as Graph,
        graph as graph,
    )
    from vlanlink.verbs.leases import (
        leases as leases,
    )
    from vlanlink.verbs.listing import (
        file_problems as file_problems,
        inspect as inspect,
        networks as networks,
        snapshot as snapshot,
    )
    from vlanlink.verbs.logs import (
        logs as logs,
    )
    from vlanlink.verbs.plan import (
        plan as plan,
    )
    from vlanlink.verbs.restart import (
        restart as restart,
    )
    from vlanlink.verbs.run import (
        enter as enter,
        popen as popen,
        run as run,
    )
    from vlanlink.verbs.status import (
        Status as Status,
        status as status,
    )
    from vlanlink.verbs.up import (
        up as up,
    )
    from vlanlink.verbs.verify import (
        verify as verify,
    )
    from vlanlink.watcher import (
        Event as Event,
        Policy as Policy,
        Watch as Watch,
    )
    from vlanlink.watcher.stream import (
        events as events,
    )
else:
    __all__ = ["__version__", *_HOMES]  # noqa: PLE0604 - they are strings

    def __getattr__(name: str) -> object:
        """Import a public name from its module (PEP 562)."""
        from importlib import import_module

        if name not in _HOMES:
            raise AttributeError(f"module 'vlanlink' has no attribute {name!r}")
        value = getattr(import_module(f"vlanlink.{_HOMES[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
