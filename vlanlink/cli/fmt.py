"""``vlanlink fmt [FILE...]``."""

import argparse
import os
import sys
import tempfile
from contextlib import suppress

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import output

DIFFERS = 3
EXAMPLES = ("vlanlink fmt office.toml", "vlanlink fmt --check topologies/*.toml")
EXITS = {
    0: "done; with --check: nothing would change",
    1: "a file can't be written",
    2: "the command line or a file has errors; that file is unchanged",
    DIFFERS: "with --check: a file would change",
}
READ_ON = "docs/topology.md"


def arguments(parser: argparse.ArgumentParser) -> None:
    """[FILE...] [--check] [--json]."""
    shared.add_files(parser)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 3 if a file would change"
    )
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0 when the files are in vlanlink's layout."""
    files = options.files or [shared.file_or_default(None)]
    changed = {file: _format(file, check=options.check) for file in files}
    if options.json:
        rows = [{"file": file, "changed": changed[file]} for file in files]
        output.print_json({"files": rows})
    elif options.check or files != ["-"]:
        word = "would change" if options.check else "formatted"
        output.say(*(f"{file}: {word if changed[file] else 'OK'}" for file in files))
    return DIFFERS if options.check and any(changed.values()) else 0


def _format(file: str, *, check: bool) -> bool:
    """Whether the file was, or would be, changed. Standard input goes to stdout."""
    before = sys.stdin.buffer.read().decode(errors="surrogateescape") if file == "-" else None
    after = vlanlink.formatted(shared.need_file(file), text=before)
    if file == "-":
        if not check:
            output.write(after, None)
        return after != before
    with open(file, encoding="utf-8", newline="") as stream:
        changed = stream.read() != after
    if changed and not check:
        _replace(os.path.realpath(file), after)
    return changed


def _replace(file: str, text: str) -> None:
    """Replace a file atomically; owner and mode stay."""
    was = os.stat(file)
    descriptor, name = tempfile.mkstemp(prefix=".vlanlink-", dir=os.path.dirname(file))
    try:
        with open(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            if (was.st_uid, was.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(stream.fileno(), was.st_uid, was.st_gid)
            os.fchmod(stream.fileno(), was.st_mode & 0o7777)
        os.replace(name, file)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
