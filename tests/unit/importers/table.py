"""The table of docs/from-docker.md: sources, endpoints and their addresses."""

from functools import cache
from pathlib import Path

import vlanlink

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/from-docker.md"
COMPOSE = ROOT / "tests/cases/compose"

Addresses = dict[tuple[str, str], set[str]]


@cache
def rows() -> dict[str, Addresses]:
    """Source to endpoint to addresses, as the page has them."""
    found: dict[str, Addresses] = {}
    source = ""
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 3 and "/" in cells[1]:
            source = _source(cells[0]) or source
            namespace, _, interface = cells[1].strip("`").partition("/")
            addresses = {one.strip("`,") for one in cells[2].split()}
            found.setdefault(source, {})[namespace, interface] = addresses
    return found


def _source(cell: str) -> str:
    """A file's name, or a command."""
    return cell.partition("](")[0].removeprefix("[").strip("`").replace("<br>", " ")


SOURCES = list(rows())


def conversion(source: str) -> vlanlink.Conversion:
    """What the import makes of a source of the table."""
    return vlanlink.convert(COMPOSE / source if source.endswith(".yml") else source, name="moved")


def addresses_of(state: vlanlink.State) -> Addresses:
    """The addresses of all endpoints."""
    return {
        (name, link.name): {address.bare for address in link.addresses if not address.link_local}
        for name, namespace in state.namespaces.items()
        if name
        for link in namespace.links.values()
        if link.name != "lo"
    }
