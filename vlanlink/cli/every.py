"""``--all``: the same for several topologies, whatever becomes of one."""

from collections.abc import Callable, Iterable
from typing import Any

from vlanlink import Diagnostic, Interrupted, UsageError, VlanlinkError
from vlanlink.cli import output


def refuse(*given: str) -> None:
    """Raise UsageError for arguments that ``--all`` excludes."""
    if given:
        raise UsageError(
            Diagnostic(f"--all and {given[0]} exclude each other", hint="leave one out")
        )


def each(names: Iterable[str], act: Callable[[str], dict[str, Any]], *, as_json: bool) -> int:
    """Run ``act``, which returns a JSON form, for each name; the exit code of the first failure."""
    code, documents = 0, []
    for name in names:
        try:
            document = act(name)
        except Interrupted:
            raise
        except VlanlinkError as error:
            code = code or error.exit_code
            document = {"topology": name, **error.to_dict()}
            if not as_json:
                output.print_error(error, as_json=False)
        del document["version"]
        documents.append(document)
    if as_json:
        output.print_json({"topologies": documents})
    return code
