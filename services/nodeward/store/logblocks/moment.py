"""The shelf as it stood at one moment, and what can be read from it."""

import contextlib
import heapq
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from nodeward.core.batch import Record
from nodeward.core.errors import NodewardError, NotFound, Unavailable
from nodeward.store import base
from nodeward.store.base import Arrivals, Damage, Found, LogQuery, Scanned
from nodeward.store.logblocks import compactor, search
from nodeward.store.logblocks.block import Meta
from nodeward.store.logblocks.codec import Damaged
from nodeward.store.logblocks.day import DAY, Day, View
from nodeward.store.logblocks.hot import Entry, Gone, HotPart, State
from nodeward.store.logblocks.rows import Numbers
from nodeward.store.logblocks.units import Stored, Unit, needed
from nodeward.store.logblocks.words import Wanted

Place = tuple[int, Meta]  # a block's id, and what is known of it

MAX_BEHIND = 20_000  # records a follower may be behind before some are skipped
CONTEXT_BLOCKS = 64


class Moment:
    """The shelf as it stood at one moment: the hot batches, and the blocks of what is below `compacted`."""

    def __init__(self, hot: HotPart, state: State[Entry], days: list[Day], stack: contextlib.ExitStack) -> None:
        self._hot, self._state, self._days, self._stack = hot, state, days, stack
        self._views: dict[int, View | None] = {}
        self.scanned = Scanned()

    def by_time(self, query: LogQuery, newest_first: bool = True) -> Iterator[Unit]:
        """Yield the units that may have matches, by their newest time, or by their oldest."""
        hot, stored = self._hot_units(query, newest_first), self._stored_units(query, newest_first)
        if newest_first:
            return heapq.merge(hot, stored, key=lambda unit: -unit.max_time)
        return heapq.merge(hot, stored, key=lambda unit: unit.min_time)

    def everything(self) -> Iterator[Unit]:
        """Yield every unit."""
        return self.by_time(LogQuery())

    def check_sieves(self) -> None:
        """Read every sieve once, and report those that cannot be read."""
        for day in self._days:
            view = self._view(day)
            if view is None:
                continue
            for number in view.sieves():
                try:
                    view.check_sieve(number)
                except Damaged as error:
                    self._report_sieve(day, number, error)

    def locate(self, identifier: str) -> tuple[Unit, int]:
        """Return where the record of that id lies: its unit and row. Raise NotFound."""
        moment, seq = parsed(identifier)
        for unit in self._around(moment, seq):
            with search.reporting(unit, self.scanned):
                rows = unit.matching(LogQuery(start=moment, end=moment + 1))
                rows = rows[unit.at("seqs", rows) == seq]
                if len(rows):
                    return unit, int(rows[0])
        why = "; what may have held it cannot be read" if self.scanned.damaged else ""
        raise NotFound(f"There is no record with id '{identifier[:80]}'{why}.")

    def read(self, unit: Unit, row: int) -> Found:
        """Return the record of that place. Raise Unavailable if it cannot be read."""
        try:
            return _found(unit, np.array([row]))[0]
        except Damaged as error:
            raise Unavailable(f"The record lies in a damaged block ({unit.where}): {error}.") from None

    def neighbours(self, found: Found, seq: int, limit: int, side: int) -> list[Found]:
        """Return the nearest records of the same stream, nearest first: arrived before (-1) or after (1)."""
        record = found.record
        stream = (record.node, record.source, record.generation)
        query = LogQuery(nodes=(record.node,), sources=(record.source,))
        nearest: list[tuple[int, Found]] = []
        for looked, unit in enumerate(self._by_arrival(seq, side)):
            next_one = unit.from_seq if side > 0 else unit.to_seq - 1
            full = len(nearest) >= limit and (limit == 0 or side * nearest[limit - 1][0] < side * next_one)
            if full or looked >= CONTEXT_BLOCKS:
                break
            with search.reporting(unit, self.scanned):
                nearest += _of_stream(unit, query, stream, seq, side, limit)
                nearest.sort(key=lambda pair: side * pair[0])
        return [one for _, one in nearest[:limit]]

    def arrivals(self, query: LogQuery, after: int | None, limit: int) -> Arrivals:
        """Return what arrived behind `after`, in that order; None: the newest that did."""
        last = self._state.next_seq - 1
        after = None if after is None else min(after, last)  # one from before a restore
        begin = max(after if after is not None else 0, last - MAX_BEHIND)
        found: list[tuple[int, Unit, int]] = []
        for unit in self._arrived_after(begin):
            with search.reporting(unit, self.scanned):
                rows = unit.matching(query)
                seqs = unit.at("seqs", rows)
                found += [(int(seq), unit, int(row)) for seq, row in zip(seqs, rows, strict=True) if seq > begin]
            if after is not None and unit.where == "hot" and len(found) >= limit:
                break
        found.sort(key=lambda place: place[0])
        chosen = found[:limit] if after is not None else found[-limit:]
        cursor = chosen[-1][0] if after is not None and len(found) >= limit else last
        skipped = begin - after if after is not None and after < begin else 0
        return Arrivals(self._read_all(chosen), cursor, skipped)

    @property
    def last(self) -> int:
        """The sequence number of the newest record."""
        return self._state.next_seq - 1

    def first_from(self, seq: int) -> int | None:
        """Return a sequence number from `seq` on below which there is no record, or None if there is none at all."""
        unit = next(self._by_arrival(seq, 1), None)
        return None if unit is None else max(unit.from_seq, seq)

    def between(self, begin: int, end: int) -> list[Record]:
        """Return the records with sequence numbers in [begin, end), in their order."""
        found: list[tuple[int, Record]] = []
        for unit in self._by_arrival(begin, 1):
            if unit.from_seq >= end:
                break
            with search.reporting(unit, self.scanned):
                rows = unit.matching(LogQuery())
                seqs = unit.at("seqs", rows)
                inside = (seqs >= begin) & (seqs < end)
                found += zip(seqs[inside].tolist(), unit.records(rows[inside]), strict=True)
        return [record for _, record in sorted(found, key=lambda pair: pair[0])]

    def take_damage(self) -> list[Damage]:
        """Return the damage met since the last call."""
        damaged, self.scanned.damaged = self.scanned.damaged, []
        return damaged

    def _read_all(self, places: list[tuple[int, Unit, int]]) -> list[Found]:
        found: dict[int, Found] = {}
        by_unit: dict[int, list[tuple[int, Unit, int]]] = {}
        for place in places:
            by_unit.setdefault(id(place[1]), []).append(place)
        for group in by_unit.values():
            unit = group[0][1]
            group.sort(key=lambda place: place[2])
            with search.reporting(unit, self.scanned):
                read = _found(unit, np.array([row for _, _, row in group]))
                found.update(zip((seq for seq, _, _ in group), read, strict=True))
        return [found[seq] for seq in sorted(found)]

    def _hot_units(self, query: LogQuery, newest_first: bool) -> Iterator[Unit]:
        runs = [
            run
            for run in self._hot.neighbours.runs(self._state.entries)
            if run.max_time >= query.start and run.min_time < query.end
        ]
        runs.sort(key=lambda run: -run.max_time if newest_first else run.min_time)
        for run in runs:
            if len(run.entries) == 1:
                yield from self._opened(run.entries)
                continue
            unit = self._hot.neighbours.joined(run)
            if unit is None:
                raise Gone
            yield unit

    def _opened(self, entries: Sequence[Entry]) -> Iterator[Unit]:
        for entry in entries:
            try:
                yield self._hot.unit(entry)
            except Damaged as error:
                self._report("hot", entry.min_time, entry.max_time, entry.count, str(error))

    def _stored_units(self, query: LogQuery, newest_first: bool) -> Iterator[Unit]:
        days = self._days if newest_first else self._days[::-1]
        for day in days:
            if day.number * DAY < query.end and (day.number + 1) * DAY > query.start:
                view = self._view(day)
                if view is not None:
                    blocks = self._visible(view.blocks(query.start, query.end, newest_first))
                    yield from self._readers(day, view, self._sifted(day, view, blocks, needed(query)))

    def _sifted(self, day: Day, view: View, blocks: Sequence[Place], wanted: Wanted) -> Iterator[Place]:
        """Yield the blocks that may hold what is wanted, as far as sieves tell."""
        unreadable: set[int] = set()
        for number, meta in blocks:
            if wanted and meta.sieve and meta.sieve not in unreadable:
                try:
                    if number not in view.sifted(meta.sieve, wanted):
                        self._pass_over(meta)
                        continue
                except Damaged as error:
                    unreadable.add(meta.sieve)
                    self._report_sieve(day, meta.sieve, error)
            yield number, meta

    def _readers(self, day: Day, view: View, blocks: Iterable[Place]) -> Iterator[Stored]:
        for number, meta in blocks:
            self.scanned.blocks += 1
            reader = compactor.reader(view, number, meta, self._on_read)
            yield Stored(f"{day.path.name}, block {number}", reader, self._on_pass)

    def _visible(self, blocks: Sequence[Place]) -> list[Place]:
        """Return the blocks that hold what is not hot. One that holds both was merged meanwhile: raise Gone."""
        compacted = self._state.compacted
        if any(meta.from_seq < compacted < meta.to_seq for _, meta in blocks):
            raise Gone
        return [(number, meta) for number, meta in blocks if meta.to_seq <= compacted]

    def _view(self, day: Day) -> View | None:
        if day.number not in self._views:
            try:
                self._views[day.number] = self._stack.enter_context(day.view())
            except NodewardError as error:
                self._views[day.number] = None
                if day.path.exists():  # else retention removed it just now
                    self._report(day.path.name, day.number * DAY, (day.number + 1) * DAY - 1, 0, str(error))
        return self._views[day.number]

    def _around(self, moment: int, seq: int) -> Iterator[Unit]:
        """Yield the units that may hold that record."""
        if seq >= self._state.compacted:
            yield from self._opened([entry for entry in self._state.entries if entry.seq <= seq < entry.end])
            return
        for unit in self._stored_units(LogQuery(start=moment, end=moment + 1), True):
            if unit.from_seq <= seq < unit.to_seq:
                yield unit

    def _by_arrival(self, seq: int, side: int) -> Iterator[Unit]:
        """Yield units from that sequence number on, forwards or backwards."""
        entries = [entry for entry in self._state.entries if (entry.end > seq if side > 0 else entry.seq <= seq)]
        stored = []
        for day in self._days:
            view = self._view(day)
            blocks = self._visible(view.blocks(base.MIN_TIME, base.MAX_TIME)) if view is not None else []
            stored += [
                (meta, day, view, number)
                for number, meta in blocks
                if (meta.to_seq > seq if side > 0 else meta.from_seq <= seq)
            ]
        stored.sort(key=lambda place: place[0].from_seq if side > 0 else -place[0].to_seq)
        if side < 0:
            yield from self._opened(entries[::-1])
        for meta, day, view, number in stored:
            assert view is not None
            yield from self._readers(day, view, [(number, meta)])
        if side > 0:
            yield from self._opened(entries)

    def _arrived_after(self, after: int) -> Iterator[Unit]:
        if after + 1 < self._state.compacted:
            yield from (unit for unit in self._by_arrival(after + 1, 1) if unit.to_seq > after + 1)
            return
        yield from self._opened([entry for entry in self._state.entries if entry.end > after + 1])

    def _report_sieve(self, day: Day, number: int, error: Damaged) -> None:
        """Report a sieve: no record is hidden by it, each of its blocks is opened instead."""
        begin = day.number * DAY
        self._report(f"{day.path.name}, sieve {number}", begin, begin + DAY - 1, 0, str(error))

    def _report(self, where: str, start: int, end: int, records: int, reason: str) -> None:
        self.scanned.damaged.append(Damage(where, start, end, records, reason))

    def _on_read(self, size: int) -> None:
        self.scanned.bytes += size

    def _on_pass(self) -> None:
        self.scanned.passed_over += 1

    def _pass_over(self, meta: Meta) -> None:
        self.scanned.blocks += 1
        self.scanned.passed_over += 1
        self.scanned.records += meta.records


