"""``vlanlink verify FILE|NAME``."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import cast

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import exits, output
from vlanlink.cli.tables import Column, print_table

DIFFERS = 3
EXAMPLES = ("sudo vlanlink verify office", "sudo vlanlink verify office.toml --all --json")
EXITS = {
    0: "every probe is as expected",
    **exits.READING,
    DIFFERS: "a probe differs from what is expected, or the topology is down",
}
READ_ON = "docs/verify.md"
ROWS = 100
"""More rows are summarized by kind."""
LISTED = 10
"""Differences of one cause that are listed with the measured facts; the rest in short."""
_COLUMNS = {
    "expected": Column("expected", drop=2),
    "measured": Column("measured", drop=3),
    "why": Column("why", drop=1, text=True),
}

Row = dict[str, object]


def arguments(parser: argparse.ArgumentParser) -> None:
    """FILE|NAME [--all] [--json]."""
    shared.add_file_or_name(parser)
    parser.add_argument(
        "--all",
        action="store_true",
        help="check every pair (default: a sample above 50 endpoints)",
    )
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0 if every probe is as expected, else 3."""
    topology = shared.read_or_name(options.topology)
    with output.progress("verify") as report:
        found = vlanlink.verify(topology, on_progress=report, everything=options.all)
    if options.json:
        output.print_json(found.to_dict())
    else:
        _print(found)
    if found.state == "drifted":
        hint = f"see vlanlink status {options.topology}"
        output.say(f"{found.topology} differs from its file: {hint}", stream=sys.stderr)
    return 0 if found.ok else DIFFERS


def _print(found: "vlanlink.Verification") -> None:
    if found.state == "down":
        output.say(f"{found.topology} is down: nothing to verify (vlanlink up FILE brings it up).")
        return
    for style, line in _differences([check.to_dict() for check in found.differences]):
        output.say(line, style=style)
    kept = [check.to_dict() for check in found.checks if check.ok]
    columns = ("from", "to", "address", "expected", "measured", "why")
    _print_rows(kept, columns)
    unjudged = [check.to_dict() for check in found.unjudged]
    if unjudged:
        output.say("Not judged: only a router outside the topology could connect them.")
        _print_rows(unjudged, ("from", "to", "address", "measured", "why"))
    unmeasured = [check.to_dict() for check in found.unmeasured]
    if unmeasured:
        output.say("Not measured:")
        _print_rows(unmeasured, ("from", "to", "address", "why"))
    output.say(*_summary(found))


def _print_rows(rows: list[Row], columns: tuple[str, ...]) -> None:
    cells = [{**row, "why": row["kind" if "expected" in row else "reason"]} for row in rows]
    if len(cells) > ROWS:
        columns = ("from", "to", "pairs", *columns[3:])
        cells = list(_by_kind(cells, columns))
    if cells:
        heads = [_COLUMNS.get(key, Column(key)) for key in columns]
        print_table(heads, ([str(row[key]) for key in columns] for row in cells))


def _by_kind(rows: Iterable[Row], columns: tuple[str, ...]) -> Iterator[Row]:
    """Rows per kind: endpoint, host or gateway, by outcome and cause."""
    keys = [key for key in columns if key != "pairs"]
    counts = Counter(tuple(str(_kind(row, key)) for key in keys) for row in rows)
    for values, count in counts.items():
        yield {**dict(zip(keys, values, strict=True)), "pairs": count}


def _kind(row: Row, key: str) -> object:
    if key in ("from", "to"):
        return row[key] if row[key] in ("host", "gateway") else "endpoint"
    return row["kind"] if key == "why" else row[key]


def _differences(rows: Iterable[Row]) -> Iterator[tuple[str, str]]:
    """Styled lines: each cause, then its pairs with the measured facts."""
    style = "1;31" if output.is_rich(sys.stdout) else ""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        head = f"expected {row['expected']}, measured {row['measured']} ({row['kind']})"
        cause = f"  cause: {row['cause'] or 'unknown'}"
        groups.setdefault((head, cause), []).append(row)
    for (head, cause), members in groups.items():
        yield style, head
        yield "", cause
        for row in members[:LISTED]:
            facts = cast("list[str]", row["facts"])
            yield "", f"  {row['from']} → {row['to']} {row['address']}: {'; '.join(facts)}"
        yield from (("", line) for line in _in_short(members[LISTED:]))


def _in_short(rows: Iterable[Row]) -> Iterator[str]:
    """A line per source, with all its targets."""
    targets: dict[object, list[str]] = {}
    for row in rows:
        targets.setdefault(row["from"], []).append(f"{row['to']} {row['address']}")
    for source, found in targets.items():
        yield f"  {source} → {', '.join(found)}"


def _summary(found: "vlanlink.Verification") -> list[str]:
    good = len(found.checks) - len(found.differences)
    parts = [f"{good} of {len(found.checks)} as expected"]
    parts += [f"{len(found.unjudged)} not judged"] if found.unjudged else []
    parts += [f"{len(found.unmeasured)} not measured"] if found.unmeasured else []
    lines = [f"{found.topology}: {', '.join(parts)}."]
    if found.sampled < found.endpoints:
        of = f"{found.sampled} of {found.endpoints} endpoints"
        lines.append(f"Sample: {of}, at least two of every kind; --all checks every pair.")
    return lines
