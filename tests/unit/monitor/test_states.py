"""The state machine, as a table and by properties."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from nodeward.core.states import is_problem
from nodeward.monitor import flapping
from nodeward.monitor.states import PROBLEM, RECOVERY, Ack, Policy, Seen, State, Turn, from_doc, step

FINE, CRITICAL, UNKNOWN = "OK", "CRITICAL", "UNKNOWN"
STATES = (FINE, "WARNING", CRITICAL, UNKNOWN)


def through(
    states: str | list[str], policy: Policy | None = None, state: State | None = None
) -> tuple[State, list[Turn]]:
    """Take results a second apart through the machine."""
    full = {state[0]: state for state in STATES}
    state, turns = state or State("web-1", "disk"), []
    start = (state.last_check or 0) + 1_000_000
    for place, given_state in enumerate(states):
        seen = Seen(full.get(given_state, given_state), start + place * 1_000_000)
        state, more = step(state, seen, policy or Policy(attempts=3))
        turns += more
    return state, turns


@pytest.mark.parametrize(
    ("results", "want"),
    [
        ("O", "OK hard 1"),
        ("C", "CRITICAL soft 1"),
        ("CC", "CRITICAL soft 2"),
        ("CCC", "CRITICAL hard 3"),
        ("CCCC", "CRITICAL hard 3"),
        ("CWC", "CRITICAL hard 3"),
        ("CCO", "OK hard 1"),
        ("CCCO", "OK hard 1"),
        ("CCCW", "WARNING hard 3"),
        ("CCCOC", "CRITICAL soft 1"),
        ("OWU", "UNKNOWN soft 2"),
    ],
)
def test_a_problem_is_soft_until_it_was_seen_often_enough(results: str, want: str) -> None:
    state, _ = through(results)
    assert f"{state.state} {state.state_type} {state.attempt}" == want


@pytest.mark.parametrize(
    ("results", "want"),
    [
        ("OOO", []),
        ("OCCO", []),  # a soft problem's recovery is silent
        ("CCC", [PROBLEM]),
        ("CCCCCC", [PROBLEM]),
        ("CCCO", [PROBLEM, RECOVERY]),
        ("CCCWC", [PROBLEM, PROBLEM, PROBLEM]),
        ("CCCOCCCO", [PROBLEM, RECOVERY, PROBLEM, RECOVERY]),
    ],
)
def test_people_are_told_of_hard_changes_alone(results: str, want: list[str]) -> None:
    _, turns = through(results)
    assert [turn.kind for turn in turns if turn.kind] == want


def test_one_attempt_is_hard_at_once() -> None:
    state, turns = through("C", Policy(attempts=1))
    assert state.is_hard_problem and turns[0].kind == PROBLEM


def test_a_volatile_problem_is_told_each_time() -> None:
    _, turns = through("CCC", Policy(attempts=1, volatile=True))
    assert [turn.kind for turn in turns] == [PROBLEM] * 3


def test_an_older_result_changes_nothing() -> None:
    state, _ = through("OOO")
    assert state.last_check is not None
    again, turns = step(state, Seen(CRITICAL, state.last_check), Policy(attempts=1))
    assert again is state and not turns


def test_silence_is_hard_at_once_and_leaves_the_last_check() -> None:
    state, _ = through("O")
    silent, turns = step(state, Seen(UNKNOWN, 99_000_000, "No result", silence=True), Policy())
    assert (silent.state, silent.state_type, silent.stale, silent.last_check) == (
        UNKNOWN,
        "hard",
        True,
        state.last_check,
    )
    assert [turn.kind for turn in turns] == [PROBLEM]


def test_a_late_result_that_ends_a_silence_is_dated_behind_it() -> None:
    state, _ = through("O")
    silent, _ = step(state, Seen(UNKNOWN, 99_000_000, silence=True), Policy())
    back, turns = step(silent, Seen(FINE, 50_000_000), Policy())
    assert back.state == FINE and not back.stale
    assert turns[0].kind == RECOVERY and turns[0].at > 99_000_000


def test_a_service_of_a_node_that_is_down_is_hard_without_retries() -> None:
    state, turns = step(State("web-1", "disk"), Seen(CRITICAL, 1, certain=True), Policy(attempts=5))
    assert (state.state_type, state.attempt) == ("hard", 1)
    assert turns[0].kind == PROBLEM


@pytest.mark.parametrize(("sticky", "kept"), [(True, True), (False, False)])
def test_an_acknowledgement_outlasts_a_change_only_if_it_is_sticky(sticky: bool, kept: bool) -> None:
    state, _ = through("CCC")
    held = replace(state, ack=Ack("ann", "on it", 1, None, sticky))
    assert (through("W", state=held)[0].ack is not None) == kept
    assert through("O", state=held)[0].ack is None


def test_a_state_survives_being_stored() -> None:
    state = replace(through("CCC")[0], ack=Ack("ann", "on it", 1, None, True))
    assert from_doc(state.doc()) == state


@given(some.lists(some.sampled_from(STATES), max_size=60), some.integers(1, 5))
def test_problem_and_recovery_take_turns(results: list[str], attempts: int) -> None:
    _, turns = through(results, Policy(attempts=attempts))
    told = [turn for turn in turns if turn.kind]
    assert not told or told[0].kind == PROBLEM
    for earlier, later in itertools.pairwise(told):
        assert (earlier.kind, earlier.state) != (later.kind, later.state)
        if later.kind == RECOVERY:
            assert earlier.kind == PROBLEM
        assert later.at > earlier.at


@given(some.lists(some.sampled_from(STATES), min_size=1, max_size=60), some.integers(1, 5))
def test_what_a_state_says_of_itself_holds(results: list[str], attempts: int) -> None:
    state, turns = through(results, Policy(attempts=attempts))
    assert state.state == results[-1]
    assert 1 <= state.attempt <= attempts
    assert (state.state_type == "soft") <= (is_problem(state.state) and state.attempt < attempts)
    hard = [turn for turn in turns if turn.state_type == "hard"]
    assert state.hard == (hard[-1].state if hard else "PENDING")


@pytest.mark.parametrize(
    ("history", "low", "high"),
    [("O" * 21, 0, 0), ("OC" * 10 + "O", 100, 100), ("O" * 20 + "C", 5, 7), ("C" + "O" * 20, 3, 4), ("OC", 5, 7)],
)
def test_newer_changes_weigh_more(history: str, low: float, high: float) -> None:
    assert low <= flapping.percent(history) <= high


def test_flapping_begins_above_the_high_mark_and_ends_below_the_low_one() -> None:
    state, turns = through("OCOCOCOCOC", Policy(attempts=1))
    assert state.flapping
    calm, later = through("O" * 21, Policy(attempts=1), state)
    assert not calm.flapping
    assert [turn.flapping for turn in (*turns, *later) if turn.flapping is not None] == [True, False]
