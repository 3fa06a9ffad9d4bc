"""The embedded log shelf: hot batches in one SQLite file, compressed blocks in one file per day. See `base` for what must hold.

    <root>/hot.db               batches as they came, cursors, totals; this process alone writes it
    <root>/days/2026-11-24.db   blocks of the records of that day; the compactor alone writes it

The two are kept in step by one number, `compacted`: records below it are read from blocks, all others from the hot batches.
Compacting notes its range, writes blocks for it, and then, in one transaction, moves the number and removes the batches.
Whatever a crash leaves of it is invisible, and is written again in exactly the same range.
"""

import contextlib
import logging
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from nodeward.core.batch import Batch
from nodeward.core.errors import NodewardError
from nodeward.store import base
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
from nodeward.store.logblocks import compactor, count, search, sieve
from nodeward.store.logblocks.block import Meta
from nodeward.store.logblocks.codec import Damaged
from nodeward.store.logblocks.compactor import BLOCK_BYTES, BLOCK_ROWS, Compactor
from nodeward.store.logblocks.day import DAY, Day, View, Writer
from nodeward.store.logblocks.hot import HotPart, State
from nodeward.store.logblocks.moment import Moment
from nodeward.store.logblocks.shelf import MomentShelf

log = logging.getLogger(__name__)

HOT_BATCHES = 1000  # a search looks through each hot batch: this bounds them where batches are small
HOT_SECONDS = 120
MERGE_RUN = 8
STREAM_MEMORY = 90 * DAY


