"""Namespaces, and the sysctls in them and on the host."""

import re
from collections.abc import Hashable, Iterator, Mapping

from vlanlink.errors import Path, Problem
from vlanlink.sysctl import is_network_key, proc_path
from vlanlink.topology import values
from vlanlink.topology.problems import quote
from vlanlink.topology.rules.index import RuleIndex


def pid_and_path(index: RuleIndex) -> Iterator[Problem]:
    """An existing namespace is found by pid or by path."""
    for name, namespace in index.topology.namespaces.items():
        if namespace.pid is not None and namespace.path is not None:
            path = ("namespaces", name, "path")
            message = f"namespace {name} has both pid and path"
            yield Problem(path, message, "remove one of them", at_key=True)


def namespace_path(index: RuleIndex) -> Iterator[Problem]:
    """A path is absolute: the file may be read from anywhere."""
    for name, namespace in index.topology.namespaces.items():
        path = namespace.path
        if path is not None and (not path.startswith("/") or "\0" in path):
            message = f"{quote(path)} is not an absolute path"
            plain = re.fullmatch(r"[\w.-]+", path)
            hint = f"write {quote(f'/run/netns/{path}')}" if plain else _PATH_EXAMPLE
            yield Problem(("namespaces", name, "path"), message, hint)


_PATH_EXAMPLE = 'write a path such as "/proc/1234/ns/net"'


def namespace_twice(index: RuleIndex) -> Iterator[Problem]:
    """A namespace has one name."""
    seen: dict[Hashable, str] = {}
    for name, namespace in index.topology.namespaces.items():
        for key, value in (("pid", namespace.pid), ("path", namespace.path)):
            before = name if value is None else seen.setdefault((key, value), name)
            if before != name:
                yield Problem(
                    ("namespaces", name, key),
                    f"namespaces {name} and {before} have the same {key}, {value}",
                    "define its interfaces under one of the two",
                    related=("namespaces", before, key),
                )


_FILE_KEYS = ("dns", "search", "hosts", "units")


def files_of_process(index: RuleIndex) -> Iterator[Problem]:
    """Files in /etc/netns are found by the name in /run/netns."""
    for name, namespace in index.topology.namespaces.items():
        found = "pid" if namespace.pid is not None else "path"
        if namespace.pid is None and namespace.path is None:
            continue
        for key in _FILE_KEYS:
            if getattr(namespace, key) not in (None, False, ()):
                message = f"namespace {name} is found by {found}, so it can't have {key}"
                hint = "its processes have their own /etc: configure names there"
                hint = "only a namespace with a name can have units" if key == "units" else hint
                yield Problem(("namespaces", name, key), message, hint, at_key=True)


def unit_twice(index: RuleIndex) -> Iterator[Problem]:
    """A unit runs in one namespace."""
    seen: dict[str, tuple[str, int]] = {}
    for name, namespace in index.topology.namespaces.items():
        for at, unit in enumerate(namespace.units):
            before = seen.setdefault(unit, (name, at))
            if before != (name, at):
                message = f"unit {unit} is in namespace {before[0]} already"
                related = ("namespaces", before[0], "units", before[1])
                yield Problem(("namespaces", name, "units", at), message, "remove it", related)


def host_name(index: RuleIndex) -> Iterator[Problem]:
    """A name in a hosts file ends at a space."""
    for name, namespace in index.topology.namespaces.items():
        for host in namespace.hosts if not isinstance(namespace.hosts, bool) else ():
            if not values.is_domain(host):
                message = f"{quote(host)} is not a valid host name"
                hint = 'write a name such as "printer" or "printer.example.org"'
                yield Problem(("namespaces", name, "hosts", host), message, hint, at_key=True)


def search_without_dns(index: RuleIndex) -> Iterator[Problem]:
    """Without a name server, names are asked of 127.0.0.1 (resolv.conf(5))."""
    for name, namespace in index.topology.namespaces.items():
        if namespace.search is not None and namespace.dns is None:
            message = f"namespace {name} has search and no name server"
            hint = 'add dns = ["…"], the address of a name server'
            yield Problem(("namespaces", name, "search"), message, hint, at_key=True)


def dns_many(index: RuleIndex) -> Iterator[Problem]:
    """The C library asks three servers (MAXNS in resolv.h)."""
    for name, namespace in index.topology.namespaces.items():
        if len(namespace.dns or ()) > _MAX_SERVERS:
            message = f"programs ask the first {_MAX_SERVERS} name servers only"
            yield Problem(("namespaces", name, "dns", _MAX_SERVERS), message, "remove the others")


_MAX_SERVERS = 3


def _sysctls(index: RuleIndex) -> Iterator[tuple[Path, Mapping[str, str]]]:
    yield ("host", "sysctls"), index.topology.host.sysctls
    for name, namespace in index.topology.namespaces.items():
        yield ("namespaces", name, "sysctls"), namespace.sysctls


def sysctl_key(index: RuleIndex) -> Iterator[Problem]:
    """A network namespace has the sysctls below net only."""
    for path, sysctls in _sysctls(index):
        for key in sysctls:
            if not is_network_key(key):
                message = f"{quote(key)} is not a network sysctl"
                yield Problem((*path, key), message, _sysctl_hint(key), at_key=True)


def _sysctl_hint(key: str) -> str:
    short = key.removeprefix("/proc/sys/").removeprefix("/")
    meant = f"net.{short}" if re.match(r"(ipv4|ipv6|core|netfilter|mpls)\b", short) else short
    if meant != key and is_network_key(meant):
        return f"write {quote(meant)}"
    return 'write a key that begins with "net.", such as "net.ipv4.ip_forward"'


def sysctl_twice(index: RuleIndex) -> Iterator[Problem]:
    """A key is set once, whether spelled with dots or slashes."""
    for path, sysctls in _sysctls(index):
        seen: dict[str, str] = {}
        for key, value in sysctls.items():
            before = seen.setdefault(proc_path(key), key)
            if sysctls[before] != value:
                yield Problem(
                    (*path, key),
                    f"{quote(key)} and {quote(before)} are the same sysctl with two values",
                    "remove one of them",
                    related=(*path, before),
                    at_key=True,
                )
