"""Builds Debian systems from packages, with mmdebstrap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from _rig import apt, tools

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def build(suite: str, target: Path, packages: Sequence[str], options: Sequence[str] = ()) -> None:
    """Make a minimal system with these packages: a directory, or an archive if named `*.tar`."""
    # In namespaces of its own: if killed, it leaves neither processes nor mounts behind.
    command = [tools.program("unshare", "util-linux"), "--fork", "--kill-child", "--pid"]
    command += ["--mount-proc", tools.program("mmdebstrap", "mmdebstrap"), "--quiet"]
    command += ["--variant=minbase", "--mode=root", f"--include={','.join(packages)}", *options]
    tools.run([*command, suite, target, apt.archives()[0]])
