"""The log shelf on MongoDB: batches as they came, then a document a line. See `base` for what must hold, `mongolog` for how.

    log_batches          what came in and is not folded yet; writing here is what `append` acknowledges
    logs_2026_11_24      the lines of that day, a document each
    log_blocks           a document per few thousand lines: their times, their words (indexed), their names
    log_minutes          how many lines each minute, node, source, host and level has
    log_sources, log_streams, log_marks   totals, cursors, how far folding is

The two are kept in step by one number, `folded`: records below it are read from documents, all others from the batches. Folding
notes its range, writes the documents for it, and then, in one document, moves the number. Whatever a crash leaves of it is
passed over by every read, and is written again in exactly the same range.
"""

import contextlib
import logging
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from nodeward.core import clock
from nodeward.core.batch import Batch
from nodeward.store.base import (
    Damage,
    Effort,
    Figures,
    Histogram,
    LogQuery,
    Outcome,
    Removed,
    SourceTotals,
    Top,
)
from nodeward.store.logblocks import search
from nodeward.store.logblocks.codec import Damaged
from nodeward.store.logblocks.day import DAY, number_of
from nodeward.store.logblocks.hot import Gone
from nodeward.store.logblocks.rows import Rows
from nodeward.store.logblocks.shelf import MomentShelf
from nodeward.store.mongodb import Doc, Store
from nodeward.store.mongolog.batches import Batches, Entry
from nodeward.store.mongolog.count import Counter
from nodeward.store.mongolog.fold import INDEXES, Folder
from nodeward.store.mongolog.moment import Moment
from nodeward.store.mongolog.removal import Remover

log = logging.getLogger(__name__)

FOLD_ROWS = 16_384
FOLD_BYTES = 8 * 1024 * 1024
FOLD_BATCHES = 1000
FOLD_SECONDS = 5  # so soon people find a line with their own tools, too
STREAM_MEMORY = 90 * DAY


