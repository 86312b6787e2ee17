"""Namespaces, and the sysctls that stand in them and on the host."""

from collections.abc import Hashable, Iterator, Mapping

from vlanlink.errors import Path, Problem
from vlanlink.sysctl import proc_path
from vlanlink.topology.problems import quote
from vlanlink.topology.rules.index import RuleIndex


def pid_and_path(facts: RuleIndex) -> Iterator[Problem]:
    """A namespace that exists is found in one way."""
    for name, namespace in facts.topology.namespaces.items():
        if namespace.pid is not None and namespace.path is not None:
            path = ("namespaces", name, "path")
            message = f"namespace {name} has both a pid and a path"
            yield Problem(path, message, "leave one of them out", at_key=True)


def namespace_path(facts: RuleIndex) -> Iterator[Problem]:
    """A path leads from the root: the file may be read from anywhere."""
    for name, namespace in facts.topology.namespaces.items():
        path = namespace.path
        if path is not None and (not path.startswith("/") or "\0" in path):
            message = f"{quote(path)} is no full path"
            hint = 'write a path from the root, such as "/proc/1234/ns/net"'
            yield Problem(("namespaces", name, "path"), message, hint)


def namespace_twice(facts: RuleIndex) -> Iterator[Problem]:
    """Two names for one namespace would be two truths about it."""
    seen: dict[Hashable, str] = {}
    for name, namespace in facts.topology.namespaces.items():
        for key, value in (("pid", namespace.pid), ("path", namespace.path)):
            before = name if value is None else seen.setdefault((key, value), name)
            if before != name:
                yield Problem(
                    ("namespaces", name, key),
                    f"namespaces {name} and {before} have the same {key}, {value}",
                    "write its interfaces under one of the two",
                    related=("namespaces", before, key),
                )


def _sysctls(facts: RuleIndex) -> Iterator[tuple[Path, Mapping[str, str]]]:
    yield ("host", "sysctls"), facts.topology.host.sysctls
    for name, namespace in facts.topology.namespaces.items():
        yield ("namespaces", name, "sysctls"), namespace.sysctls


def sysctl_key(facts: RuleIndex) -> Iterator[Problem]:
    """Only the sysctls of the network belong to a network namespace."""
    for path, sysctls in _sysctls(facts):
        for key in sysctls:
            if not _is_network_key(key):
                yield Problem(
                    (*path, key),
                    f"{quote(key)} is no sysctl of the network",
                    'write a key that begins with "net.", such as "net.ipv4.ip_forward"',
                    at_key=True,
                )


def _is_network_key(key: str) -> bool:
    parts = proc_path(key).split("/")
    plain = key.isprintable() and not any(one.isspace() for one in key)
    return plain and parts[0] == "net" and len(parts) > 2 and not {"", ".", ".."} & set(parts)


def sysctl_twice(facts: RuleIndex) -> Iterator[Problem]:
    """Dots and slashes spell one key."""
    for path, sysctls in _sysctls(facts):
        seen: dict[str, str] = {}
        for key, value in sysctls.items():
            before = seen.setdefault(proc_path(key), key)
            if sysctls[before] != value:
                yield Problem(
                    (*path, key),
                    f"{quote(key)} and {quote(before)} are one sysctl, with two values",
                    "leave one of them out",
                    related=(*path, before),
                    at_key=True,
                )
