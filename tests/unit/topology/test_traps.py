"""What people write by habit: the first line that they read, and what its hint leads to."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.unit.topology.mending import apply, errors, first, is_valid, mended

CASES = Path(__file__).parents[2] / "cases"


class Trap(NamedTuple):
    title: str
    by_hand: bool
    wrong: str
    said: str
    mended: str


def traps() -> list[Trap]:
    blocks = (CASES / "traps.txt").read_text(encoding="utf-8").split("=== ")[1:]
    return [trap(block) for block in blocks]


def trap(block: str) -> Trap:
    title, _, rest = block.partition("\n")
    wrong, said, after = re.split(r"^--- \w+\n", rest, flags=re.MULTILINE)
    return Trap(title.removesuffix(" (by hand)"), title.endswith("(by hand)"), wrong, said, after)


TRAPS = traps()


def test_there_are_a_hundred_and_more_of_them() -> None:
    assert len(TRAPS) >= 100
    assert len({one.title for one in TRAPS}) == len(TRAPS)


@pytest.mark.parametrize("one", TRAPS, ids=[one.title for one in TRAPS])
def test_trap(one: Trap) -> None:
    problem = first(one.wrong)
    assert problem is not None
    hint = f"hint: {problem.hint}\n" if problem.hint else ""
    assert f"{str(problem).partition(chr(10))[0]}\n{hint}" == one.said
    assert (mended(one.wrong) is None) == one.by_hand
    if not one.by_hand:
        assert mended(one.wrong) == one.mended
    assert is_valid(one.mended)


TEXTS = sorted((CASES / "broken").glob("*.txt"))
BROKEN = [file.with_suffix(".toml").read_text(encoding="utf-8") for file in TEXTS]


@pytest.mark.parametrize("text", [*BROKEN, *(one.wrong for one in TRAPS)])
def test_a_hint_leads_to_a_valid_file_or_to_another_error(text: str) -> None:
    for problem in errors(text):
        after = apply(text, problem)
        if after is not None:
            told = {(one.message, one.line) for one in errors(after)}
            assert (problem.message, problem.line) not in told, (problem, after)
