"""A Debian with the packages that tests need: a directory in the cache; nothing is installed."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from _rig import apt, mmdebstrap, tools
from _rig.bare import host

if TYPE_CHECKING:
    from collections.abc import Sequence


def get(what: str, suite: str, packages: Sequence[str]) -> Path:
    """Its root directory, from the cache or else built; ``what`` names it. Raises RigError."""
    settings = host.apt_settings()
    recipe = [Path(mmdebstrap.__file__).read_text(), *packages, suite, apt.archives()[0], settings]
    digest = hashlib.sha256("\n".join(recipe).encode()).hexdigest()[:16]
    cache = tools.cache_directory()
    target = cache / f"{what}-{suite}-{digest}"
    with tools.locked(cache / f"{what}-{suite}.lock"):
        if not target.exists():
            for old in cache.glob(f"{what}-{suite}-*"):
                shutil.rmtree(old)
            tools.note(f"building a {suite} with {what} (once; kept in {target})", who="test")
            with tempfile.TemporaryDirectory(prefix=f"{what}.", dir=cache) as temporary:
                options = Path(temporary) / "apt.conf"
                options.write_text(settings)
                root = Path(temporary) / "root"
                mmdebstrap.build(suite, root, packages, [f"--aptopt={options}"])
                root.rename(target)
    return target
