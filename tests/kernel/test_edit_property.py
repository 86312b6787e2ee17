"""Random edits, judged by the property of ``edit_bench``.

A short fixed run, or with ``--long`` a long random one (see tests/conftest.py).
"""

import pytest
from hypothesis import Phase, assume, given, note, reject, settings

from tests.kernel.edit_bench import UnusableError, went_well
from tests.kernel.edit_grammar import Pair, pairs
from vlanlink.kinds import KINDS

LONG = 1000
SHORT = 20
SHORT_IN_GUEST = 2
MANY = "edits of several kinds go wrong: see test_edit_pairs"


def check(pair: Pair) -> None:
    assume(pair.differs())
    note(str(pair))
    try:
        went_well(pair)
    except UnusableError:
        reject()


def run(kinds: tuple[str, ...], examples: int) -> None:
    """Hypothesis, with as many examples as fit; only a long run has the time to shrink."""
    phases = set(Phase) if examples == LONG else {Phase.explicit, Phase.generate}
    settings(max_examples=examples, phases=phases)(given(pair=pairs(kinds))(check))()


@pytest.mark.xfail(strict=True, reason=MANY)
@pytest.mark.needs("macvlan", "veth")
def test_edits_of_macvlan_and_veth(long_run: bool) -> None:
    run(("macvlan", "veth"), LONG if long_run else SHORT)


@pytest.mark.needs(*KINDS)
def test_edits_of_every_kind(long_run: bool) -> None:
    run(tuple(KINDS), LONG if long_run else SHORT_IN_GUEST)
