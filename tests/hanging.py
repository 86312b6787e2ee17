"""A test that hangs ends its process instead of the whole run, and shows where it hangs.

A thread of C, which needs no lock of Python's, writes the stacks of all threads to stderr.
pytest-xdist then reports the test as failed and goes on with another worker. pytest's own
`faulthandler_timeout` does the same, but drops the bound when a test fails, whose teardown may
hang, too.
"""

import faulthandler
import os
import sys

import pytest

_STDERR = pytest.StashKey[int]()
TEST_SECONDS = 300.0
LONG_SECONDS = 1200.0
"""For one that boots machines, or keeps the kernel busy with thousands of links."""
TURN_SECONDS = 2 * LONG_SECONDS
"""For one that waits until others have had their turn."""
LONGEST_SECONDS = 6 * 3600.0
"""For many random examples."""


def prepare(config: pytest.Config) -> None:
    """Remember the real stderr, which tests don't capture; a crash is told there as well."""
    config.stash[_STDERR] = os.dup(sys.__stderr__.fileno() if sys.__stderr__ else 2)
    faulthandler.enable(config.stash[_STDERR])


def ends_within(config: pytest.Config, seconds: float) -> None:
    """From now on; it replaces the bound from before.

    It starts a thread: a test that has its own mount namespace by now could not leave it.
    """
    faulthandler.dump_traceback_later(seconds, file=config.stash[_STDERR], exit=True)


def is_over() -> None:
    """The test has ended."""
    faulthandler.cancel_dump_traceback_later()
