"""Availability: which share of a range of time a node or service spent in which state, from its hard state changes."""

from collections.abc import Sequence
from typing import Any

from nodeward.core import states as words
from nodeward.store.base_states import Doc


def shares(events: Sequence[Doc], since: int, until: int, now: int) -> dict[str, Any]:
    """Given the state events of the range and the last before it, in order of time, return seconds and shares per state.

    Time before the first result counts as PENDING, and so does nothing of the future. Soft states are the hard state
    before them. Shares are of the known time: PENDING is left out of them.
    """
    until = min(until, now)
    spent: dict[str, int] = {}
    state, begun = words.PENDING, since
    for event in (event for event in events if event["state_type"] == "hard"):
        moment = min(max(event["at"], since), until)
        spent[state] = spent.get(state, 0) + moment - begun
        state, begun = event["state"], moment
    spent[state] = spent.get(state, 0) + max(0, until - begun)
    known = sum(length for name, length in spent.items() if name != words.PENDING)
    return {
        "seconds": {name: length / 1_000_000 for name, length in spent.items() if length},
        "shares": {
            name: round(length / known, 6) for name, length in spent.items() if length and name != words.PENDING
        },
        "available": round((spent.get("OK", 0) + spent.get("UP", 0)) / known, 6) if known else None,
    }
