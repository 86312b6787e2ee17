"""The ``vlanlink`` command, and ``python -m vlanlink``."""

import sys

from vlanlink.cli.main import main
from vlanlink.kernel.privilege import keep_needed_capabilities


def run() -> int:
    """Run the command line with no more privilege than it takes; its exit code."""
    keep_needed_capabilities()
    return main()


if __name__ == "__main__":
    sys.exit(run())