class SqliteLogShelf(MomentShelf):
    """Log records in SQLite files below `root`. `compactor` does the work that needs a core of its own.

    What a method promises stands in `LogShelf`; here stands only what this shelf adds.
    """

    def __init__(self, root: Path, compactor_: Compactor | None = None) -> None:
        self._root = root
        self._compactor = compactor_ or compactor.Inline(root)
        self._days_lock = threading.Lock()
        self._days: dict[str, Day] = {}
        self._upkeep = threading.Lock()  # compacting and removing take turns
        self._untidy: set[str] | None = None  # days that may have blocks to merge or filters to gather; None: all
        self._newest: list[str] = []
        (root / "days").mkdir(parents=True, exist_ok=True)
        self._hot = HotPart(root / "hot.db")
        for name in self._hot.removing():
            self._unlink(name)

    def append(self, batches: Sequence[tuple[Batch, bytes]], received: int) -> list[Outcome]:
        return self._hot.commits.append(batches, received)

    def wait(self, after: int, seconds: float) -> bool:
        arrived = self._hot.commits.arrived
        with arrived:
            return arrived.heard(lambda: self._hot.state.next_seq - 1 > after, seconds)

    def histogram(self, query: LogQuery, bins: int, effort: Effort | None = None) -> Histogram:

        def answer(moment: Moment) -> Histogram:
            units = moment.by_time(query)
            return count.histogram(units, query, bins, effort or Effort(), moment.scanned)

        return self._at_one_moment(answer)

    def top(self, query: LogQuery, name: str, limit: int, effort: Effort | None = None) -> Top:

        def answer(moment: Moment) -> Top:
            units = moment.by_time(query)
            return count.top(units, query, name, limit, effort or Effort(), moment.scanned)

        return self._at_one_moment(answer)

    def sources(self) -> list[SourceTotals]:
        return self._hot.sources()

    def compact(self, now: int) -> bool:
        """Turn a stretch of hot batches into blocks, several small blocks into one, or the filters of many into a sieve."""
        with self._upkeep:
            to_seq = self._hot.pending() or due(self._hot.state, now)
            if to_seq is None:
                if self._tidy():
                    return True
                self._hot.rest()
                return False
            self._hot.begin_compaction(to_seq)
            answer = self._compactor.do({"do": "compact", "from": self._hot.state.compacted, "to": to_seq})
            for seq in answer["unreadable"]:
                log.error("the batch of sequence %d in %s cannot be read; it is set aside there", seq, self._root)
            self._hot.finish_compaction(to_seq, answer["unreadable"])
            if self._untidy is not None:
                self._untidy.update(answer["days"])
            return True

    def retain(self, before: int, max_bytes: int) -> Removed:
        """Remove a day's file, or some of its blocks."""
        with self._upkeep:
            if self._hot.pending() is not None:
                return Removed()  # a day may hold blocks of a range that is still to be compacted anew
            self._hot.forget_streams(before - STREAM_MEMORY)
            for day in self._all_days():
                removed = self._remove_old(day, before)
                if removed is not None:
                    return removed
            return self._remove_surplus(max_bytes) or Removed()

    def verify(self) -> Iterator[Damage]:
        with self._moment() as moment:
            for unit in moment.everything():
                with search.reporting(unit, moment.scanned):
                    unit.check()
                yield from moment.take_damage()
            moment.check_sieves()
            yield from moment.take_damage()

    def figures(self) -> Figures:
        hot = self._hot.state.entries
        return Figures(
            records=sum(total.records for total in self._hot.sources()),
            bytes=self._bytes(),
            backlog=sum(entry.count for entry in hot),
            more={"hot_batches": len(hot), "days": len(self._all_days())},
        )

    def trouble(self) -> str:
        """A file is there or it is not: opening it told."""
        return ""

    def close(self) -> None:
        self._compactor.close()
        with self._upkeep, self._days_lock:
            for day in self._days.values():
                day.close()
            self._days.clear()
        self._hot.close()

    @contextlib.contextmanager
    def _moment(self) -> Iterator["Moment"]:
        with contextlib.ExitStack() as stack:
            yield Moment(self._hot, self._hot.state, self._all_days(), stack)

    def _all_days(self) -> list[Day]:
        """Return the day files, newest first."""
        with self._days_lock:
            names = {path.stem for path in (self._root / "days").glob("*.db")}
            for gone in self._days.keys() - names:
                self._days.pop(gone).close()
            for name in names - self._days.keys():
                try:
                    self._days[name] = Day(compactor.day_path(self._root, name))
                except ValueError:
                    continue  # no day of ours: left alone
            return sorted(self._days.values(), key=lambda day: -day.number)

    def _tidy(self) -> bool:
        """Merge one run of small blocks, or gather the filters of large ones. Return whether there was something to do."""
        days = self._all_days()
        names = [day.path.stem for day in days]
        if self._untidy is None:
            self._untidy = set(names)
        if names[:1] != self._newest:
            self._untidy.update(self._newest)  # it is over: what waited for more on it waits no longer
            self._newest = names[:1]
        for day in days:
            if day.path.stem in self._untidy:
                if self._tidy_day(day, newest=day is days[0]):
                    return True
                self._untidy.discard(day.path.stem)
        return False

    def _tidy_day(self, day: Day, newest: bool) -> bool:
        name = day.path.stem
        try:
            with day.view() as view:
                blocks = view.blocks(base.MIN_TIME, base.MAX_TIME)
            jobs = [("merge", mergeable(blocks)), ("gather", gatherable(blocks, newest))]
            return any(
                ids and "damaged" not in self._compactor.do({"do": what, "day": name, "ids": ids}) for what, ids in jobs
            )
        except NodewardError as error:
            log.warning("the blocks of %s stay as they are: %s", name, error)
            return False

    def _remove_old(self, day: Day, before: int) -> Removed | None:
        if (day.number + 1) * DAY > before:
            return None
        with day.view() as view:
            blocks = view.blocks(base.MIN_TIME, base.MAX_TIME)
            old = [(identifier, meta) for identifier, meta in blocks if meta.max_received < before]
            if blocks and not old:
                return None
            totals = _totals(view, [identifier for identifier, _ in old])
        return self._remove(day, old, totals, whole=len(old) == len(blocks))

    def _remove_surplus(self, max_bytes: int) -> Removed | None:
        """Remove the oldest day, or of the only day the oldest blocks, if all together take too much."""
        surplus = self._used() - max_bytes
        if surplus <= 0 or not self._all_days():
            return None
        day = self._all_days()[-1]
        with day.view() as view:
            blocks = view.blocks(base.MIN_TIME, base.MAX_TIME)[::-1]
            whole = len(self._all_days()) > 1
            chosen = blocks if whole else _oldest(view, blocks, surplus)
            totals = _totals(view, [identifier for identifier, _ in chosen])
        return self._remove(day, chosen, totals, whole) if chosen else None

    def _remove(
        self, day: Day, blocks: list[tuple[int, Meta]], totals: list[tuple[str, str, int, int, int]], whole: bool
    ) -> Removed:
        name = day.path.stem
        size = sum(meta.raw_bytes for _, meta in blocks)
        if whole:
            self._hot.forget(totals, (day.number + 1) * DAY, name)
            self._unlink(name)
        else:
            writer = Writer(day.path)
            try:
                writer.drop([identifier for identifier, _ in blocks])
            finally:
                writer.close()
            self._hot.forget(totals, base.MIN_TIME)
        return Removed(sum(meta.records for _, meta in blocks), size, (name,))

    def _unlink(self, name: str) -> None:
        path = compactor.day_path(self._root, name)
        for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            file.unlink(missing_ok=True)
        with self._days_lock:
            day = self._days.pop(name, None)
        if day is not None:
            day.close()
        self._hot.removed(name)

    def _bytes(self) -> int:
        total = 0
        for path in self._root.rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_size
        return total

    def _used(self) -> int:
        """Return how many bytes the blocks take, without room in their files that is free again."""
        total = 0
        for day in self._all_days():
            with contextlib.suppress(NodewardError), day.view() as view:
                total += view.bytes()
        return total


