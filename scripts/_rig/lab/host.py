"""The state of this machine, which the lab must leave as it was."""

from __future__ import annotations

import subprocess
from pathlib import Path

from _rig import tools

_LOOKS = {
    "interface": "ip -o link | cut -d: -f2",
    "address": "ip -o address | awk '{ print $2, $4 }'",
    "route": "ip route; ip -6 route",
    "firewall rule": "nft list ruleset; iptables-save | grep -v '^#'",
    "forwarding": "sysctl -a 2>/dev/null | grep -E 'forward'",
    "mount": "cut -d' ' -f2 /proc/self/mounts",
}


def look() -> dict[str, set[str]]:
    """What exists, by kind; empty if it can't be read."""
    found = {kind: _lines(command) for kind, command in _LOOKS.items()}
    return {**found, "process": _processes()}


def differences(before: dict[str, set[str]], after: dict[str, set[str]]) -> list[str]:
    """New and lost things, one per line."""
    came = [f"new {kind}: {x}" for kind in before for x in sorted(after[kind] - before[kind])]
    return came + [
        f"lost {kind}: {x}" for kind in before for x in sorted(before[kind] - after[kind])
    ]


def _lines(command: str) -> set[str]:
    done = subprocess.run(
        ["sh", "-c", command],
        env=tools.plain_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return {line.strip() for line in done.stdout.splitlines()}


def _processes() -> set[str]:
    """Processes of this checkout's lab."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:  # the process has just ended
            continue
        if f"{tools.CHECKOUT}/.vagrant" in words:
            found.add(words[:120])
    return found
