"""resolv.conf, hosts and nsswitch.conf of namespaces: their text, and whose they are. Pure."""

import re
from collections.abc import Iterator

from vlanlink.desired.builder import Builder
from vlanlink.desired.dhcp import learnt_resolver
from vlanlink.errors import Problem
from vlanlink.model import HOST, LOOPBACK, FileKey, NetnsFile, Resolver, marked_file, owner_in_words
from vlanlink.topology import NamespaceConfig

_LOOPBACK = ("127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback")
_HOSTS_LINE = r"(?m)^[ \t]*hosts[ \t]*:.*\n?"
_IN_THE_NAMESPACE = ("files", "dns", "myhostname")
"""Name services that ask no daemon of the host by a Unix socket, which every namespace sees."""


def netns_files(builder: Builder) -> dict[FileKey, NetnsFile]:
    """The files that the topology's namespaces get, and those of its mark that are not its own."""
    found: dict[FileKey, NetnsFile] = {}
    for key, seen in builder.observed.files.items():
        if seen.owner == builder.name and not _is_ours(builder, seen):
            found[key] = seen
    attached = {one.id for one in builder.context.attached}  # their files are somebody else's
    for name, entry in builder.topology.namespaces.items():
        if name not in builder.namespaces or name in attached:
            continue
        for wanted in _files_of(builder, name, entry):
            _refuse_foreign(builder, wanted)
            found[wanted.key] = wanted
    return found


def _is_ours(builder: Builder, seen: NetnsFile) -> bool:
    """A namespace's processes can edit a mark: where there is a record, it has to agree."""
    own = builder.records.own
    return seen.owner == builder.name and (own is None or seen.key in own.files)


def _refuse_foreign(builder: Builder, wanted: NetnsFile) -> None:
    seen = builder.observed.files.get(wanted.key)
    if seen is None or _is_ours(builder, seen):
        return
    whose = (
        f"it belongs to {owner_in_words(seen.owner)}" if seen.owner else "vlanlink didn't write it"
    )
    message = f"{wanted.name} of namespace {wanted.namespace} already exists: {whose}"
    where = seen.path or f"{wanted.namespace}/{wanted.name}"
    hint = f"move {where} away, or remove {wanted.origin[-1]}"
    builder.conflicts.append(Problem(wanted.origin, message, hint, at_key=True))


def _files_of(builder: Builder, name: str, entry: NamespaceConfig) -> Iterator[NetnsFile]:
    origin = ("namespaces", name)
    resolver = _resolver(builder, name, entry)
    texts = {}
    if resolver is not None:
        key = "search" if entry.dns is None and entry.search is not None else "dns"
        texts["resolv.conf"] = (_resolv_conf(resolver), key)
    if entry.hosts is not False:
        texts["hosts"] = (_hosts(builder, entry), "hosts")
    if texts:
        first = next(key for _, key in texts.values())
        texts["nsswitch.conf"] = (_nsswitch(builder.context.nsswitch), first)
    for file, (text, key) in texts.items():
        written = key in ("hosts", "search") or entry.dns is not None
        path = (*origin, key) if written else origin
        yield NetnsFile(name, file, marked_file(text, builder.name), origin=path)


def _resolver(builder: Builder, name: str, entry: NamespaceConfig) -> Resolver | None:
    """What the file says, else DHCP and routers, key by key; None if nobody says anything."""
    learnt = learnt_resolver(builder, name)
    if entry.dns is None and entry.search is None:
        return learnt
    learnt = learnt or Resolver()
    servers = learnt.servers if entry.dns is None else tuple(map(str, entry.dns))
    return Resolver(servers, learnt.search if entry.search is None else entry.search)


def _resolv_conf(resolver: Resolver) -> str:
    search = [f"search {' '.join(resolver.search)}"] if resolver.search else []
    return _text([*search, *(f"nameserver {server}" for server in resolver.servers)])


def _hosts(builder: Builder, entry: NamespaceConfig) -> str:
    """The file's endpoints by their namespaces' names, then what it adds.

    Attachments come and go, and attaching one changes no other namespace.
    """
    lines = list(_LOOPBACK)
    left_out = {HOST, *builder.ended, *(one.id for one in builder.context.attached)}
    for link in builder.links.values():
        if link.namespace in left_out or link.name == LOOPBACK:
            continue
        lines += [f"{a.bare} {link.namespace}" for a in link.addresses if not a.link_local]
    extra = entry.hosts if not isinstance(entry.hosts, bool) else {}
    return _text([*lines, *(f"{address} {name}" for name, address in extra.items())])


def _nsswitch(of_host: str) -> str:
    """The host's, with no name service that would ask a resolver of the host's."""
    line = re.search(_HOSTS_LINE, of_host)
    words = line[0].partition(":")[2].partition("#")[0].split() if line else []
    kept = [word for word in words if word in _IN_THE_NAMESPACE]
    kept += [word for word in ("files", "dns") if word not in kept]
    rest = re.sub(_HOSTS_LINE, "", of_host)
    rest = rest if rest.endswith("\n") or not rest else f"{rest}\n"
    return f"{rest}hosts: {' '.join(kept)}\n"


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
