"""Reading the kernel's small files: by three system calls, since quick checks do little else."""

import os
import time
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

SAME_INSTANT = 0.05  # seconds: checks that are made so close together share what the kernel said

Found = TypeVar("Found")


def momentary(find: Callable[[str], Found]) -> Callable[[str], Found]:
    """Let checks of the same instant share a reading: it is found anew when the last one is older than SAME_INSTANT."""
    known: dict[str, tuple[float, Found]] = {}

    @wraps(find)
    def reading(place: str) -> Found:
        now, last = time.monotonic(), known.get(place)
        if last is None or now - last[0] > SAME_INSTANT:
            last = known[place] = now, find(place)
        return last[1]

    return reading


def read(path: str) -> bytes:
    """Return what a file of /proc or /sys says, at most 64 KiB. Raise OSError if it cannot be read."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 65536)
    finally:
        os.close(descriptor)


@lru_cache(maxsize=64)
def exists(path: str) -> bool:
    """Say whether the kernel has that file; which ones it has does not change while this process runs."""
    return os.path.exists(path)


def number(path: str) -> int | None:
    """Return the number in a file; None where there is no such file, or no limit (the word ``max``)."""
    if not exists(path):
        return None
    try:
        return int(read(path))
    except (OSError, ValueError):
        return None
