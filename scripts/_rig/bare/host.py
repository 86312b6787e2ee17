"""How this machine reaches Debian's archive and PyPI, carried into the bare system.

A proxy, a mirror or a local index is the machine's, not the project's: whatever apt and pip use
here, they use there.
"""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
from pathlib import Path

_ALWAYS = ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt")
_PIP_FILES = ("/etc/pip.conf", "/etc/xdg/pip/pip.conf", "~/.config/pip/pip.conf", "~/.pip/pip.conf")
_VARIABLES = re.compile(
    r"(?i:https?|ftp|all|no)_proxy|PIP_\w+|SSL_CERT_(FILE|DIR)|(REQUESTS_CA|CURL_CA)_BUNDLE"
    r"|CI|TERM|NO_COLOR|FORCE_COLOR"
)
_PATH = re.compile(r"(?:^|[\s=,\"']|file://)(/[^\s,;\"']+)")
_SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def apt_settings() -> str:
    """Settings for fetching packages, as lines of an apt.conf."""
    dump = ["apt-config", "dump", "--no-empty", "Acquire"]
    dumped = subprocess.run(dump, capture_output=True, text=True, check=False)
    # Index targets belong to programs that the bare system doesn't have.
    kept = [x for x in dumped.stdout.splitlines() if not x.startswith("Acquire::IndexTargets")]
    return "".join(f"{line}\n" for line in kept)


def environment() -> dict[str, str]:
    """The environment of the bare system's commands."""
    passed = {name: value for name, value in os.environ.items() if _VARIABLES.fullmatch(name)}
    return {"LANG": "C.UTF-8", **passed, "PATH": _SYSTEM, "HOME": "/root", "USER": "root"}


def pack(archive: Path) -> None:
    """Write an archive of the files to lay over the bare system."""
    with tarfile.open(archive, "w", dereference=True) as packed:
        for name in _ALWAYS:
            _add(packed, Path(name), name)
        for name in _PIP_FILES:
            _add(packed, Path(name).expanduser(), name.replace("~", "/root"))
        for path in _named_paths():
            _add(packed, path, str(path))


def directories() -> list[str]:
    """The directories that apt's and pip's settings name: packages or an index kept locally."""
    return [str(path) for path in _named_paths() if path.is_dir()]


def _add(packed: tarfile.TarFile, path: Path, name: str) -> None:
    if path.is_file():
        packed.add(path, name.lstrip("/"))


def _named_paths() -> list[Path]:
    """Every path in the settings that are carried."""
    files = [Path(path).expanduser() for path in _PIP_FILES]
    texts = [path.read_text() for path in files if path.is_file()]
    values = [value for name, value in environment().items() if name not in ("PATH", "HOME")]
    found = {match for text in (apt_settings(), *texts, *values) for match in _PATH.findall(text)}
    return [Path(path) for path in sorted(found)]
