"""The bare root file system, as an archive in the cache, named by a hash of its recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from _rig import cached_root

if TYPE_CHECKING:
    from pathlib import Path

SUITES = ("bookworm", "trixie", "forky")
DEFAULT = "trixie"
# What the README asks for, and the certificates without which neither works.
_PACKAGES = ("ca-certificates", "git", "python3")


def get(suite: str) -> Path:
    """The archive of a bare system of that suite, from the cache or else built."""
    return cached_root.get("bare", suite, _PACKAGES, ".tar")
