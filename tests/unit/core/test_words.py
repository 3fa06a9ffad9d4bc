import pytest

from nodeward.core.words import counted, named, told, tried


def test_one_is_one_and_no_number_has_the_wrong_noun():
    assert [counted(number, "node") for number in (0, 1, 2, 1204)] == ["0 nodes", "1 node", "2 nodes", "1,204 nodes"]
    assert counted(1, "batch", "batches") == "1 batch"
    assert counted(3, "batch", "batches") == "3 batches"


@pytest.mark.parametrize(
    ("before", "state", "state_type", "attempt", "attempts", "words"),
    [
        ("OK", "WARNING", "soft", 1, 3, "attempt 1 of 3"),
        ("WARNING", "WARNING", "soft", 2, 3, "still, attempt 2 of 3"),
        ("WARNING", "WARNING", "hard", 3, 3, "confirmed, attempt 3 of 3"),
        ("WARNING", "CRITICAL", "hard", 3, 3, ""),
        ("CRITICAL", "CRITICAL", "hard", 1, 1, "once more"),
        ("WARNING", "OK", "hard", 1, 3, ""),
    ],
)
def test_a_change_that_is_none_of_the_state_is_told_as_what_it_is(before, state, state_type, attempt, attempts, words):
    event = {"before": before, "state": state, "state_type": state_type, "attempt": attempt, "attempts": attempts}
    assert tried(event) == words


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        ("sent", "problem", "problem told to ann by email (ann@example.org)"),
        ("sent", "recovery", "recovery told to ann by email (ann@example.org)"),
        ("retrying", "problem", "problem not told yet to ann by email (ann@example.org), tried again"),
        ("failed", "reminder", "reminder could not be told to ann by email (ann@example.org)"),
        ("dropped", "problem", "problem not told to ann by email (ann@example.org)"),
        ("sent", None, "change told to ann by email (ann@example.org)"),
    ],
)
def test_a_notification_says_of_what_kind_it_is_who_was_told_and_whether(status, kind, words):
    event = {"status": status, "contact": "ann", "channel": "email", "target": "ann@example.org"}
    assert told(event | ({"kind": kind} if kind else {})) == words


def test_a_noun_that_is_known_in_its_plural_goes_with_its_number():
    assert [named(number, "passwords") for number in (0, 1, 2)] == ["0 passwords", "1 password", "2 passwords"]
    assert named(1, "bundle_marks") == "1 bundle mark"
    assert [named(number, "deliveries") for number in (1, 2)] == ["1 delivery", "2 deliveries"]
    assert named(1, "series") == "1 series"
