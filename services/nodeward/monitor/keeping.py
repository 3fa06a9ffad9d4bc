"""Keeps the shelf small: packs past hours, deletes what is too old."""

from collections.abc import Callable

from nodeward.core import clock
from nodeward.monitor.settings import MonitorSettings
from nodeward.monitor.states import SECOND
from nodeward.store.base_states import Retention, StateShelf

_EXPIRE_EVERY = 3600 * SECOND


class Keeping:
    """`unit` is a worker's piece of work: short, so that results never wait long for the shelf."""

    def __init__(self, shelf: StateShelf, settings: MonitorSettings, now: Callable[[], int] = clock.now) -> None:
        self._shelf, self._now = shelf, now
        self._keep = Retention(
            *(
                int(seconds * SECOND)
                for seconds in (settings.keep_raw, settings.keep_5m, settings.keep_1h, settings.keep_events)
            )
        )
        self._expired = 0

    def unit(self) -> bool:
        """Pack some points; once an hour, delete. Return whether there is more to do."""
        now = self._now()
        if self._shelf.compact(now):
            return True
        if now - self._expired >= _EXPIRE_EVERY:
            self._expired = now
            self._shelf.expire(now, self._keep)
        return False
