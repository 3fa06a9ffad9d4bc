"""The hot part of the shelf: batches as they came, durable in `hot.db`, until they are compacted. One process writes it."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from nodeward.core import batch as wire
from nodeward.core.batch import Batch
from nodeward.core.errors import BadInput
from nodeward.store import sqlite
from nodeward.store.base import Outcome, SourceTotals
from nodeward.store.logblocks import rows
from nodeward.store.logblocks.codec import Damaged
from nodeward.store.logblocks.commits import Commits, Ticket
from nodeward.store.logblocks.neighbours import Neighbours
from nodeward.store.logblocks.rows import Rows
from nodeward.store.logblocks.units import Hot

_CACHE_BYTES = 64 * 1024 * 1024
_PAGE = 16384
_WAL_BYTES = 16 * 1024 * 1024  # what the file beside the database is cut back to after a burst
_FREE_PAGES = 512  # that the database may keep for later batches
_QUIET_ROWS = 1000  # fewer than that between two calls of `rest`: there is time to tidy, and nobody needs the room
_QUIET_BYTES = 1024 * 1024  # of WAL, and of free pages, that are not worth it

MIGRATIONS = [
    """
    CREATE TABLE hot (
        seq INTEGER PRIMARY KEY,      -- of its first record that is no repeat
        count INTEGER NOT NULL,       -- of records that are no repeats
        skip INTEGER NOT NULL,        -- how many repeats stand before them
        received INTEGER NOT NULL,
        data BLOB NOT NULL            -- the batch as it came
    );
    CREATE TABLE set_aside (seq INTEGER PRIMARY KEY, data BLOB NOT NULL);  -- batches that could not be read again
    CREATE TABLE streams (
        node TEXT NOT NULL, source TEXT NOT NULL, generation TEXT NOT NULL,
        cursor INTEGER NOT NULL,      -- the offset behind the last record
        seen INTEGER NOT NULL,
        PRIMARY KEY (node, source, generation)
    ) WITHOUT ROWID;
    CREATE TABLE sources (
        node TEXT NOT NULL, source TEXT NOT NULL,
        records INTEGER NOT NULL, bytes INTEGER NOT NULL, parse_errors INTEGER NOT NULL,
        first INTEGER NOT NULL, last INTEGER NOT NULL,
        PRIMARY KEY (node, source)
    ) WITHOUT ROWID;
    CREATE TABLE marks (              -- one row
        next_seq INTEGER NOT NULL,
        compacted INTEGER NOT NULL,   -- everything below this sequence number is in blocks, everything else is hot
        compacting INTEGER            -- the end of the range at work: it is repeated exactly after a crash
    );
    INSERT INTO marks VALUES (1, 1, NULL);
    CREATE TABLE removing (day TEXT PRIMARY KEY);  -- files that are on their way out
    """
]


class Gone(Exception):
    """What a snapshot spoke of was compacted meanwhile: take a new one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A hot batch: where it is, how large, of when."""

    seq: int
    count: int
    bytes: int
    received: int
    min_time: int
    max_time: int

    @property
    def end(self) -> int:
        """The sequence number behind its last record."""
        return self.seq + self.count


Kind = TypeVar("Kind", bound=Entry, covariant=True)


class State(NamedTuple, Generic[Kind]):
    """The hot part at one moment: its batches in order, and the marks."""

    entries: tuple[Kind, ...]
    compacted: int
    next_seq: int


class HotPart:
    """Appends, reads and removes hot batches; keeps cursors and totals."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            sqlite.create(path, page_size=_PAGE, shrinks=True)
        self._connection = sqlite.open_database(path, MIGRATIONS)
        self._connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_BYTES // _PAGE}")
        self._connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
        self._readers = sqlite.Readers(path)
        self._cache = _Cache(_CACHE_BYTES)
        self.neighbours = Neighbours(self.unit)
        self.commits = Commits(self._commit, lambda: self.bytes)
        self._writing = self.commits.writing
        self._wal = path.with_name(f"{path.name}-wal")
        self.state = self._load()
        self._rested_at = 0
        self.bytes = sum(entry.bytes for entry in self.state.entries)

    def unit(self, entry: Entry) -> Hot:
        """Return a hot batch to search in. Raise Gone if it was compacted, Damaged if it cannot be read."""
        found = self._cache.get(entry.seq)
        if found is None:
            row = (
                self._readers.get()
                .execute("SELECT skip, received, data FROM hot WHERE seq = ?", (entry.seq,))
                .fetchone()
            )
            if row is None:
                raise Gone
            try:
                found = Hot(_rows(entry.seq, *row))
            except (BadInput, ValueError) as error:
                raise Damaged(str(error)) from None
            self._cache.put(entry.seq, found, entry.bytes)
        return found

    def begin_compaction(self, to_seq: int) -> None:
        """Note which range is at work, so that a crash repeats exactly that."""
        with self._writing, sqlite.transaction(self._connection):
            self._connection.execute("UPDATE marks SET compacting = ?", (to_seq,))

    def pending(self) -> int | None:
        """Return the end of the range that was at work, if there is one."""
        (to_seq,) = self._readers.get().execute("SELECT compacting FROM marks").fetchone()
        return None if to_seq is None else int(to_seq)

    def finish_compaction(self, to_seq: int, unreadable: Sequence[int]) -> None:
        """Remove what is in blocks now. What could not be read is set aside rather than lost."""
        with self._writing:
            with sqlite.transaction(self._connection):
                for seq in unreadable:
                    self._connection.execute(
                        "INSERT OR REPLACE INTO set_aside SELECT seq, data FROM hot WHERE seq = ?", (seq,)
                    )
                self._connection.execute("DELETE FROM hot WHERE seq < ?", (to_seq,))
                self._connection.execute("UPDATE marks SET compacted = ?, compacting = NULL", (to_seq,))
            self._shrink(_FREE_PAGES)
            kept = tuple(entry for entry in self.state.entries if entry.seq >= to_seq)
            for entry in self.state.entries[: len(self.state.entries) - len(kept)]:
                self._cache.drop(entry.seq)
                self.bytes -= entry.bytes
            self.state = State(kept, to_seq, self.state.next_seq)
        self.commits.brake.release()

    def rest(self) -> None:
        """There is nothing to compact: where little comes in, give back what the last burst took."""
        before, self._rested_at = self._rested_at, self.state.next_seq
        if self._rested_at - before < _QUIET_ROWS:
            with self._writing, sqlite.translated():
                self._shrink(_QUIET_BYTES // _PAGE)
                if self._wal.exists() and self._wal.stat().st_size > _QUIET_BYTES:
                    sqlite.settle(self._connection)

    def sources(self) -> list[SourceTotals]:
        """Return the totals by node and source."""
        found = self._readers.get().execute(
            "SELECT node, source, records, bytes, first, last, parse_errors FROM sources ORDER BY node, source"
        )
        return [SourceTotals(*row) for row in found]

    def forget(self, totals: Sequence[tuple[str, str, int, int, int]], oldest: int, day: str | None = None) -> None:
        """Take what was removed out of the totals, and note the day whose file goes."""
        with self._writing, sqlite.transaction(self._connection):
            for node, source, records, size, errors in totals:
                self._connection.execute(
                    "UPDATE sources SET records = records - ?, bytes = bytes - ?, parse_errors = parse_errors - ?, "
                    "first = min(max(first, ?), last) WHERE node = ? AND source = ?",
                    (records, size, errors, oldest, node, source),
                )
            self._connection.execute("DELETE FROM sources WHERE records <= 0")
            if day:
                self._connection.execute("INSERT OR IGNORE INTO removing VALUES (?)", (day,))

    def removing(self) -> list[str]:
        """Return the days whose files are on their way out."""
        return [day for (day,) in self._readers.get().execute("SELECT day FROM removing").fetchall()]

    def removed(self, day: str) -> None:
        """Note that a day's file is gone."""
        with self._writing, sqlite.transaction(self._connection):
            self._connection.execute("DELETE FROM removing WHERE day = ?", (day,))

    def forget_streams(self, before: int) -> None:
        """Forget the cursors of streams that sent nothing since."""
        with self._writing, sqlite.transaction(self._connection):
            self._connection.execute("DELETE FROM streams WHERE seen < ?", (before,))

    def close(self) -> None:
        """Close the file."""
        with self._writing:
            self._readers.close()
            self._connection.close()

    def _shrink(self, keep: int) -> None:
        """Give back the room that a burst took, but for some pages. A database from before this was thought of keeps it."""
        (free,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        if free > 2 * keep:
            # `execute` would take one step of it, which is one page
            self._connection.executescript(f"PRAGMA incremental_vacuum({free - keep})")

    def _load(self) -> State[Entry]:
        entries = []
        for seq, count, skip, received, data in self._connection.execute(
            "SELECT seq, count, skip, received, data FROM hot ORDER BY seq"
        ):
            try:
                unit = Hot(_rows(seq, skip, received, data))
                times = unit.min_time, unit.max_time
            except (BadInput, ValueError):
                times = received, received  # reported by whoever reads it
            entries.append(Entry(seq, count, len(data), received, *times))
        next_seq, compacted = self._connection.execute("SELECT next_seq, compacted FROM marks").fetchone()
        return State(tuple(entries), compacted, next_seq)

    def _commit(self, tickets: Sequence[Ticket]) -> bool:
        fresh: list[tuple[Entry, Hot]] = []
        next_seq = self.state.next_seq
        with sqlite.transaction(self._connection):
            for ticket in tickets:
                for batch, data in ticket.batches:
                    outcome, added = self._store(batch, data, ticket.received, next_seq)
                    ticket.outcomes.append(outcome)
                    next_seq += outcome.accepted
                    if added:
                        fresh.append(added)
            self._connection.execute("UPDATE marks SET next_seq = ?", (next_seq,))
        for entry, unit in fresh:
            self._cache.put(entry.seq, unit, entry.bytes)
            self.bytes += entry.bytes
        self.state = State((*self.state.entries, *(entry for entry, _ in fresh)), self.state.compacted, next_seq)
        return bool(fresh)

    def _store(self, batch: Batch, data: bytes, received: int, seq: int) -> tuple[Outcome, tuple[Entry, Hot] | None]:
        stream = (batch.node, batch.source, batch.generation)
        row = self._connection.execute(
            "SELECT cursor FROM streams WHERE node = ? AND source = ? AND generation = ?", stream
        ).fetchone()
        skip = repeats(batch, row[0]) if row else 0
        if skip == batch.count:
            return Outcome(0, skip), None
        self._connection.execute(
            "INSERT INTO streams VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET cursor = excluded.cursor, seen = excluded.seen",
            (*stream, batch.end, received),
        )
        records = rows.from_batch(batch, seq, received, skip)
        self._connection.execute("INSERT INTO hot VALUES (?, ?, ?, ?, ?)", (seq, records.count, skip, received, data))
        unit = Hot(records)
        self._count(batch, records, unit)
        entry = Entry(seq, records.count, len(data), received, unit.min_time, unit.max_time)
        return Outcome(records.count, skip), (entry, unit)

    def _count(self, batch: Batch, records: Rows, unit: Hot) -> None:
        self._connection.execute(
            "INSERT INTO sources VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "records = records + excluded.records, bytes = bytes + excluded.bytes, "
            "parse_errors = parse_errors + excluded.parse_errors, "
            "first = min(first, excluded.first), last = max(last, excluded.last)",
            (
                batch.node, batch.source, records.count, len(records.raw), len(records.errors), unit.min_time,
                unit.max_time,
            ),
        )  # fmt: skip


class _Cache:
    """Hot units by sequence number, the least recently used ones dropped."""

    def __init__(self, size: int) -> None:
        self._size, self._used = size, 0
        self._units: OrderedDict[int, tuple[Hot, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, seq: int) -> Hot | None:
        with self._lock:
            found = self._units.get(seq)
            if found is None:
                return None
            self._units.move_to_end(seq)
            return found[0]

    def put(self, seq: int, unit: Hot, size: int) -> None:
        with self._lock:
            before = self._units.pop(seq, None)  # two who read it at the same time both bring it
            self._units[seq] = (unit, size)
            self._used += size - (before[1] if before else 0)
            while self._used > self._size and len(self._units) > 1:
                self._used -= self._units.popitem(last=False)[1][1]

    def drop(self, seq: int) -> None:
        with self._lock:
            found = self._units.pop(seq, None)
            if found:
                self._used -= found[1]


def repeats(batch: Batch, cursor: int) -> int:
    """Return how many records of a batch lie below its stream's cursor."""
    return int(np.searchsorted(rows.column(batch, "offsets"), cursor))


def _rows(seq: int, skip: int, received: int, data: bytes) -> Rows:
    ((batch, _),) = wire.decode(data)
    return rows.from_batch(batch, seq, received, skip)
