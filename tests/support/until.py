"""Waiting for something to become true, with a deadline, instead of sleeping."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def until(ask: Callable[[], Value], seconds: float = 60.0, every: float = 0.01) -> Value:
    """Call `ask` until it returns something true, and return it. Fail with the last value after `seconds`: a bound for hangs."""
    deadline = time.monotonic() + seconds
    while True:
        value = ask()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"still {value!r} after {seconds} s")
        time.sleep(every)
