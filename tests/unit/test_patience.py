"""How soon a thing is mended again, and when it is left alone."""

from vlanlink.watcher.backoff import Backoff, Policy, doubled

POLICY = Policy(at_once=2, pause=1.0, longest=8.0, limit=6, forgotten_after=100.0)


def test_the_first_at_once_then_pauses_that_double_then_none() -> None:
    patience, now, pauses = Backoff(POLICY), 0.0, []
    for _ in range(POLICY.limit):
        assert patience.give_up({"a"}, now) == set()
        pause = patience.pause({"a"}, now)
        assert pause is not None
        pauses.append(pause)
        now += pause
        patience.mended({"a"}, now)
    assert pauses == [0, 0, 1, 2, 4, 8]
    assert patience.give_up({"a"}, now) == {"a"}
    assert patience.give_up({"a"}, now) == set()  # told once
    assert patience.pause({"a"}, now + 1000) is None


def test_a_pause_counts_from_the_last_mending() -> None:
    patience = Backoff(POLICY)
    for now in range(3):
        patience.mended({"a"}, now)
    assert patience.pause({"a"}, 2.5) == 1.5
    assert patience.pause({"a"}, 60) == 0


def test_one_thing_does_not_wait_for_another() -> None:
    patience = Backoff(POLICY)
    for _ in range(6):
        patience.mended({"a"}, 0)
    assert patience.give_up({"a", "b"}, 0) == {"a"}
    assert patience.pause({"a", "b"}, 0) == 0
    assert patience.left == {"a"}


def test_what_is_right_again_is_taken_up_again_and_soon_given_up_again() -> None:
    patience = Backoff(POLICY)
    for _ in range(6):
        patience.mended({"a"}, 0)
    patience.give_up({"a"}, 0)
    patience.give_up((), 1)
    assert patience.left == set()
    assert patience.give_up({"a"}, 2) == {"a"}


def test_mendings_are_forgotten() -> None:
    patience = Backoff(POLICY)
    for _ in range(3):
        patience.mended({"a"}, 0)
    assert patience.pause({"a"}, 0) == 2
    assert patience.pause({"a"}, 100) == 0
    patience.mended({"a"}, 100)
    assert patience.pause({"a"}, 100) == 2  # one of three is forgotten, one is new
    patience.give_up((), 100 + 3 * POLICY.forgotten_after)
    assert patience == Backoff(POLICY)  # nothing is kept of what was long ago


def test_pauses_have_a_bound() -> None:
    assert [doubled(POLICY, times) for times in (0, 1, 2, 3, 4, 5000)] == [1, 2, 4, 8, 8, 8]
