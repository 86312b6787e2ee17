"""The command line of `scripts/lab`."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, NoReturn

from _rig import tools
from _rig.lab import box, host
from _rig.lab.machines import NAMES, SSH_CONFIG, Machines, note
from _rig.problems import GuestTimeoutError, MissingError, RigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_DESCRIPTION = """\
The integration lab: two hosts and a router as virtual machines, with a trunk between them.

  box           build the machines' system from Debian packages (cached; up does it too)
  up            start the machines with a Debian package of this checkout
  test [...]    run the lab's tests; arguments are passed to pytest
  ssh NAME ...  log in to host1, host2 or router, or run a command there
  unplug NAME   pull a machine's trunk cable; plug NAME plugs it in again
  reload NAME   shut a machine down and start it again
  down          stop and remove everything
  ci            up, test and down within 15 minutes

As root it needs no running libvirt: it starts one in its own namespaces, so that this machine's
network, firewall and forwarding stay untouched. As an ordinary user it is `vagrant up` with the
user's provider and a public box.
"""
_EPILOG = """\
exit status: 0 success, 1 a test failed, 4 this machine lacks something, 124 time limit, 125 the lab
can't be built or started.
"""
_OF_ONE = ("ssh", "plug", "unplug", "reload")
_TESTS = "tests/lab"
_CI_START_SECONDS = 9 * 60
# No group of tests starts after this; a running one gets some more time.
_CI_SECONDS = 12 * 60
_LAST_TESTS_SECONDS = 150
_TRIES = 2


def main(arguments: Sequence[str]) -> int:
    """Run the command line; returns the exit status."""
    options = _parse(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        if options.verb == "ci":
            return _ci(options)
        return _run(options)
    except RigError as problem:
        note(str(problem))
        return problem.exit_status
    except KeyboardInterrupt:
        note("interrupted")
        return 130


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/lab",
        usage="scripts/lab [OPTION...] box|up|test|ssh|unplug|plug|reload|down|ci [ARG...]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    verbs = ("box", "up", "test", *_OF_ONE, "down", "ci")
    add("verb", choices=verbs, help=argparse.SUPPRESS)
    add("--install", action="store_true", help="install missing Debian packages without asking")
    add("--accel", choices=("tcg", "kvm"), default="tcg", help="default: %(default)s, always works")
    known, rest = parser.parse_known_args(arguments)
    known.rest = rest
    if known.verb in _OF_ONE and (not rest or rest[0] not in NAMES):
        parser.error(f"{known.verb} needs a machine: {', '.join(NAMES)}")
    if rest and known.verb not in (*_OF_ONE, "test"):
        parser.error(f"unexpected arguments: {' '.join(rest)}")
    return known


def _run(options: argparse.Namespace) -> int:
    machines = Machines(options.accel)
    match options.verb:
        case "box":
            _need_packages(install=options.install)
            print(box.get())
        case "up":
            _need_packages(install=options.install)
            start = time.monotonic()
            machines.up()
            note(f"up after {time.monotonic() - start:.0f} s")
        case "test":
            return _test(machines, options.rest)
        case "ssh":
            return machines.ssh(options.rest[0], options.rest[1:])
        case "plug" | "unplug":
            machines.set_cable(options.rest[0], plugged=options.verb == "plug")
        case "reload":
            machines.reload(options.rest[0])
        case "down":
            machines.down()
    return 0


def _need_packages(*, install: bool) -> None:
    if os.geteuid() == 0:
        mode = ["--install"] if install else []
        script = tools.CHECKOUT / "scripts/_packages.sh"
        done = subprocess.run([script, *mode, "vm", "lab"], stdout=sys.stderr, check=False)
        if done.returncode != 0:
            raise MissingError("packages are missing, see above")


def _test(machines: Machines, words: Sequence[str], *, deadline: float | None = None) -> int:
    paths = [] if any(word.startswith(_TESTS) for word in words) else [_TESTS]
    pytest = [str(tools.CHECKOUT / ".venv/bin/pytest"), *paths, *words]
    environment = {**os.environ, "VLANLINK_LAB_SSH": str(SSH_CONFIG)}
    seconds = None
    if deadline is not None:
        environment["VLANLINK_LAB_DEADLINE"] = str(deadline)
        seconds = deadline - time.time() + _LAST_TESTS_SECONDS
    command = machines.reaching(pytest)
    # Under /tmp whatever TMPDIR says: the path of a socket has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="vlanlink-lab-", dir="/tmp") as directory:
        environment["VLANLINK_LAB_SOCKETS"] = directory
        done = subprocess.run(
            command, env=environment, cwd=tools.CHECKOUT, check=False, timeout=seconds
        )
    return done.returncode


def _ci(options: argparse.Namespace) -> int:
    """Start, test and remove the lab. Fails only if a test does or if something is left behind.

    A lab that can't start here, or not in time, is reported but is not a failure.
    """
    start = time.time()
    machines, before = Machines(options.accel), host.look()
    reason = _try_to_start(machines, options, start + _CI_START_SECONDS)
    if reason:
        print(f"LAB DID NOT RUN: {reason}")
        return 0
    try:
        status = _test(machines, ["--exitfirst", "--durations=0"], deadline=start + _CI_SECONDS)
    except subprocess.TimeoutExpired:
        print("LAB DID NOT RUN to its end: the time limit was reached")
        status = 0
    finally:
        machines.down()
    left = host.differences(before, host.look())
    print("\n".join(["lab: this machine has changed:", *left] if left else ["lab: as before"]))
    return 1 if left else status


def _try_to_start(machines: Machines, options: argparse.Namespace, deadline: float) -> str:
    """Start the machines; returns why they can't start, or an empty string."""
    if os.geteuid() != 0:
        return "it needs root"
    reason = ""
    for _ in range(_TRIES):
        try:
            with _time_limit(deadline - time.time()):
                _need_packages(install=options.install)
                machines.up()
        except GuestTimeoutError as problem:
            return f"{problem}{reason and ', after: '}{reason}"
        except RigError as problem:
            reason = str(problem)
            note(reason)
        else:
            return ""
    return reason


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise GuestTimeoutError in the block when the time is over."""

    def end(_signal: int, _frame: object) -> NoReturn:
        raise GuestTimeoutError("the lab was not up in time")

    signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, max(1, seconds))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
