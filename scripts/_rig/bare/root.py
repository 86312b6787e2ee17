"""The bare root file system, as an archive in the cache, named by a hash of its recipe."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from _rig import apt, mmdebstrap, tools
from _rig.bare import host

SUITES = ("bookworm", "trixie", "forky")
DEFAULT = "trixie"
# What the README asks for, and the certificates without which neither works.
_PACKAGES = ("ca-certificates", "git", "python3")


def get(suite: str) -> Path:
    """The archive of a bare system of that suite, from the cache or else built."""
    settings = host.apt_settings()
    cache = tools.cache_directory()
    target = cache / f"bare-{suite}-{_recipe_hash(suite, settings)}.tar"
    with tools.locked(cache / f"bare-{suite}.lock"):
        if not target.exists():
            for old in cache.glob(f"bare-{suite}-*.tar"):
                old.unlink()
            tools.note(f"building a bare {suite} (once; kept in {target})", who="bare")
            with tempfile.TemporaryDirectory(prefix="bare-", dir=cache) as temporary:
                _build(suite, settings, Path(temporary)).rename(target)
    return target


def _recipe_hash(suite: str, settings: str) -> str:
    key = hashlib.sha256(Path(__file__).read_bytes())
    key.update(Path(mmdebstrap.__file__).read_bytes())
    key.update("\n".join([suite, apt.archives()[0], settings]).encode())
    return key.hexdigest()[:16]


def _build(suite: str, settings: str, work: Path) -> Path:
    options = work / "apt.conf"
    options.write_text(settings)
    mmdebstrap.build(suite, work / "root.tar", _PACKAGES, [f"--aptopt={options}"])
    return work / "root.tar"
