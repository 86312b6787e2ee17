"""TOML 1.1 on every Python: tomllib reads it from 3.15 on, tomli before."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING or sys.version_info < (3, 15):
    from tomli import TOMLDecodeError, loads
else:
    from tomllib import TOMLDecodeError, loads

__all__ = ["TOMLDecodeError", "loads"]
