"""``vlanlink validate [FILE...]``."""

import argparse
from typing import Any

from vlanlink import TopologyError
from vlanlink.cli import arguments as shared
from vlanlink.cli import output

EXAMPLES = ("vlanlink validate office.toml", "vlanlink validate topologies/*.toml")
EXITS = {0: "no errors; warnings may be printed", 2: "the command line or a file has errors"}
READ_ON = "docs/topology.md"


def arguments(parser: argparse.ArgumentParser) -> None:
    """[FILE...] [--json]."""
    shared.add_files(parser)
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0 if all files are without errors."""
    files = options.files or [shared.file_or_default(None)]
    if len(files) == 1:
        found = _checked(files[0])
        if options.json:
            output.print_json(found)
        else:
            output.say(f"{files[0]}: OK")
        return 0
    return _many(files, as_json=options.json)


def _checked(file: str) -> dict[str, Any]:
    """The JSON form of a file without errors; its warnings are printed."""
    topology = shared.read(file)
    output.print_notes(topology.warnings)
    warnings = [warning.to_dict() for warning in topology.warnings]
    return {"topology": topology.name, "errors": [], "warnings": warnings}


def _many(files: list[str], *, as_json: bool) -> int:
    """Check all files, whatever is wrong with one."""
    code, documents = 0, []
    for file in files:
        try:
            found = _checked(file)
        except TopologyError as error:
            code = error.exit_code
            errors = [diagnostic.to_dict() for diagnostic in error.diagnostics]
            found = {"topology": None, "errors": errors, "warnings": []}
            if not as_json:
                output.print_notes(error.diagnostics)
        else:
            if not as_json:
                output.say(f"{file}: OK")
        documents.append({"file": file, **found})
    if as_json:
        output.print_json({"files": documents})
    return code
