"""Namespaces, and the sysctls in them and on the host."""

import re
from collections.abc import Hashable, Iterator, Mapping

from vlanlink.errors import Path, Problem
from vlanlink.sysctl import is_network_key, proc_path
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
