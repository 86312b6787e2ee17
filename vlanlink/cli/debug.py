"""``--verbose`` and ``--debug``: what the library logs, on stderr."""

import argparse
import sys

LEVELS = {"info": 20, "debug": 10}


def arguments(parser: argparse.ArgumentParser) -> None:
    """-v, --debug."""
    parser.add_argument(
        "-v",
        "--verbose",
        dest="log_level",
        action="store_const",
        const="info",
        help="print every operation on stderr",
    )
    parser.add_argument(
        "--debug",
        dest="log_level",
        action="store_const",
        const="debug",
        help="print every operation and every netlink message on stderr",
    )


def start(level: str) -> None:
    """Print what is logged, with the milliseconds since the start."""
    import logging

    from vlanlink import printable

    class Printable(logging.Formatter):
        """Lines that are safe for a terminal: the kernel's text and names are others'."""

        def format(self, record: logging.LogRecord) -> str:
            return printable(super().format(record))

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Printable("%(relativeCreated)7.0f ms  %(message)s"))
    logger = logging.getLogger("vlanlink")
    logger.handlers = [handler]
    logger.setLevel(LEVELS[level])
    logger.propagate = False
