"""Searching: newest unit first, or oldest first, until the page is full and no unread unit can hold a better match."""

import base64
import binascii
import dataclasses
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from nodeward.core.errors import BadInput
from nodeward.store.base import Damage, Effort, Found, LogQuery, Page, Scanned
from nodeward.store.logblocks.codec import Damaged
from nodeward.store.logblocks.rows import Numbers
from nodeward.store.logblocks.units import Unit

_BEFORE_ALL = -(2**63)


class Cursor(NamedTuple):
    """A place in the order of a search: behind the record of that time and sequence number."""

    newest_first: bool
    time: int
    seq: int

    def text(self) -> str:
        """Return it as a client keeps it."""
        plain = f"{'d' if self.newest_first else 'a'}{self.time}.{self.seq}"
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def read_cursor(text: str, newest_first: bool) -> Cursor:
    """Return the cursor that a client sent back. Raise BadInput if it is none, or one of the other order."""
    try:
        plain = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
        moment, _, seq = plain[1:].partition(".")
        cursor = Cursor(plain[0] == "d", int(moment), int(seq))
        if plain[0] not in "ad" or max(abs(cursor.time), abs(cursor.seq)) > 2**63:
            raise ValueError(plain)
    except (ValueError, IndexError, binascii.Error):
        raise BadInput(f"The cursor {text[:80]!r} is none that a search gave.") from None
    if cursor.newest_first != newest_first:
        raise BadInput("The cursor belongs to a search in the other order; begin again without it.")
    return cursor


class Spending:
    """How much of a request's effort is used up."""

    def __init__(self, effort: Effort, scanned: Scanned, clock: Callable[[], float] = time.monotonic) -> None:
        self._effort, self._scanned, self._clock = effort, scanned, clock
        self._until = clock() + effort.seconds

    @property
    def over(self) -> bool:
        """Whether the request shall end with what it has."""
        return self._scanned.bytes >= self._effort.bytes or self._clock() >= self._until


class _Best:
    """The best matches so far, at most `limit` of them, by (key of time, key of seq): least first once they are `settled`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._new: list[tuple[Numbers, Numbers, Numbers, Numbers]] = []
        self._waiting = 0
        self.times = self.seqs = self.units = self.rows = np.empty(0, np.int64)

    @property
    def worst(self) -> int | None:
        """The key of the last one's time, once there are as many as wanted."""
        if self._waiting and len(self.times) + self._waiting >= self._limit:
            self.settle()
        return int(self.times[-1]) if len(self.times) >= self._limit else None

    def add(self, times: Numbers, seqs: Numbers, unit: int, rows: Numbers) -> None:
        """Take what may be better than what is there."""
        if len(times) > 4 * self._limit:  # sorting only what can be among the best is several times quicker
            edge = np.partition(times, self._limit)[self._limit]
            near = times <= edge
            times, seqs, rows = times[near], seqs[near], rows[near]
        self._new.append((times, seqs, np.full(len(rows), unit), rows))
        self._waiting += len(rows)

    def settle(self) -> None:
        """Sort what was added into what was there. As long as the page is not full, nobody needs that."""
        parts = [(self.times, self.seqs, self.units, self.rows), *self._new]
        times, seqs, units, rows = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.lexsort((seqs, times))[: self._limit]
        self.times, self.seqs, self.units, self.rows = times[order], seqs[order], units[order], rows[order]
        self._new, self._waiting = [], 0


