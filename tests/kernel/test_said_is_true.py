"""What `plan`, `doctor` and `verify` say, held against what `up` does: examples, random topologies.

The pairs of `test_edit_pairs` and the random edits hold `plan` against `up` as well.
"""

import pytest

import vlanlink
from tests.kernel.edit_bench import (
    Bench,
    UnusableError,
    given_places,
    places_of,
    refusal,
    right,
)
from tests.kernel.edit_grammar import Pair, ask_lan, given_seed
from tests.kernel.edit_judge import told_and_seen
from tests.kernel.examples import every_example, example
from tests.kernel.lan import Lan
from tests.kernel.world import own_world
from vlanlink.kinds import KINDS

FEW, MANY, IN_GUEST = 6, 300, 1


def kept_promises(topology: vlanlink.Topology, report: vlanlink.Report) -> None:
    """It is up. If `doctor` found nothing, `verify` is as promised.

    Who holds a gateway outside the topology, only the LAN can tell.
    """
    found = vlanlink.verify(topology)
    assert all(check.measured is not None for check in found.checks), "told without a measurement"
    assert not any(check.judged for check in found.unmeasured)
    wrong = [check for check in found.differences if check.target != "gateway"]
    if not report.findings:
        right("doctor found nothing", [str(check.to_dict()) for check in wrong])


@pytest.mark.parametrize("name", every_example())
def test_an_example_that_doctor_passes(lan: Lan, name: str) -> None:
    topology = example(name)
    lan.hairpin(on="hairpin = true" in vlanlink.to_toml(topology))
    report = vlanlink.doctor(topology)
    assert report.ok, report.findings
    vlanlink.up(topology)
    kept_promises(topology, report)


def told_is_done(seed: int, kinds: tuple[str, ...]) -> None:
    """One random topology on a host of its own."""
    tables = given_seed(seed, kinds)
    ask_lan(tables, False)
    pair = Pair(tables, tables, ())
    with own_world() as world:
        bench = Bench(world, given_places(pair))
        try:
            topology = bench.topology(tables)
        except vlanlink.TopologyError as error:
            raise UnusableError(str(error)) from error
        start = bench.settled()
        report = vlanlink.doctor(topology)
        planned = None if report.ok is False else vlanlink.plan(topology)
        why = refusal(topology)
        assert not (why and report.ok), f"doctor found no failure, up says: {why}"
        if not why:
            assert planned is not None, f"up works, doctor says: {report.findings}"
            where = places_of(tables)
            right("told is not done", told_and_seen(planned, start, bench.settled(), where, where))
            kept_promises(topology, report)
            vlanlink.down(topology.name)


def run(kinds: tuple[str, ...], many: int) -> None:
    """``many`` usable topologies, of at most four times as many."""
    done = 0
    for seed in range(4 * many):
        try:
            told_is_done(seed, kinds)
        except UnusableError:
            continue
        except Exception as error:
            raise AssertionError(f"topology {seed}: {given_seed(seed, kinds)}\n{error}") from error
        done += 1
        if done == many:
            return
    raise AssertionError(f"only {done} of {4 * many} topologies are usable")


@pytest.mark.needs("macvlan", "veth")
def test_random_topologies_of_macvlan_and_veth(long_run: bool) -> None:
    run(("macvlan", "veth"), MANY if long_run else FEW)


@pytest.mark.needs(*KINDS)
def test_random_topologies_of_every_kind(long_run: bool) -> None:
    run(tuple(KINDS), MANY if long_run else IN_GUEST)
