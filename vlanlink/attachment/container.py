"""Containers by name: their process, as podman or docker tells it. Nothing else of them is used."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

from vlanlink.dataclass import dataclass
from vlanlink.errors import ConflictError, Diagnostic, UsageError

ENGINES = ("podman", "docker")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)
_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Container:
    """A container that runs."""

    engine: str
    name: str
    pid: int


def find_container(name: str, engines: tuple[str, ...] = ENGINES) -> Container:
    """The running container of that name. Raises ConflictError, UsageError for an invalid name."""
    if not _NAME.fullmatch(name):
        hint = "podman ps and docker ps list the names"
        raise UsageError(Diagnostic(f"{name!r} is not a container's name", hint=hint))
    installed = [engine for engine in engines if shutil.which(engine)]
    if not installed:
        message = f"container {name} can't be looked up: neither podman nor docker is installed"
        raise ConflictError(Diagnostic(message, hint="name its process: --pid PID"))
    found = list(_found(name, installed))
    running = next((one for one in found if one.pid), None)
    if running:
        return running
    state = "does not run" if found else "does not exist"
    hint = f"{installed[0]} start {name}" if found else f"{installed[0]} ps lists those that run"
    raise ConflictError(Diagnostic(f"container {name} {state}", hint=hint))


def _found(name: str, engines: list[str]) -> Iterator[Container]:
    for engine in engines:
        words = [engine, "container", "inspect", name]
        try:
            done = subprocess.run(
                words, capture_output=True, text=True, check=False, timeout=_SECONDS
            )
            state: Any = json.loads(done.stdout)[0]["State"] if done.returncode == 0 else None
            if state is not None:
                yield Container(engine, name, int(state["Pid"]))
        except (OSError, subprocess.TimeoutExpired) as error:
            message = f"{' '.join(words)} failed: {error}"
            raise ConflictError(Diagnostic(message, hint="name its process: --pid PID")) from None
        except (ValueError, LookupError, TypeError):
            message = f"{' '.join(words)} printed something else than a container"
            raise ConflictError(Diagnostic(message, hint="name its process: --pid PID")) from None
