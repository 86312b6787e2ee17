"""Errors of the rig, each with its exit status."""

from __future__ import annotations

EXIT_GUEST_FAILED = 125
EXIT_TIMEOUT = 124
EXIT_MISSING = 4


class RigError(Exception):
    """An error to report without a traceback."""

    exit_status = EXIT_GUEST_FAILED


class MissingError(RigError):
    """A program, a package or a privilege is missing on this machine."""

    exit_status = EXIT_MISSING


class GuestTimeoutError(RigError):
    """A time limit was reached."""

    exit_status = EXIT_TIMEOUT
