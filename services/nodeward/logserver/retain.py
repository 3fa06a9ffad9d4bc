"""Retention: what is too old, or too much, goes; and it is said how much went."""

import logging

from nodeward.core import clock
from nodeward.logserver.settings import LogserverSettings
from nodeward.store.base import LogShelf

log = logging.getLogger(__name__)

NO_LIMIT = 2**62


class Retention:
    """Removes one day, or part of one, at a time."""

    def __init__(self, shelf: LogShelf, settings: LogserverSettings) -> None:
        self._shelf = shelf
        self._seconds = settings.retention_seconds
        self._max_bytes = settings.max_bytes or NO_LIMIT
        self._retention = settings.retention

    def unit(self) -> bool:
        """Remove once. Return whether there was anything to remove."""
        removed = self._shelf.retain(clock.now() - int(self._seconds * 1_000_000), self._max_bytes)
        if removed.records or removed.days:
            log.info(
                "removed %d log records (%d bytes of text) of %s: retention is %s%s",
                removed.records, removed.bytes, ", ".join(removed.days), self._retention,
                f", at most {self._max_bytes} bytes" if self._max_bytes < NO_LIMIT else "",
            )  # fmt: skip
        return bool(removed.days)
