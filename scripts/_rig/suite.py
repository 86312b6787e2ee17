"""The command line of `scripts/test`: the whole suite, each test where a kernel can run it.

Kernel tests declare what they need (tests/kernel/conftest.py). On this machine they run with
VLANLINK_KERNEL_TESTS=here: tests that can't run here are deselected, and their names are written to
VLANLINK_LEFT_FILE. Those then run in the guest with VLANLINK_KERNEL_TESTS=all.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from _rig import daemons, engines, kea, kernels
from _rig.problems import EXIT_MISSING, RigError
from _rig.tools import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SENSITIVE_SECONDS = 300
_GUEST_SECONDS = 3 * 3600
_WORKERS_PER_CPU = 2  # kernel tests wait for the kernel, or for silence, most of the time
_NO_TESTS = 5  # pytest's exit status
_UNIT, _KERNEL = "tests/unit", "tests/kernel"
_EPILOG = """\
Everything else is passed to pytest in all parts. A path under tests/unit or tests/kernel limits
the run to it: scripts/test tests/kernel/test_macvlan.py -k bridge
"""


@dataclass(frozen=True)
class Part:
    """The result of one part of the suite."""

    where: str
    passed: int
    failed: int
    skipped: int
    seconds: float
    good: bool
    remark: str = ""


@dataclass(frozen=True)
class Request:
    """The parsed command line."""

    kernels: Sequence[str]  # all kernel tests run in these guests and none here
    daemons: str | None  # days with the daemons of this Debian, and nothing else
    sensitive: bool  # only kernel-sensitive tests, on the oldest and newest kernel
    containers: bool  # only the tests with real container engines
    install: bool
    unit: Sequence[str]  # paths; empty: skip this part
    kernel: Sequence[str]
    options: Sequence[str]  # for pytest
    narrowed: bool  # by the user: a part without tests is fine


def main(arguments: Sequence[str]) -> int:
    """Run the parts and print a table. Returns 1 if any part failed."""
    request = _parse(arguments)
    os.chdir(CHECKOUT)
    if not _packages("tools", install=request.install):
        return EXIT_MISSING
    with tempfile.TemporaryDirectory(prefix="vlanlink-test-", dir="/tmp") as temporary:
        parts = _run_parts(request, Path(temporary))
    _print_table(parts)
    return 0 if all(part.good for part in parts) else 1


def _parse(arguments: Sequence[str]) -> Request:
    parser = argparse.ArgumentParser(
        prog="scripts/test",
        description="Run the whole test suite: unit tests here, kernel tests where they can run.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--kernel",
        "--kernels",
        choices=(*kernels.SUITES, "all"),
        help="run all kernel tests in a guest with this kernel (or with each), none here",
    )
    parser.add_argument(
        "--sensitive",
        action="store_true",
        help="run only kernel-sensitive tests, in guests with the oldest and the newest kernel, "
        f"at most {_SENSITIVE_SECONDS} s each",
    )
    parser.add_argument(
        "--daemons",
        nargs="?",
        choices=daemons.SUITES,
        const=daemons.SUITES[-1],
        help="run only the days with real daemons (systemd-networkd, NetworkManager, DHCP clients "
        "and others) of this Debian, on this machine; needs root. --record writes what they do to "
        "tests/kernel/recordings",
    )
    parser.add_argument(
        "--containers",
        action="store_true",
        help="run only the tests with real Podman, Docker, LXC and systemd-nspawn (needs root)",
    )
    parser.add_argument("--install", action="store_true", help="install missing Debian packages")
    known, rest = parser.parse_known_args(arguments)
    unit = [word for word in rest if word.startswith(_UNIT)]
    kernel = [word for word in rest if word.startswith(_KERNEL)]
    everything = not unit and not kernel
    return Request(
        kernels=_chosen_kernels(known.kernel),
        daemons=known.daemons,
        sensitive=known.sensitive,
        containers=known.containers,
        install=known.install,
        unit=[_UNIT] if everything else unit,
        kernel=[_KERNEL] if everything else kernel,
        options=[word for word in rest if word not in (*unit, *kernel)],
        narrowed=bool(rest),
    )


def _chosen_kernels(choice: str | None) -> list[str]:
    if choice == "all":
        return list(kernels.SUITES)
    return [choice] if choice else []


def _run_parts(request: Request, work: Path) -> list[Part]:
    if request.sensitive:
        return [_sensitive_part(request, work, version) for version in _oldest_and_newest()]
    if request.daemons:
        return [_daemons_part(request, work, request.daemons)]
    if request.containers:
        return [_containers_part(request, work)]
    parts = []
    if request.unit:
        parts.append(_unit_part(request, work))
    if request.kernel and request.kernels:
        parts += [_guest_part(request, work, version, None) for version in request.kernels]
    elif request.kernel:
        left = work / "left"
        parts.append(_here_part(request, work, left))
        if _line_count(left):
            parts.append(_guest_part(request, work, kernels.DEFAULT, left))
    return parts


def _oldest_and_newest() -> list[str]:
    versions = sorted(kernels.SUITES, key=lambda version: tuple(map(int, version.split("."))))
    return [versions[0], versions[-1]]


def _sensitive_part(request: Request, work: Path, version: str) -> Part:
    """Run sensitive tests on one kernel. A kernel that can't be fetched is not a failure."""
    try:
        kernels.get(version)
    except RigError as problem:
        print(f"test: can't get kernel {version}: {problem}")
        return Part(f"kernel, in the guest ({version})", 0, 0, 0, 0.0, True, "did NOT run")
    narrowed = replace(request, options=[*request.options, "-m", "sensitive"])
    return _guest_part(narrowed, work, version, None, seconds=_SENSITIVE_SECONDS)


