"""The steps of ``enable`` and ``disable``: recorded, and undone after an error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from vlanlink.boot import managed_files, systemctl
from vlanlink.dataclass import dataclass
from vlanlink.errors import ConflictError, Diagnostic, VlanlinkError

Action = Literal["create", "change", "delete"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step that was done."""

    action: Action
    object: Literal["file", "unit"]
    name: str
    summary: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "action": self.action,
            "object": self.object,
            "name": self.name,
            "summary": self.summary,
        }


class Steps:
    """The steps so far, and how to undo them."""

    def __init__(self) -> None:
        """Start without steps."""
        self.done: list[Step] = []
        self._undo: list[Callable[[], object]] = []

    def write(self, path: Path, text: str, summary: str = "") -> None:
        """Write a managed file. Raises ConflictError, or PrivilegeError where others can write."""
        before = managed_files.read(path).text
        if before is not None:
            self._undo.append(lambda: managed_files.write(path, before))
        else:
            if not path.parent.exists():
                self._undo.append(lambda: managed_files.remove_empty(path.parent))
            self._undo.append(lambda: path.unlink(missing_ok=True))
        with _explained(f"can't write {path}"):
            managed_files.write(path, text)
        self.done.append(Step("change" if before else "create", "file", str(path), summary))

    def write_unit(self, path: Path, text: str) -> None:
        """Write a unit file and make systemd read it."""
        self._undo.append(systemctl.reload)
        self.write(path, text)
        systemctl.reload()

    def remove(self, path: Path) -> None:
        """Remove a managed file. Raises ConflictError, PrivilegeError as ``write``."""
        before = managed_files.read(path).text
        self._undo.append(lambda: managed_files.write(path, before or ""))
        with _explained(f"can't remove {path}"):
            managed_files.remove(path)
        self.done.append(Step("delete", "file", str(path)))

    def remove_unit(self, path: Path) -> None:
        """Remove a unit file or drop-in and make systemd forget it."""
        self._undo.append(systemctl.reload)
        self.remove(path)
        systemctl.reload()

    def systemctl(
        self, verb: str, unit: str, action: Action, summary: str, undo: str | None = None
    ) -> None:
        """Run ``systemctl VERB UNIT``; ``undo`` is the verb that undoes it."""
        if undo is not None:  # registered first: a failed start leaves something behind
            self._undo.append(lambda: systemctl.run(undo, unit))
        systemctl.run(verb, unit)
        self.done.append(Step(action, "unit", unit, summary))

    def want(self, link: Path, unit: str) -> None:
        """Have a unit started with the one whose .wants directory ``link`` is in."""
        self._undo.append(systemctl.reload)
        self._undo.append(lambda: managed_files.remove_empty(link.parent))
        self._undo.append(lambda: link.unlink(missing_ok=True))
        systemctl.run("add-wants", link.parent.name.removesuffix(".wants"), unit)

    @contextmanager
    def undone_on_error(self) -> Iterator[None]:
        """Undo all steps, last one first, if the block raises."""
        try:
            yield
        except BaseException:
            for undo in reversed(self._undo):
                with suppress(VlanlinkError, OSError):
                    undo()
            raise


@contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConflictError(Diagnostic(f"{what}: {error.strerror}")) from None
