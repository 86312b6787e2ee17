"""The two ways in which the rig gives up, each with its exit status."""

from __future__ import annotations

EXIT_GUEST_FAILED = 125
EXIT_TIMEOUT = 124
EXIT_MISSING = 4


class RigError(Exception):
    """Something that the user should read; no traceback is of use to them."""

    exit_status = EXIT_GUEST_FAILED


class MissingError(RigError):
    """A program, a package or a privilege that this machine lacks."""

    exit_status = EXIT_MISSING


class GuestTimeoutError(RigError):
    """The guest was stopped at the outer time limit."""

    exit_status = EXIT_TIMEOUT
