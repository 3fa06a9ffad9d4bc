"""Following: a long poll that waits until something that matches has arrived."""

import threading
import time

from nodeward.core.errors import TooMany
from nodeward.store.base import Arrivals, LogQuery, LogShelf

MAX_WAITING = 48


class Follower:
    """Lets requests wait, so many at a time that threads are left to answer others."""

    def __init__(self, shelf: LogShelf) -> None:
        self._shelf = shelf
        self._places = threading.BoundedSemaphore(MAX_WAITING)

    def follow(self, query: LogQuery, after: int | None, limit: int, seconds: float) -> Arrivals:
        """Return what arrived behind `after`; if nothing that matches did, wait for it at most so long."""
        found = self._shelf.follow(query, after, limit)
        if found.items or found.skipped or after is None or seconds <= 0:
            return found
        if not self._places.acquire(blocking=False):
            raise TooMany(f"{MAX_WAITING} others are waiting for new records already; try again in a moment.")
        try:
            return self._wait(query, found, limit, time.monotonic() + seconds)
        finally:
            self._places.release()

    def _wait(self, query: LogQuery, found: Arrivals, limit: int, until: float) -> Arrivals:
        while not found.items and not found.skipped:
            left = until - time.monotonic()
            if left <= 0 or not self._shelf.wait(found.cursor, left):
                break
            found = self._shelf.follow(query, found.cursor, limit)
        return found
