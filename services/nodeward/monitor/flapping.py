"""Flapping: a state that changes so often that each change is no news any more.

As Nagios has it: of the last 21 results the share of changes counts, the newest weighing 1.25, the oldest 0.75. Flapping
begins at 30 % and ends below 20 %, so that a state on the border does not flap in and out of flapping.
"""

import itertools

REMEMBERED = 21
HIGH, LOW = 30.0, 20.0
_OLDEST, _NEWEST = 0.75, 1.25
_WEIGHTS = [_OLDEST + place * (_NEWEST - _OLDEST) / (REMEMBERED - 2) for place in range(REMEMBERED - 1)]


def remember(history: str, state: str) -> str:
    """Return `history`, one letter per result and the newest last, with `state` added."""
    return (history + letter(state))[-REMEMBERED:]


def letter(state: str) -> str:
    """Return the letter of a state in a history: UNREACHABLE and DOWN are one, for a parent's flapping is not the child's."""
    return {"UNKNOWN": "?", "UNREACHABLE": "D"}.get(state) or state[0]


def percent(history: str) -> float:
    """Return how much the history changes, 0 to 100; results that are not there yet count as no change."""
    if len(set(history)) < 2:
        return 0.0
    missing = REMEMBERED - len(history)
    changes = sum(
        _WEIGHTS[missing + place] for place, pair in enumerate(itertools.pairwise(history)) if pair[0] != pair[1]
    )
    return round(100.0 * changes / (REMEMBERED - 1), 1)


def is_flapping(history: str, was: bool) -> bool:
    """Say whether a state with this history flaps, given whether it did before."""
    return percent(history) >= (LOW if was else HIGH)
