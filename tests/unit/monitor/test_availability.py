"""Availability from the event history."""

from typing import Any

import pytest

from nodeward.monitor.availability import shares

MINUTE = 60_000_000


def change(minute: int, state: str, state_type: str = "hard") -> dict[str, Any]:
    return {"at": minute * MINUTE, "state": state, "state_type": state_type}


@pytest.mark.parametrize(
    ("events", "want"),
    [
        ([change(-50, "OK")], {"OK": 100.0}),
        ([change(-50, "OK"), change(25, "CRITICAL")], {"OK": 25.0, "CRITICAL": 75.0}),
        ([change(-50, "OK"), change(25, "CRITICAL", "soft"), change(50, "CRITICAL")], {"OK": 50.0, "CRITICAL": 50.0}),
        ([change(20, "OK"), change(60, "UNKNOWN")], {"OK": 50.0, "UNKNOWN": 50.0}),
        ([], {}),
    ],
)
def test_time_is_shared_out(events: list[dict[str, Any]], want: dict[str, float]) -> None:
    found = shares(events, 0, 100 * MINUTE, 1000 * MINUTE)
    assert {state: round(share * 100, 1) for state, share in found["shares"].items()} == want
    assert sum(found["seconds"].values()) == 6000


def test_what_is_not_known_is_no_share() -> None:
    assert shares([], 0, MINUTE, MINUTE)["available"] is None


def test_the_future_does_not_count() -> None:
    found = shares([change(-1, "UP")], 0, 100 * MINUTE, 10 * MINUTE)
    assert found["seconds"] == {"UP": 600.0} and found["available"] == 1.0
