"""``run``, ``popen`` and ``enter``: a command inside a namespace."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from vlanlink import log
from vlanlink.errors import Diagnostic, UsageError, nearest
from vlanlink.host import Host
from vlanlink.kernel.netns.exec import become, find_namespace, start
from vlanlink.kernel.netns.names import named
from vlanlink.reconcile.checks import need_privilege
from vlanlink.reconcile.session import open_session

if TYPE_CHECKING:
    from pwd import struct_passwd
    from subprocess import CompletedProcess, Popen


def run(
    namespace: str,
    command: Sequence[str],
    host: Host | None = None,
    *,
    input: Any = None,  # noqa: A002 - as subprocess.run has it
    timeout: float | None = None,
    check: bool = False,
    capture_output: bool = False,
    **options: Any,
) -> "CompletedProcess[Any]":
    """Run ``command`` inside a namespace, as subprocess.run does; ``options`` are those of Popen.

    Raises as ``popen``, and as subprocess.run for ``timeout`` and ``check``.
    """
    import subprocess

    if input is not None:
        options["stdin"] = subprocess.PIPE
    if capture_output:
        options["stdout"] = options["stderr"] = subprocess.PIPE
    with popen(namespace, command, host, **options) as process:
        try:
            out, err = process.communicate(input, timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done


def popen(
    namespace: str, command: Sequence[str], host: Host | None = None, **options: Any
) -> "Popen[Any]":
    """Start ``command`` inside a namespace; ``options`` are those of subprocess.Popen.

    Files in /etc/netns/NAMESPACE replace those in /etc; one without a counterpart there is a
    warning in the log. Raises UsageError for an unknown namespace, OSError as Popen does,
    PrivilegeError without root.
    """
    path, overlay = _namespace_path(namespace, host), _overlay(namespace, host)
    return start(path, namespace, overlay, command, options, _log_warning)


def enter(
    namespace: str,
    command: Sequence[str],
    host: Host | None = None,
    *,
    user: str | None = None,
    on_warning: Callable[[Diagnostic], None] | None = None,
) -> NoReturn:
    """Replace this process by ``command`` inside a namespace.

    Files in /etc/netns/NAMESPACE replace those in /etc. ``on_warning`` is called for each without a
    counterpart there; by default that is a warning in the log. ``user`` is the name or number of
    the user to run as, with that user's groups and no capabilities; the environment is kept. Raises
    UsageError for an unknown namespace or user, FileNotFoundError and PermissionError as execvp(3)
    does, PrivilegeError without root.
    """
    found = _user(user) if user is not None else None
    if found:
        need_privilege("running a command as another user", "CAP_SETGID", "CAP_SETUID")
    path, overlay = _namespace_path(namespace, host), _overlay(namespace, host)
    become(path, namespace, overlay, command, found, on_warning or _log_warning)


def _log_warning(warning: Diagnostic) -> None:
    if logger := log.wanted(log.WARNING):
        logger.warning("%s", warning.message)


def _user(name: str) -> "struct_passwd":
    import pwd

    try:
        return pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
    except (KeyError, OverflowError, ValueError):
        hint = "getent passwd lists the users of this machine"
        raise UsageError(Diagnostic(f"unknown user: {name}", hint=hint)) from None


def _overlay(namespace: str, host: Host | None) -> Path:
    return (host or Host()).etc_netns_directory / namespace


def _namespace_path(namespace: str, host: Host | None) -> str:
    host = host or Host()
    need_privilege("running a command in a namespace")
    with open_session(host) as session:
        records = session.store.records()
    paths = {name: path for record in records for name, path in record.paths.items()}
    path = find_namespace(namespace, host.netns_directory, paths)
    if path is None:
        raise UsageError(_no_namespace(namespace, host))
    return path


def _no_namespace(name: str, host: Host) -> Diagnostic:
    names = [found for found, _ in named(host.netns_directory)]
    hint = f"namespaces here: {', '.join(names[:12])}" if names else "no namespace has a name here"
    meant = nearest(name, names)
    if meant:
        hint = f"did you mean {meant}? {hint}"
    return Diagnostic(f"unknown namespace: {name}", hint=hint)
