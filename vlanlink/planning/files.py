"""Files of single namespaces: which are written, which are removed. Pure."""

from collections.abc import Iterator

from vlanlink.model import NetnsFile
from vlanlink.planning.diff import Diff
from vlanlink.planning.operations import Operation, RemoveFile, WriteFile


def remove_files(diff: Diff) -> Iterator[Operation]:
    """Files of ours that are no longer desired."""
    for key, seen in sorted(diff.observed.files.items()):
        if seen.owner == diff.topology and key not in diff.desired.files:
            yield RemoveFile(namespace=seen.namespace, name=seen.name, owner=diff.topology)


def write_files(diff: Diff) -> Iterator[Operation]:
    """Desired files that are missing or differ."""
    for key, want in diff.desired.files.items():
        seen = diff.observed.files.get(key)
        if seen is None or seen.text != want.text:
            yield WriteFile(
                namespace=want.namespace,
                name=want.name,
                text=want.text,
                old=seen.text if seen else None,
                summary=_summary(want),
                origin=want.origin,
            )


def _summary(file: NetnsFile) -> str:
    """``nameserver 172.16.2.1, search lan``; of long files the number of lines."""
    lines = file.body.splitlines()
    return ", ".join(lines) if file.name == "resolv.conf" else f"{len(lines)} lines"
