"""When a thing is repaired again, and when the watch gives up on it."""

from vlanlink.watcher.backoff import Backoff, Policy, doubled

POLICY = Policy(
    immediate=2, first_delay=1.0, longest_delay=8.0, give_up_after=6, forget_after=100.0
)


def test_immediate_then_doubling_delays_then_given_up() -> None:
    backoff, now, delays = Backoff(POLICY), 0.0, []
    for _ in range(POLICY.give_up_after):
        assert backoff.give_up({"a"}, now) == set()
        delay = backoff.delay({"a"}, now)
        assert delay is not None
        delays.append(delay)
        now += delay
        backoff.count({"a"}, now)
    assert delays == [0, 0, 1, 2, 4, 8]
    assert backoff.give_up({"a"}, now) == {"a"}
    assert backoff.give_up({"a"}, now) == set()  # reported once
    assert backoff.delay({"a"}, now + 1000) is None


def test_a_delay_counts_from_the_last_repair() -> None:
    backoff = Backoff(POLICY)
    for now in range(3):
        backoff.count({"a"}, now)
    assert backoff.delay({"a"}, 2.5) == 1.5
    assert backoff.delay({"a"}, 60) == 0


def test_one_thing_does_not_wait_for_another() -> None:
    backoff = Backoff(POLICY)
    for _ in range(6):
        backoff.count({"a"}, 0)
    assert backoff.give_up({"a", "b"}, 0) == {"a"}
    assert backoff.delay({"a", "b"}, 0) == 0
    assert backoff.given_up == {"a"}


def test_what_is_in_sync_is_watched_again_and_soon_given_up_again() -> None:
    backoff = Backoff(POLICY)
    for _ in range(6):
        backoff.count({"a"}, 0)
    backoff.give_up({"a"}, 0)
    backoff.give_up((), 1)
    assert backoff.given_up == set()
    assert backoff.give_up({"a"}, 2) == {"a"}


def test_repairs_are_forgotten() -> None:
    backoff = Backoff(POLICY)
    for _ in range(3):
        backoff.count({"a"}, 0)
    assert backoff.delay({"a"}, 0) == 2
    assert backoff.delay({"a"}, 100) == 0
    backoff.count({"a"}, 100)
    assert backoff.delay({"a"}, 100) == 2  # one of three is forgotten, one is new
    backoff.give_up((), 100 + 3 * POLICY.forget_after)
    assert backoff == Backoff(POLICY)  # old repairs leave nothing behind


def test_delays_have_a_bound() -> None:
    assert [doubled(POLICY, times) for times in (0, 1, 2, 3, 4, 5000)] == [1, 2, 4, 8, 8, 8]
