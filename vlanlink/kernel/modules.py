"""Which modules the kernel has, without loading any."""

import os
import re
from pathlib import Path
from typing import Final, Literal

MODULES: Final = Path("/lib/modules")
LOADED: Final = Path("/sys/module")


def presence(
    module: str, modules: Path = MODULES, loaded: Path = LOADED
) -> Literal["there", "loadable"] | None:
    """Whether a module is there, or who asks for what it does would load it; None: neither."""
    files = modules / os.uname().release
    if (loaded / module).exists() or _listed(files / "modules.builtin", module):
        return "there"
    return "loadable" if _listed(files / "modules.dep", module) else None


def _listed(path: Path, module: str) -> bool:
    try:
        text = path.read_text()
    except OSError:
        return False
    name = module.replace("_", "[-_]")
    return re.search(rf"(?m)^[^:\s]*/{name}\.ko[.\w]*(:|$)", text) is not None