def _daemons_part(request: Request, work: Path, suite: str) -> Part:
    """Run the days with real daemons, which come from a Debian in the cache."""
    if not _packages("bare", install=request.install):
        return _not_run(f"daemons of {suite}", None)
    report = work / "daemons.xml"
    command = [*_pytest("-n", "2"), f"--junitxml={report}", *request.options, "tests/daemons"]
    environment = {"VLANLINK_DAEMONS": str(daemons.get(suite))}
    status, seconds = _timed(f"days with the daemons of {suite}", command, environment)
    return _part(f"daemons of {suite}", report, status, seconds, may_be_empty=request.narrowed)


def _unit_part(request: Request, work: Path) -> Part:
    report = work / "unit.xml"
    command = [*_pytest("-n", "auto"), f"--junitxml={report}", *request.options, *request.unit]
    status, seconds = _timed("unit tests on this machine", command, {})
    return _part("unit, on this machine", report, status, seconds, may_be_empty=request.narrowed)


def _here_part(request: Request, work: Path, left: Path) -> Part:
    report = work / "here.xml"
    workers = str(_WORKERS_PER_CPU * (os.cpu_count() or 1))
    command = [*_pytest("-n", workers), f"--junitxml={report}", *request.options, *request.kernel]
    environment = {"VLANLINK_KERNEL_TESTS": "here", "VLANLINK_LEFT_FILE": str(left), **_with_kea()}
    status, seconds = _timed("kernel tests that can run on this machine", command, environment)
    number = _line_count(left)
    remark = f"{number} need another kernel or more privilege" if number else ""
    may_be_empty = request.narrowed or number > 0
    where = "kernel, on this machine"
    return _part(where, report, status, seconds, may_be_empty=may_be_empty, remark=remark)


def _with_kea() -> dict[str, str]:
    """PATH with Kea's server, whose tests are skipped without it (in CI they fail)."""
    try:
        place = kea.directory()
    except RigError as problem:
        print(f"test: can't get Kea: {problem}")
        place = None
    return {"PATH": f"{os.environ['PATH']}:{place}"} if place else {}


