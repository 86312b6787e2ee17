"""Several random topologies on one host, and what is done to them in turn: see several_bench.py.

A few of macvlan and veth by dice, or with ``--long`` many of every kind that the kernel has
(`scripts/vm` runs one that has all; see tests/conftest.py).
"""

import random

import pytest
from hypothesis import given, note, settings

from tests.kernel.edit_topologies import Hand
from tests.kernel.features import missing
from tests.kernel.several_bench import went_well
from tests.kernel.several_grammar import Script, script, scripts
from vlanlink.kinds import KINDS

LONG = 500
SEEDS = (59, 168, 294)


def check(given_script: Script) -> None:
    """One of Hypothesis', which makes it smaller while it fails."""
    note(str(given_script))
    went_well(given_script)


@pytest.mark.needs("macvlan", "veth")
def test_several_topologies(long_run: bool) -> None:
    if long_run:
        kinds = tuple(kind for kind in KINDS if not missing([kind]))
        settings(max_examples=LONG)(given(given_script=scripts(kinds))(check))()
        return
    for seed in SEEDS:
        diced = script(Hand(random.Random(seed).randint, ("macvlan", "veth")))
        try:
            went_well(diced)
        except Exception as error:
            error.add_note(f"seed {seed}:\n{diced}")
            raise
