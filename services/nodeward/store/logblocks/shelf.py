"""What a shelf reads as of one moment, wherever its units lie: searching, one record, its neighbours, following."""

import dataclasses
import functools
import logging
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar

from nodeward.core.batch import Record
from nodeward.core.errors import Unavailable
from nodeward.store.base import Arrivals, Effort, Found, LogQuery, LogShelf, Page
from nodeward.store.logblocks import search
from nodeward.store.logblocks.hot import Gone
from nodeward.store.logblocks.moment import Moment, identifier, parsed

log = logging.getLogger(__name__)

STRETCH = 65_536  # records read at a time for one who reads all of them

Answer = TypeVar("Answer")


class MomentShelf(LogShelf):
    """A log shelf that can give moments."""

    @abstractmethod
    def _moment(self) -> AbstractContextManager[Moment]:
        """Give the shelf as it stands now."""

    def _catch_up(self) -> None:
        """Learn of what others did to what is stored, where there are others."""

    def search(
        self,
        query: LogQuery,
        *,
        cursor: str | None = None,
        limit: int = 100,
        newest_first: bool = True,
        effort: Effort | None = None,
    ) -> Page:
        """Return the next `limit` records that match, by time."""  # fmt: skip
        place = search.read_cursor(cursor, newest_first) if cursor else None

        def answer(moment: Moment) -> Page:
            units = moment.by_time(_near(query, place), newest_first)
            return search.search(
                units, query, place, limit, newest_first, effort or Effort(), moment.scanned, identifier
            )

        return self._at_one_moment(answer)

    def get(self, identifier: str) -> Found:
        """Return the record of that id."""
        return self._at_one_moment(lambda moment: moment.read(*moment.locate(identifier)))

    def context(self, identifier: str, before: int, after: int) -> tuple[list[Found], Found, list[Found]]:
        """Return a record between its neighbours."""

        def answer(moment: Moment) -> tuple[list[Found], Found, list[Found]]:
            found = moment.read(*moment.locate(identifier))
            seq = parsed(identifier)[1]
            return (
                moment.neighbours(found, seq, before, -1)[::-1],
                found,
                moment.neighbours(found, seq, after, 1),
            )

        return self._at_one_moment(answer)

    def follow(self, query: LogQuery, after: int | None, limit: int) -> Arrivals:
        """Return what arrived behind `after`."""
        return self._at_one_moment(lambda moment: moment.arrivals(query, after, limit))

    def records(self) -> Iterator[Record]:
        """Yield every record that is there now, in the order of arrival."""
        last = self._at_one_moment(lambda moment: moment.last)
        begin = self._at_one_moment(lambda moment: moment.first_from(1))
        while begin is not None and begin <= last:
            found, following = self._at_one_moment(functools.partial(_stretch, begin, last))
            yield from found
            begin = following

    def _at_one_moment(self, answer: Callable[["Moment"], Answer]) -> Answer:
        """Return the answer as of one moment; where compaction was quicker, take another moment."""
        for _ in range(20):
            try:
                with self._moment() as moment:
                    return answer(moment)
            except Gone:
                self._catch_up()
        raise Unavailable("The log shelf changes faster than it can be read; try again.")


def _stretch(begin: int, last: int, moment: Moment) -> tuple[list[Record], int | None]:
    """Return the next records in the order of arrival, and where the ones behind them begin."""
    end = min(begin + STRETCH, last + 1)
    found = moment.between(begin, end)
    for damage in moment.take_damage():
        log.warning("%s cannot be read and is passed over: %s", damage.where, damage.reason)
    return found, moment.first_from(end)


def _near(query: LogQuery, place: search.Cursor | None) -> LogQuery:
    """Return the query without the times that earlier pages went through."""
    if place is None:
        return query
    if place.newest_first:
        return dataclasses.replace(query, end=min(query.end, place.time + 1))
    return dataclasses.replace(query, start=max(query.start, place.time))
