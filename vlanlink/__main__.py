"""The ``vlanlink`` command, and ``python -m vlanlink``."""

import os
import sys
from contextlib import suppress
from typing import NoReturn

from vlanlink.cli.main import main
from vlanlink.kernel.privilege import keep_needed_capabilities


def run() -> int:
    """Run the command line with no more privilege than it takes; its exit code."""
    if sys.argv[1:2] != ["exec"]:  # CMD has the caller's, and --user takes more
        keep_needed_capabilities()
    return main()


def program() -> NoReturn:
    """``run``, and the process ends: what it holds goes with it, not piece by piece before."""
    code = run()
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    program()