def _guest_part(
    request: Request, work: Path, version: str, left: Path | None, seconds: float = _GUEST_SECONDS
) -> Part:
    """Run all kernel tests or the tests in `left` in a guest."""
    where = f"kernel, in the guest ({version})"
    if not _packages("vm", install=request.install):
        return _not_run(where, left)
    report = work / f"guest-{version}.xml"
    guest = ["scripts/vm", "--kernel", version, "--timeout", f"{seconds:g}"]
    guest += ["--fetch", str(report)]
    if left:
        guest += ["--send", str(left)]
    tests = [f"@{left}"] if left else list(request.kernel)
    inside = [*_pytest("-n", "2"), f"--junitxml={report}", *request.options, *tests]
    environment = {"VLANLINK_KERNEL_TESTS": "all"}
    status, taken = _timed(
        f"kernel tests in the guest, kernel {version}", [*guest, "--", *inside], environment
    )
    return _part(where, report, status, taken, may_be_empty=request.narrowed)


def _containers_part(request: Request, work: Path) -> Part:
    """Run the tests with container engines; all that they start ends with them."""
    if not _packages("bare", install=request.install):
        return _not_run("container engines", None)
    report = work / "containers.xml"
    guarded = ["unshare", "--fork", "--pid", "--kill-child", "--mount-proc"]
    command = [*guarded, *_pytest(f"--junitxml={report}", *request.options, "tests/containers")]
    environment = {"VLANLINK_ENGINES": str(engines.get())}
    status, seconds = _timed("tests with container engines", command, environment)
    return _part("container engines", report, status, seconds, may_be_empty=request.narrowed)


def _pytest(*options: str) -> list[str]:
    return [str(CHECKOUT / ".venv/bin/pytest"), *options]


def _timed(title: str, command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, float]:
    print(f"== {title}", flush=True)
    start = time.monotonic()
    status = subprocess.run(command, env={**os.environ, **environment}, check=False).returncode
    return status, time.monotonic() - start


def _part(
    where: str, report: Path, status: int, seconds: float, *, may_be_empty: bool, remark: str = ""
) -> Part:
    passed, failed, skipped = _counts(report)
    good = status == 0 or (status == _NO_TESTS and may_be_empty)
    if not good and not failed:
        remark = f"ended with exit status {status}"
    return Part(where, passed, failed, skipped, seconds, good, remark)


def _counts(report: Path) -> tuple[int, int, int]:
    """Passed, failed and skipped tests in pytest's report."""
    if not report.exists():
        return 0, 0, 0
    suites = list(ET.parse(report).getroot().iter("testsuite"))
    tests, failures, errors, skipped = (
        sum(int(suite.get(name, "0")) for suite in suites)
        for name in ("tests", "failures", "errors", "skipped")
    )
    return tests - failures - errors - skipped, failures + errors, skipped


def _not_run(where: str, left: Path | None) -> Part:
    """Report that the guest can't run here: a failure in CI only."""
    number = _line_count(left) if left else 0
    what = f"{number} kernel tests" if left else "the kernel tests"
    print(f"test: {what} did NOT run: they need the guest, which can't run here (see above)")
    good = os.environ.get("CI") != "true"
    return Part(where, 0, 0, number, 0.0, good, "did not run: packages are missing")


def _line_count(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


def _packages(name: str, *, install: bool) -> bool:
    option = ["--install"] if install else []
    done = subprocess.run([str(CHECKOUT / "scripts/_packages.sh"), *option, name], check=False)
    return done.returncode == 0


def _print_table(parts: Sequence[Part]) -> None:
    print(f"\n{'':32}{'passed':>8}{'failed':>8}{'skipped':>9}{'time':>10}")
    for part in parts:
        counts = f"{part.passed:8}{part.failed:8}{part.skipped:9}{part.seconds:8.1f} s"
        print(f"{part.where:32}{counts}  {part.remark}".rstrip())
    passed, failed, skipped = (
        sum(getattr(part, name) for part in parts) for name in ("passed", "failed", "skipped")
    )
    broken = sum(not part.good and not part.failed for part in parts)
    print(f"\n{passed} passed, {failed + broken} failed, {skipped} skipped", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
