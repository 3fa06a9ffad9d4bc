"""How long something takes, on a machine on which others may be at work."""

import itertools
import statistics
import time
from collections.abc import Callable

ROUNDS = 4


def median_below(bar: float, count: int, deed: Callable[[int], object]) -> list[float]:
    """Do something `count` times (each with a number of its own) and return the medians, of one round if that is below `bar`.

    Otherwise more rounds follow, and the last may be below it: the bar is one for us, not for who else is at work here.
    """
    numbers = itertools.count()
    medians: list[float] = []
    while len(medians) < ROUNDS and (not medians or medians[-1] >= bar):
        medians.append(statistics.median(_seconds(deed, next(numbers)) for _ in range(count)))
    return medians


def _seconds(deed: Callable[[int], object], number: int) -> float:
    began = time.monotonic()
    deed(number)
    return time.monotonic() - began
