"""Random edits, judged by the property of ``edit_bench``.

A short fixed run, or with ``--long`` a long random one (see tests/conftest.py).
"""

from itertools import count, islice

import pytest
from hypothesis import assume, given, note, reject, settings

from tests.kernel.edit_bench import UnusableError, went_well
from tests.kernel.edit_grammar import Pair, diced, pairs
from vlanlink.kinds import KINDS

LONG = 1000
SHORT = 20
SHORT_IN_GUEST = 1


def check(pair: Pair) -> None:
    """A pair of Hypothesis', which makes it smaller while it fails."""
    assume(pair.differs())
    note(str(pair))
    try:
        went_well(pair)
    except UnusableError:
        reject()


def check_all(kinds: tuple[str, ...], many: int) -> None:
    """That many pairs by dice. One whose first file is wrong says nothing, and counts."""
    drawn = ((seed, diced(seed, kinds)) for seed in count())
    for seed, pair in islice(((n, one) for n, one in drawn if one.differs()), many):
        try:
            went_well(pair)
        except UnusableError:
            continue
        except Exception as error:
            raise AssertionError(f"pair {seed}: {pair}\n{error}") from error


def run(kinds: tuple[str, ...], short: int, *, long_run: bool) -> None:
    if long_run:
        settings(max_examples=LONG)(given(pair=pairs(kinds))(check))()
    else:
        check_all(kinds, short)


@pytest.mark.needs("macvlan", "veth")
def test_edits_of_macvlan_and_veth(long_run: bool) -> None:
    run(("macvlan", "veth"), SHORT, long_run=long_run)


@pytest.mark.needs(*KINDS)
def test_edits_of_every_kind(long_run: bool) -> None:
    run(tuple(KINDS), SHORT_IN_GUEST, long_run=long_run)