def identifier(moment: int, seq: int) -> str:
    """Return the id of a record: its time says in which day's file it lies, its sequence number which one it is."""
    return f"{moment:x}-{seq:x}"


def parsed(identifier_: str) -> tuple[int, int]:
    moment, _, seq = identifier_.partition("-")
    try:
        found = int(moment, 16), int(seq, 16)
    except ValueError:
        found = -1, -1
    if len(identifier_) > 40 or min(found) < 0 or max(found) >= 2**62:
        raise NotFound(f"'{identifier_[:80]}' is no id of a log record.")
    return found


def _of_stream(
    unit: Unit, query: LogQuery, stream: tuple[str, str, str], seq: int, side: int, limit: int
) -> list[tuple[int, Found]]:
    """Return the records of a stream in a unit that are nearest to `seq` on one side."""
    rows = unit.matching(query)
    table, codes = unit.names("stream", rows)
    seqs = unit.at("seqs", rows)
    wanted = np.array([entry[:3] == stream for entry in table], np.bool_)[codes] & ((seqs - seq) * side > 0)
    nearest = np.argsort(side * seqs[wanted], kind="stable")[:limit]
    rows = np.sort(rows[wanted][nearest])
    return list(zip(unit.at("seqs", rows).tolist(), _found(unit, rows), strict=True)) if len(rows) else []


def _found(unit: Unit, rows: Numbers) -> list[Found]:
    """Return the records of these rows, which grow."""
    seqs = unit.at("seqs", rows).tolist()
    return [Found(identifier(one.time, seq), one) for one, seq in zip(unit.records(rows), seqs, strict=True)]
