"""What ``enable`` and ``disable`` do, step by step, each step told and, on a failure, undone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vlanlink.boot import managed_files, systemctl
from vlanlink.errors import ConflictError, Diagnostic, VlanlinkError

Action = Literal["create", "change", "delete"]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done."""

    action: Action
    object: Literal["file", "unit"]
    name: str
    summary: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "action": self.action,
            "object": self.object,
            "name": self.name,
            "summary": self.summary,
        }


class Work:
    """The steps so far, and how to go back."""

    def __init__(self) -> None:
        """Nothing is done yet."""
        self.steps: list[Step] = []
        self._undo: list[Callable[[], object]] = []

    def write(self, path: Path, text: str, summary: str = "") -> None:
        """Put a file of ours in place. Raises ConflictError if that can't be done."""
        before = managed_files.look(path).text
        if before is not None:
            self._undo.append(lambda: managed_files.write(path, before))
        else:
            if not path.parent.exists():
                self._undo.append(lambda: managed_files.remove_empty(path.parent))
            self._undo.append(lambda: path.unlink(missing_ok=True))
        with _told(f"can't write {path}"):
            managed_files.write(path, text)
        self.steps.append(Step("change" if before else "create", "file", str(path), summary))

    def write_unit(self, path: Path, text: str) -> None:
        """Put a unit of ours in place, and have systemd read it."""
        self._undo.append(systemctl.reload)
        self.write(path, text)
        systemctl.reload()

    def remove(self, path: Path) -> None:
        """Remove a file of ours. Raises ConflictError if that can't be done."""
        before = managed_files.look(path).text
        self._undo.append(lambda: managed_files.write(path, before or ""))
        with _told(f"can't remove {path}"):
            path.unlink()
        self.steps.append(Step("delete", "file", str(path)))

    def remove_unit(self, path: Path) -> None:
        """Remove a unit of ours, or a part of one, and have systemd forget it."""
        self._undo.append(systemctl.reload)
        self.remove(path)
        systemctl.reload()

    def systemctl(
        self, verb: str, unit: str, action: Action, summary: str, back: str | None = None
    ) -> None:
        """Tell systemd something about a unit; ``back`` is the verb that undoes it."""
        if back is not None:  # before the attempt: a start that fails leaves something behind
            self._undo.append(lambda: systemctl.tell(back, unit))
        systemctl.tell(verb, unit)
        self.steps.append(Step(action, "unit", unit, summary))

    @contextmanager
    def undone_if_it_fails(self) -> Iterator[None]:
        """Go back, last step first, when the context ends with an error."""
        try:
            yield
        except BaseException:
            for back in reversed(self._undo):
                with suppress(VlanlinkError, OSError):
                    back()
            raise


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConflictError(Diagnostic(f"{what}: {error.strerror}")) from None
