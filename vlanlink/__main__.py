"""``python -m vlanlink``."""

import sys

from vlanlink.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
