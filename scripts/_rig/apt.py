"""Fetches Debian packages of any suite without installing them; apt verifies the signatures.

Each set of suites has its own package lists in the cache: the machine's apt is not touched.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from _rig import tools
from _rig.problems import MissingError, RigError

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_DEFAULT_ARCHIVE = "http://deb.debian.org/debian"

_CONFIGURATION = """\
Dir::Etc::SourceList "{home}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State "{home}";
Dir::State::Lists "{home}/lists";
Dir::State::Status "{home}/status";
Dir::Cache "{home}/cache";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "2";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""


class Archive:
    """Debian's package archive with suites of any release."""

    def __init__(self, suites: Sequence[str], home: Path) -> None:
        """`home` holds the package lists; it is created if missing."""
        self._suites = suites
        self._home = home
        for name in ("lists/partial", "cache/archives/partial"):
            (home / name).mkdir(parents=True, exist_ok=True)
        (home / "status").touch()
        (home / "apt.conf").write_text(_CONFIGURATION.format(home=home))

    def refresh(self) -> None:
        """Fetch the package lists from the first archive that has all suites."""
        if not _KEYRING.exists():
            raise MissingError(
                f"{_KEYRING} is missing, so Debian's signatures can't be verified; "
                "try: apt-get install debian-archive-keyring"
            )
        refusals = []
        for archive in archives():
            self._write_sources(archive)
            done = self._apt("apt-get", "update", "-o", "APT::Update::Error-Mode=any")
            if done.returncode == 0:
                return
            refusals.append(f"{archive}:\n{done.stderr.strip()}")
        wanted = " and ".join(self._suites)
        raise RigError(f"can't fetch package lists of Debian {wanted} from\n" + "\n".join(refusals))

    def names(self, prefix: str) -> list[str]:
        """Names of all packages with this prefix."""
        return self._checked("apt-cache", "pkgnames", prefix).split()

    def show(self, package: str) -> str:
        """The description of a package's newest version."""
        return self._checked("apt-cache", "show", "--no-all-versions", package)

    def lacking(self, package: str) -> list[str]:
        """A package and those of its dependencies that this machine does not have."""
        status = "Dir::State::Status=/var/lib/dpkg/status"
        words = ["-s", "install", "--no-install-recommends", "-o", status, package]
        return re.findall(r"^Inst (\S+)", self._checked("apt-get", *words), re.MULTILINE)

    def download(self, packages: Sequence[str], into: Path) -> list[Path]:
        """Fetch packages into a directory; returns the files."""
        self._checked("apt-get", "download", *packages, cwd=into)
        return sorted(into.glob("*.deb"))

    def _write_sources(self, archive: str) -> None:
        options = f"[arch=amd64 lang=none target=Packages signed-by={_KEYRING}]"
        lines = [f"deb {options} {archive} {suite} main\n" for suite in self._suites]
        (self._home / "sources.list").write_text("".join(lines))

    def _checked(self, tool: str, *arguments: str, cwd: Path | None = None) -> str:
        done = self._apt(tool, *arguments, cwd=cwd)
        if done.returncode != 0:
            raise RigError(f"{tool} {' '.join(arguments)} failed:\n{done.stderr.strip()}")
        return done.stdout

    def _apt(
        self, tool: str, *arguments: str, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        command = [tools.program(tool, "apt"), "-q", *arguments]
        environment = {**tools.plain_environment(), "APT_CONFIG": str(self._home / "apt.conf")}
        return subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
        )


def unpack(package: Path, into: Path) -> None:
    """Unpack a package's files; runs none of its scripts."""
    tools.run([tools.program("dpkg", "dpkg"), "-x", package, into])


def archives() -> list[str]:
    """The Debian mirrors that this machine uses, then Debian's own."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(LABEL)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = []
    for line in listed.stdout.splitlines():
        address, _, label = line.partition(" ")
        if label == "Debian" or re.search(r"/debian/?$", address):
            found.append(address.rstrip("/"))
    return list(dict.fromkeys([*found, _DEFAULT_ARCHIVE]))