def search(
    units: Iterable[Unit],
    query: LogQuery,
    cursor: Cursor | None,
    limit: int,
    newest_first: bool,
    effort: Effort,
    scanned: Scanned,
    identify: Callable[[int, int], str],
) -> Page:
    """Given units by their newest (or oldest) time, return a page. `identify` makes an id of time and seq."""  # fmt: skip
    sign = -1 if newest_first else 1
    bound = (sign * cursor.time, sign * cursor.seq) if cursor else (_BEFORE_ALL, _BEFORE_ALL)
    spending = Spending(effort, scanned)
    best = _Best(limit + 1)
    opened: list[Unit] = []
    stopped: int | None = None
    for unit in units:
        edge = max(sign * (unit.max_time if newest_first else unit.min_time), bound[0])
        if best.worst is not None and best.worst < edge:
            break
        if spending.over and opened and edge > max(bound[0], _edge(opened[0], sign)):
            stopped = edge
            break
        opened.append(unit)
        with reporting(unit, scanned):
            _look(unit, len(opened) - 1, query, bound, sign, best)
            scanned.records += unit.count
            scanned.bytes += unit.weight if query.reads_lines else 0
    best.settle()
    return _page(best, opened, stopped, limit, sign, scanned, identify)


class reporting:  # noqa: N801 - reads as a word in `with reporting(…)`
    """Reports a unit that cannot be read, and goes on."""

    def __init__(self, unit: Unit, scanned: Scanned) -> None:
        self._unit, self._scanned = unit, scanned

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: object) -> bool:
        if not isinstance(error, Damaged):
            return False
        unit = self._unit
        self._scanned.damaged.append(Damage(unit.where, unit.min_time, unit.max_time, unit.count, str(error)))
        return True


def _edge(unit: Unit, sign: int) -> int:
    return sign * (unit.max_time if sign < 0 else unit.min_time)


def _narrowed(query: LogQuery, bound: int, worst: int | None, sign: int) -> LogQuery:
    """Return the query without the times that earlier pages gave, or that cannot get onto this page."""
    if sign < 0:
        start = max(query.start, -worst) if worst is not None else query.start
        end = min(query.end, -bound + 1)
    else:
        start = max(query.start, bound)
        end = min(query.end, worst + 1) if worst is not None else query.end
    return dataclasses.replace(query, start=start, end=end) if (start, end) != (query.start, query.end) else query


def _look(unit: Unit, number: int, query: LogQuery, bound: tuple[int, int], sign: int, best: _Best) -> None:
    """Look through a unit, portion by portion: what one gives makes the next shorter."""
    for portion in unit.portions(query, sign < 0):
        rows = unit.within(portion, _narrowed(query, bound[0], best.worst, sign))
        if len(rows):
            times = sign * unit.at("times", rows)
            seqs = sign * unit.at("seqs", rows)
            behind = (times > bound[0]) | ((times == bound[0]) & (seqs > bound[1]))
            best.add(times[behind], seqs[behind], number, rows[behind])


def _page(
    best: _Best,
    opened: list[Unit],
    stopped: int | None,
    limit: int,
    sign: int,
    scanned: Scanned,
    identify: Callable[[int, int], str],
) -> Page:
    settled = len(best.times) if stopped is None else int(np.searchsorted(best.times, stopped, side="left"))
    count = min(settled, limit)
    items = _read(best, opened, count, scanned, identify)
    if settled > limit:
        following = Cursor(sign < 0, sign * int(best.times[count - 1]), sign * int(best.seqs[count - 1]))
    elif stopped is not None:
        following = Cursor(sign < 0, sign * stopped, sign * _BEFORE_ALL)
    else:
        return Page(items, None, True, scanned)
    return Page(items, following.text(), settled > limit, scanned)  # fmt: skip


def _read(
    best: _Best, opened: list[Unit], count: int, scanned: Scanned, identify: Callable[[int, int], str]
) -> list[Found]:
    """Return the first `count` of the best as records, in their order."""
    found: dict[int, Found] = {}
    for number in np.unique(best.units[:count]).tolist():
        places = np.flatnonzero(best.units[:count] == number)
        places = places[np.argsort(best.rows[places])]
        with reporting(opened[number], scanned):
            records = opened[number].records(best.rows[places])
            for place, record in zip(places.tolist(), records, strict=True):
                found[place] = Found(identify(record.time, abs(int(best.seqs[place]))), record)
    return [found[place] for place in sorted(found)]
