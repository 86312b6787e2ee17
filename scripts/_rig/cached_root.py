"""A Debian with some packages, kept in the cache; nothing is installed on this machine."""

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


def get(what: str, suite: str, packages: Sequence[str], ending: str = "") -> Path:
    """A Debian from the cache or else built: a directory, or an archive for ``ending`` ``.tar``.

    ``what`` names it. Raises RigError.
    """
    settings = host.apt_settings()
    recipe = [Path(mmdebstrap.__file__).read_text(), *packages, suite, apt.archives()[0], settings]
    digest = hashlib.sha256("\n".join(recipe).encode()).hexdigest()[:16]
    cache = tools.cache_directory()
    target = cache / f"{what}-{suite}-{digest}{ending}"
    with tools.locked(cache / f"{what}-{suite}.lock"):
        if not target.exists():
            for old in cache.glob(f"{what}-{suite}-*"):
                _remove(old)
            tools.note(f"building a Debian {suite} (once; kept in {target})", who=what)
            with tempfile.TemporaryDirectory(prefix=f"{what}.", dir=cache) as temporary:
                options = Path(temporary) / "apt.conf"
                options.write_text(settings)
                root = Path(temporary) / f"root{ending}"
                mmdebstrap.build(suite, root, packages, [f"--aptopt={options}"])
                root.rename(target)
    return target


def _remove(old: Path) -> None:
    if old.is_dir():
        shutil.rmtree(old)
    else:
        old.unlink()
