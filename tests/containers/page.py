"""What a page of docs/ shows, to be run."""

import re
import shlex
from pathlib import Path

_DOCS = Path(__file__).parents[2] / "docs"


def shown(page: str, after: str = "") -> str:
    """The first block of a page, or the first after some words of it."""
    text = (_DOCS / page).read_text()
    return text[text.index(after) :].split("```")[1].partition("\n")[2]


def commands(page: str, after: str = "") -> list[list[str]]:
    """The commands of that block: its lines that begin with sudo."""
    found = re.findall(r"^(?:\$ )?sudo (.*)$", shown(page, after), re.MULTILINE)
    return [shlex.split(line, comments=True) for line in found]
