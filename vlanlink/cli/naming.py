"""Hints name the command as it was run: ``sudo vlanlink`` only where sudo would find it."""

import re
import sys
from functools import cache
from typing import Final

from vlanlink.cli.verbs import VERBS

SECURE_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where sudo looks by default (sudoers(5), secure_path); users can't read the real setting."""
_COMMAND: Final = rf"(?<![\w/@.:-])(sudo )?vlanlink (?=(?:{'|'.join(VERBS)})\b|…)"


def as_run(text: str) -> str:
    """``text`` with each ``vlanlink VERB`` as a command that works here."""
    if "vlanlink " not in text:
        return text
    return re.sub(_COMMAND, lambda found: f"{_command(by_sudo=bool(found[1]))} ", text)


@cache
def _command(*, by_sudo: bool) -> str:
    import shlex
    import shutil
    from pathlib import Path

    sudo = "sudo " if by_sudo else ""
    program = Path(sys.argv[0])
    if program.name == "__main__.py" and program.parent.name == "vlanlink":
        return f"{sudo}{shlex.quote(sys.executable)} -m vlanlink"
    if program.name != "vlanlink":  # a test, or another program that calls main()
        return f"{sudo}vlanlink"
    found = shutil.which("vlanlink", path=SECURE_PATH if by_sudo else None)
    if found and Path(found).resolve() == program.resolve():
        return f"{sudo}vlanlink"
    return f"{sudo}{shlex.quote(str(program.absolute()))}"
