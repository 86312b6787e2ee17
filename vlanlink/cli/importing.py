"""``vlanlink import SOURCE``."""

import argparse
import sys

import vlanlink
from vlanlink import Diagnostic, UsageError
from vlanlink.cli import arguments as shared
from vlanlink.cli import output

DECIDE = 3
EXAMPLES = (
    "vlanlink import compose.yml -o office.toml",
    "vlanlink import 'docker network create -d macvlan --subnet 192.0.2.0/24 -o parent=eth0 pub'",
    "vlanlink import - --from json --running --parent eth0=enp3s0",
)
EXITS = {
    0: "done; warnings name what is not carried over",
    1: "the file can't be written",
    2: "the command line has errors, or the source can't be read",
    DECIDE: "the topology is valid, but something has to be decided first",
}
READ_ON = "docs/from-docker.md"


def arguments(parser: argparse.ArgumentParser) -> None:
    """SOURCE... [--from FORMAT] [--name NAME] [--parent OLD=NEW]... [--running] [-o FILE]."""
    parser.add_argument(
        "sources",
        metavar="SOURCE",
        nargs="+",
        help="a compose file, JSON of `docker network inspect`, a script, - for standard input, "
        "or a docker command in quotes",
    )
    parser.add_argument(
        "--from",
        dest="source_format",
        choices=("json", "compose", "shell"),
        metavar="FORMAT",
        help="json, compose or shell (default: by content)",
    )
    parser.add_argument(
        "--name", metavar="NAME", help="the topology's name (default: the project's or file's)"
    )
    parser.add_argument(
        "--parent",
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="another parent on this host, VLANs on it included (may be repeated)",
    )
    parser.add_argument(
        "--running",
        action="store_true",
        help="keep the addresses and MACs that containers have now",
    )
    shared.add_output(parser)
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0 if the topology can be used as it is, 3 if something has to be decided."""
    found = vlanlink.convert(
        options.sources,
        text=sys.stdin.buffer if "-" in options.sources else None,
        source_format=options.source_format,
        name=options.name,
        parents=dict(map(_renaming, options.parent)),
        running=options.running,
    )
    if options.json:
        output.print_json(found.to_dict())
    else:
        output.write(found.text, options.output)
        output.print_notes(found.warnings)
        if found.decisions:
            count = len(found.decisions)
            things = "1 thing has" if count == 1 else f"{count} things have"
            output.say(f"{things} to be decided: see DECIDE at the top.", stream=sys.stderr)
    return DECIDE if found.decisions else 0


def _renaming(text: str) -> tuple[str, str]:
    old, sign, new = text.partition("=")
    if not (old and sign and new):
        hint = "write --parent eth0=enp3s0"
        raise UsageError(Diagnostic(f"--parent {text} is not OLD=NEW", hint=hint))
    return old, new
