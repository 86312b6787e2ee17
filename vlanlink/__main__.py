"""The ``vlanlink`` command, and ``python -m vlanlink``."""

import os
import signal
import sys

_INTERRUPTED = 130
_IN_WORDS = b"error: interrupted\n"
_AS_JSON = (
    b'{"version": 1, "errors": [{"file": null, "line": null, "column": null, "path": null,'
    b' "message": "interrupted", "hint": null}]}\n'
)
"""What the command line prints, before it can be imported. A test compares."""


def run() -> int:
    """Run the command line with no more privilege than it takes; its exit code."""
    from vlanlink.cli.main import main
    from vlanlink.kernel.privilege import keep_needed_capabilities

    if sys.argv[1:2] != ["exec"]:  # CMD has the caller's, and --user takes more
        keep_needed_capabilities()
    return main()


def program() -> None:
    """``run``, and the process ends: what it holds goes with it, not piece by piece before."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)
    try:
        code = run()
    except KeyboardInterrupt:  # a second one, while the first was being told
        code = _INTERRUPTED
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, AttributeError):  # closed
        code = code or 1
    os._exit(code)


def _stop(_number: int, _frame: object) -> None:
    """End while modules are being imported: nothing was changed yet."""
    as_json = "--json" in sys.argv and sys.argv[1:2] != ["exec"]
    os.write(*((1, _AS_JSON) if as_json else (2, _IN_WORDS)))
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    program()