def due(state: State, now: int) -> int | None:
    """Return up to which sequence number hot batches shall be compacted now, or None if that can wait."""
    rows = size = 0
    for number, entry in enumerate(state.entries, 1):
        rows, size = rows + entry.count, size + entry.bytes
        if rows >= BLOCK_ROWS or size >= BLOCK_BYTES or number >= HOT_BATCHES:
            return entry.end
    if state.entries and state.entries[0].received <= now - HOT_SECONDS * 1_000_000:
        return state.entries[-1].end
    return None


def mergeable(blocks: Sequence[tuple[int, Meta]]) -> list[int]:
    """Return the ids of a run of neighbours, all small and of about the same size, that shall become one block."""
    run: list[int] = []
    tier = -1
    for identifier_, meta in sorted(blocks, key=_arrival):
        own = _tier(meta)
        if own != tier:
            run, tier = [], own
        run.append(identifier_)
        if own >= 0 and len(run) == MERGE_RUN:
            return run
    return []


def gatherable(blocks: Sequence[tuple[int, Meta]], newest: bool) -> list[int]:
    """Return the ids of blocks whose filters shall become a sieve: the oldest that will not be merged.

    On the newest day they wait until they are enough for a whole one.
    """
    found = [number for number, meta in sorted(blocks, key=_arrival) if _tier(meta) < 0 and not meta.sieve]
    least = sieve.BLOCKS if newest else 2
    return found[: sieve.BLOCKS] if len(found) >= least else []


def _arrival(block: tuple[int, Meta]) -> int:
    return block[1].from_seq


def _tier(meta: Meta) -> int:
    """Return a number that blocks of about the same size share, or -1 for those that stay as they are."""
    if meta.sieve or meta.records * MERGE_RUN > 2 * BLOCK_ROWS or meta.raw_bytes * MERGE_RUN > 4 * BLOCK_BYTES:
        return -1
    return meta.records.bit_length() // 3


def _totals(view: View, identifiers: Sequence[int]) -> list[tuple[str, str, int, int, int]]:
    found: list[tuple[str, str, int, int, int]] = []
    for number in identifiers:
        with contextlib.suppress(Damaged):  # what cannot be read stays in the totals
            found += view.head(number).totals
    return found


def _oldest(view: View, blocks: list[tuple[int, Meta]], surplus: int) -> list[tuple[int, Meta]]:
    """Return the oldest blocks, as many as make room enough."""
    share = view.bytes() / max(sum(meta.raw_bytes for _, meta in blocks), 1)
    chosen, size = [], 0.0
    for number, meta in blocks:
        if size >= surplus:
            break
        chosen.append((number, meta))
        size += meta.raw_bytes * share
    return chosen
