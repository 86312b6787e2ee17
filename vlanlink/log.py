"""The ``vlanlink`` logger. Nothing is imported or written unless the program uses ``logging``.

WARNING has a line per file in /etc/netns that replaces nothing, INFO one per operation, DEBUG one
per netlink message.
"""

import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from logging import Logger

NAME: Final = "vlanlink"
WARNING: Final = 30
INFO: Final = 20
DEBUG: Final = 10


def wanted(level: int) -> "Logger | None":
    """The logger, if anybody reads what it writes at ``level``."""
    logging = sys.modules.get("logging")
    if logging is None:  # then nobody can have configured it
        return None
    logger: Logger = logging.getLogger(NAME)
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger if logger.isEnabledFor(level) else None
