"""``vlanlink doctor [FILE]``."""

import argparse
import sys

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import output, terminal, wrapping
from vlanlink.cli.naming import as_run

WILL_FAIL = 3
EXAMPLES = (
    "vlanlink doctor",
    "sudo vlanlink doctor office.toml",
    "sudo vlanlink doctor --probe office.toml",
)
EXITS = {
    0: "nothing is known that will fail",
    1: "the kernel can't be read, or the LAN can't be asked",
    2: "the command line or the file has errors",
    WILL_FAIL: "something will fail",
    4: "--probe without privilege",
    130: "interrupted",
}
READ_ON = "docs/doctor.md"

_COLOURS = {"failure": "1;31", "warning": "1;33", "note": "1;36"}
_INDENT = 9
_WIDTH_IN_A_PIPE = 100
_NARROWEST = 40


def arguments(parser: argparse.ArgumentParser) -> None:
    """[FILE] [--probe] [--json]."""
    shared.add_file(parser, optional=True)
    parser.add_argument(
        "--probe",
        action="store_true",
        help="ask the LAN whether FILE's addresses are in use and its gateways are there",
    )
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0 if nothing is known that will fail, else 3."""
    topology = shared.read(options.file) if options.file else None
    report = vlanlink.doctor(topology, probe=options.probe)
    if options.json:
        output.print_json(report.to_dict())
    else:
        output.print_notes(topology.warnings if topology else ())
        for finding in report.findings:
            command = None if finding.is_table else finding.command
            _print(finding.severity, finding.what, finding.why, command, finding.place)
            if finding.is_table:
                _print_table(str(finding.command))
        output.say(_summary(report.topology, [finding.severity for finding in report.findings]))
    return 0 if report.ok else WILL_FAIL


def _print(
    severity: str, what: str, why: str, command: str | None, place: "vlanlink.Diagnostic | None"
) -> None:
    """The finding in bold, below it the reason, and the command on its own line."""
    where = f" ({place.file}:{place.line})" if place and place.line else ""
    head, *rest = _wrapped(what + where)
    rich = output.is_rich(sys.stdout)
    colour, bold, off = (f"\x1b[{_COLOURS[severity]}m", "\x1b[1m", "\x1b[0m") if rich else ("",) * 3
    sys.stdout.write(f"{colour}{severity:<{_INDENT}}{off}{bold}{head}{off}\n")
    output.say(*(f"{'':{_INDENT}}{line}" for line in rest), style="1" if rich else "")
    output.say(*(f"{'':{_INDENT}}{line}" for line in _wrapped(why)))
    if command:
        output.say(f"{'':{_INDENT}}→ {command}")


def _print_table(table: str) -> None:
    output.say(*(f"{'':{_INDENT}}{line}" for line in ("→ in the topology:", *table.split("\n"))))


def _wrapped(text: str) -> list[str]:
    width = terminal.width() if sys.stdout.isatty() else _WIDTH_IN_A_PIPE
    shown = as_run(vlanlink.printable(text))
    return wrapping.fitted(shown, max(_NARROWEST, width) - _INDENT, hang="")


def _summary(topology: str | None, severities: list[str]) -> str:
    about = f"{topology} on this machine" if topology else "this machine"
    counts = {name: severities.count(name) for name in _COLOURS}
    found = ", ".join(f"{n} {name}{'s' if n > 1 else ''}" for name, n in counts.items() if n)
    return f"{about}: {found or 'nothing found'}."
