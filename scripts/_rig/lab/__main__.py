"""`python -m _rig.lab`, for `scripts/lab`."""

import sys

from _rig.lab.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