class MongodbLogShelf(MomentShelf):
    """Log records in MongoDB."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.index(INDEXES)
        self._batches = Batches(store)
        self._folder = Folder(store)
        self._remover = Remover(store, self._folder)
        self._minutes, self._sources = store.table("log_minutes"), store.table("log_sources")
        self._upkeep = threading.Lock()  # folding and removing take turns
        self._counting = threading.Lock()  # counters and the number that says what they count move together
        self._half = False  # whether they did not, because that was cut short
        with store.translated():
            self._remover.resume()
        self._fold(clock.now(), pending_only=True)

    def append(self, batches: Sequence[tuple[Batch, bytes]], received: int) -> list[Outcome]:
        """Store batches, durably and once."""
        return self._batches.commits.append(batches, received)

    def wait(self, after: int, seconds: float) -> bool:
        """Wait until something arrived behind `after`."""
        arrived = self._batches.commits.arrived
        with arrived:
            return arrived.heard(lambda: self._batches.state.next_seq - 1 > after, seconds)

    def histogram(self, query: LogQuery, bins: int, effort: Effort | None = None) -> Histogram:
        """Count what matches by time and level."""
        return self._at_one_moment(lambda moment: self._counter(moment).histogram(query, bins, effort or Effort()))

    def top(self, query: LogQuery, name: str, limit: int, effort: Effort | None = None) -> Top:
        """Count what matches by a field's values."""
        return self._at_one_moment(lambda moment: self._counter(moment).top(query, name, limit, effort or Effort()))

    def sources(self) -> list[SourceTotals]:
        """Return the totals by node and source."""
        with self._counting, self._store.translated():
            state = self._batches.state
            found = {(one["node"], one["source"]): one for one in self._sources.find()}
        for entry in state.entries:
            _add(found, entry)
        totals = [
            SourceTotals(*key, one["records"], one["bytes"], one["first"], one["last"], one["parse_errors"])
            for key, one in found.items()
        ]
        return sorted((one for one in totals if one.records > 0), key=lambda one: (one.node, one.source))

    def compact(self, now: int) -> bool:
        """Turn a stretch of batches into documents."""
        with self._upkeep:
            return self._fold(now)

    def retain(self, before: int, max_bytes: int) -> Removed:
        """Remove one day, or part of one, that is too old or too much."""
        with self._upkeep:
            if self._batches.fold().folding is not None:
                return Removed()  # it is folded anew first
            self._batches.forget_streams(before - STREAM_MEMORY)
            with self._counting, self._store.translated():
                self._remover.resume()
                for day in self._remover.days():
                    removed = self._remove_old(day, before)
                    if removed is not None:
                        return removed
                return self._remove_surplus(max_bytes) or Removed()

    def verify(self) -> Iterator[Damage]:
        """Read everything once."""
        with self._moment() as moment:
            for unit in moment.everything():
                with search.reporting(unit, moment.scanned):
                    unit.check()
                yield from moment.take_damage()
            yield from moment.take_damage()

    def figures(self) -> Figures:
        """Return the figures for /metrics."""
        entries = self._batches.state.entries
        with self._store.translated():
            days = len(self._remover.days())
        return Figures(
            records=sum(total.records for total in self.sources()),
            bytes=self._store.bytes(),
            backlog=sum(entry.count for entry in entries),
            more={"hot_batches": len(entries), "days": days},
        )

    def trouble(self) -> str:
        """Return why the engine cannot be used just now, or ""."""
        return self._store.trouble()

    def close(self) -> None:
        """Let go of the connection."""
        with self._upkeep:
            self._store.close()

    @contextlib.contextmanager
    def _moment(self) -> Iterator[Moment]:
        with self._store.translated():
            yield Moment(self._store, self._batches, self._batches.state)

    def _catch_up(self) -> None:
        self._batches.catch_up()

    def _counter(self, moment: Any) -> Counter:
        """Return what counts as of a moment: by the counters, unless a fold of them was cut short."""

        def counters(pipeline: list[Doc]) -> list[Doc]:
            with self._counting:
                if self._batches.state.compacted != moment.folded:
                    raise Gone
                return list(self._minutes.aggregate(pipeline))

        return Counter(moment, None if self._half else counters)

    def _fold(self, now: int, pending_only: bool = False) -> bool:
        """Fold the range that somebody began, or else what is due. Return whether that was to be done here.

        The mark is read before the batches, and holds only if they agree with it: then they are known up to the range's end,
        and none of it is folded. Between the two, another log server may have finished that range and begun the next.
        """
        mark = self._batches.fold()
        self._batches.catch_up()
        state = self._batches.state
        if state.compacted != mark.folded:
            return False
        to_seq = mark.folding
        if to_seq is None:
            to_seq = None if pending_only else due(state.entries, now)
            if to_seq is None or not self._batches.begin_fold(mark.folded, to_seq):
                return False
        entries = [entry for entry in state.entries if entry.seq < to_seq]
        try:
            parts = list(self._readable(entries))
        except Gone:
            return False  # another log server was quicker: its work is seen before the next try
        if parts:
            self._folder.lines(parts, mark.folded, to_seq)
        with self._counting:
            self._half = True
            if parts:
                self._folder.counters(parts, to_seq)
            if entries:
                self._folder.totals(entries, to_seq)
            self._batches.finish_fold(to_seq, now)
            self._half = False
        return True

    def _readable(self, entries: Sequence[Entry]) -> Iterator[Rows]:
        """Yield the records of batches; one that cannot be read is said to be lost."""
        with self._store.translated():
            for entry, read in self._batches.read(entries):
                try:
                    yield read()
                except Damaged as error:
                    log.error("the batch of sequence %d in %s cannot be read: %s", entry.seq, self._store.name, error)

    def _remove_old(self, day: str, before: int) -> Removed | None:
        if (number_of(day) + 1) * DAY > before:
            return None
        blocks = self._remover.blocks(day)
        old = [block for block in blocks if block["max_received"] < before]
        if not old:
            return None
        return self._remover.remove(day, old, len(old) == len(blocks), self._batches.state.compacted)

    def _remove_surplus(self, max_bytes: int) -> Removed | None:
        """Remove the oldest day, or of the only day the oldest blocks, if all together take too much."""
        days = self._remover.days()
        if not days or (surplus := self._store.bytes() - max_bytes) <= 0:
            return None
        blocks = self._remover.blocks(days[0])
        whole = len(days) > 1
        chosen = blocks if whole else _oldest(blocks, surplus)
        return self._remover.remove(days[0], chosen, whole or len(chosen) == len(blocks), self._batches.state.compacted)


def due(entries: Sequence[Entry], now: int) -> int | None:
    """Return up to which sequence number batches shall be folded now, or None if that can wait. A document is folded whole."""
    rows = size = 0
    for number, entry in enumerate(entries, 1):
        rows, size = rows + entry.count, size + entry.bytes
        if number < len(entries) and entries[number].place == entry.place:
            continue
        if rows >= FOLD_ROWS or size >= FOLD_BYTES or number >= FOLD_BATCHES:
            return entry.end
    if entries and entries[0].received <= now - FOLD_SECONDS * 1_000_000:
        return entries[-1].end
    return None


def _add(totals: dict[tuple[str, str], Doc], entry: Entry) -> None:
    """Add a batch to its source's totals."""
    known = totals.get(entry.stream[:2], {"records": 0, "bytes": 0, "parse_errors": 0, "counted": 0})
    if known["counted"] >= entry.end:
        return  # a fold that was cut short has counted it
    totals[entry.stream[:2]] = {
        **known,
        "records": known["records"] + entry.count,
        "bytes": known["bytes"] + entry.raw_bytes,
        "parse_errors": known["parse_errors"] + entry.errors,
        "first": min(known.get("first", entry.min_time), entry.min_time),
        "last": max(known.get("last", entry.max_time), entry.max_time),
    }


def _oldest(blocks: Sequence[Doc], surplus: int) -> list[Doc]:
    """Return the oldest blocks that together have so many bytes."""
    chosen: list[Doc] = []
    for block in blocks:
        if surplus <= 0:
            break
        chosen.append(block)
        surplus -= block["bytes"]
    return chosen
