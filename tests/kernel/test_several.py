"""Several random topologies on one host, and what is done to them in turn: see several_bench.py.

A few by dice, or with ``--long`` many (see tests/conftest.py).
"""

import random

import pytest
from hypothesis import given, note, settings

from tests.kernel.edit_topologies import Hand
from tests.kernel.several_bench import went_well
from tests.kernel.several_grammar import Script, script, scripts
from vlanlink.kinds import KINDS

LONG = 500
SEEDS = (1005, 1010, 2023)
"""Where the property has found faults; each has its own test, too."""
SEEDS_IN_GUEST = (0,)


def check(given_script: Script) -> None:
    """One of Hypothesis', which makes it smaller while it fails."""
    note(str(given_script))
    went_well(given_script)


def run(kinds: tuple[str, ...], seeds: tuple[int, ...], *, long_run: bool) -> None:
    if long_run:
        settings(max_examples=LONG)(given(given_script=scripts(kinds))(check))()
    for seed in () if long_run else seeds:
        diced = script(Hand(random.Random(seed).randint, kinds))
        try:
            went_well(diced)
        except Exception as error:
            error.add_note(f"seed {seed}:\n{diced}")
            raise


@pytest.mark.needs("macvlan", "veth")
def test_several_topologies_of_macvlan_and_veth(long_run: bool) -> None:
    run(("macvlan", "veth"), SEEDS, long_run=long_run)


@pytest.mark.needs(*KINDS)
def test_several_topologies_of_every_kind(long_run: bool) -> None:
    run(tuple(KINDS), SEEDS_IN_GUEST, long_run=long_run)
