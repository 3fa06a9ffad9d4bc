"""The shelf as it stood at one moment, and what reads its blocks: `Moment` of the embedded shelf, over documents."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from bson import DatetimeMS
from bson.codec_options import CodecOptions, DatetimeConversion

from nodeward.core.batch import Record
from nodeward.store import base
from nodeward.store.base import LogQuery, Scanned
from nodeward.store.logblocks import moment
from nodeward.store.logblocks.codec import Damaged
from nodeward.store.logblocks.hot import State
from nodeward.store.logblocks.rows import Numbers
from nodeward.store.logblocks.units import Hot, Table, Unit, Whole
from nodeward.store.mongodb import Doc, Store
from nodeward.store.mongolog import documents
from nodeward.store.mongolog.batches import Batches
from nodeward.store.mongolog.fold import ANY_WORD, table_of

FIRST_READ, MOST_READ = 256, 8192  # records read with one question: few at first, so that a page is there soon
_HEAD = {"words": 0, "nodes": 0, "sources": 0, "hosts": 0, "idents": 0, "totals": 0}
_EXACT: CodecOptions[Doc] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
_NONE: Numbers = np.empty(0, np.int64)
_LISTS = (("nodes", "node"), ("sources", "source"), ("hosts", "host"), ("idents", "ident"))


class Documents(Whole):
    """The lines of some blocks of one day, as a unit that a search looks through: read when it is asked."""

    def __init__(self, store: Store, blocks: Sequence[Doc], scanned: Scanned) -> None:
        day = blocks[0]["day"]
        self._table = store.table(table_of(day)).with_options(codec_options=_EXACT)
        self._blocks, self._scanned = blocks, scanned
        self.where = f"{table_of(day)}, block {blocks[0]['_id']}"
        self.min_time, self.max_time = min(b["min_time"] for b in blocks), max(b["max_time"] for b in blocks)
        self.from_seq, self.to_seq = min(b["from_seq"] for b in blocks), max(b["to_seq"] for b in blocks)
        self.count, self.weight = sum(b["records"] for b in blocks), 0
        self._read: Hot | None = None
        self._asked: Doc | None = None

    def matching(self, query: LogQuery) -> Numbers:
        """Return the rows that match, among those that the engine finds by their columns."""
        read = self._ask(self._filter(query))
        return read.matching(query) if read else _NONE

    def at(self, name: str, rows: Numbers) -> Numbers:
        """Return times, seqs or levels of these rows."""
        return self._read.at(name, rows) if self._read else _NONE

    def names(self, kind: str, rows: Numbers) -> tuple[Table, Numbers]:
        """Return a table and the codes of these rows."""
        return self._read.names(kind, rows) if self._read else ([], _NONE)

    def records(self, rows: Numbers) -> list[Record]:
        """Return the records of these rows."""
        return self._read.records(rows) if self._read else []

    def check(self) -> None:
        """Read everything once. Raise Damaged if lines are missing."""
        read = self._ask(self._filter(LogQuery()))
        if (read.count if read else 0) != self.count:
            raise Damaged(f"{self.count - (read.count if read else 0)} of its {self.count} lines are missing")

    def _ask(self, wanted: Doc) -> Hot | None:
        if wanted != self._asked:
            found = list(self._table.find(wanted))
            self._read = Hot(documents.rows(found)) if found else None
            self._asked = wanted
            self._scanned.bytes += self._read.weight if self._read else 0
        return self._read

    def _filter(self, query: LogQuery) -> Doc:
        wanted: Doc = {"block": {"$in": [block["_id"] for block in self._blocks]}}
        if query.start > self.min_time:
            wanted["time"] = {"$gte": DatetimeMS(query.start // 1000)}
        if query.end <= self.max_time:
            wanted.setdefault("time", {})["$lte"] = DatetimeMS(query.end // 1000)
        if query.levels is not None:
            wanted["level"] = {"$in": sorted(query.levels)}
        for names, column in _LISTS:
            if plain := _plain(getattr(query, names)):
                wanted[column] = {"$in": plain}
        return wanted


class Moment(moment.Moment):
    """What the embedded shelf's moment reads from day files comes from documents here."""

    def __init__(self, store: Store, batches: Batches, state: State) -> None:
        self._store, self._batches = store, batches
        self._blocks = store.table("log_blocks")
        self._hot, self._state = batches, state  # type: ignore[assignment]
        self.scanned = Scanned()

    @property
    def folded(self) -> int:
        """Below which sequence number records are documents."""
        return self._state.compacted

    def hot_units(self, query: LogQuery) -> Iterator[Unit]:
        """Yield the units that are no documents yet, newest first."""
        return self._hot_units(query, True)

    def stored_units(self, query: LogQuery) -> Iterator[Unit]:
        """Yield the units that are documents, newest first."""
        return self._stored_units(query, True)

    def _stored_units(self, query: LogQuery, newest_first: bool) -> Iterator[Unit]:
        wanted = {**_block_filter(query), "to_seq": {"$lte": self._state.compacted}}
        order = ("max_time", -1) if newest_first else ("min_time", 1)
        found = self._blocks.find(wanted, _HEAD).sort([order, ("_id", 1)])
        return self._units(found)

    def _by_arrival(self, seq: int, side: int) -> Iterator[Unit]:
        """Yield units from that sequence number on, forwards or backwards."""
        entries = [entry for entry in self._state.entries if (entry.end > seq if side > 0 else entry.seq <= seq)]
        bound = {"to_seq": {"$gt": seq, "$lte": self._state.compacted}} if side > 0 else {
            "from_seq": {"$lte": seq}, "to_seq": {"$lte": self._state.compacted}
        }  # fmt: skip
        order = [("from_seq", 1), ("_id", 1)] if side > 0 else [("to_seq", -1), ("_id", -1)]
        if side < 0:
            yield from self._opened(entries[::-1])
        yield from self._units(self._blocks.find(bound, _HEAD).sort(order))
        if side > 0:
            yield from self._opened(entries)

    def _units(self, blocks: Iterable[Doc]) -> Iterator[Unit]:
        """Yield blocks as units. Neighbours of one day that are small are read together, more of them each time."""
        some: list[Doc] = []
        records, limit = 0, FIRST_READ
        for block in blocks:
            if some and (block["day"] != some[0]["day"] or records + block["records"] > limit):
                yield self._unit(some)
                some, records, limit = [], 0, min(2 * limit, MOST_READ)
            some.append(block)
            records += block["records"]
        if some:
            yield self._unit(some)

    def _unit(self, blocks: Sequence[Doc]) -> Unit:
        self.scanned.blocks += 1
        return Documents(self._store, blocks, self.scanned)


def _block_filter(query: LogQuery) -> Doc:
    """Return which blocks may have a match: by time, by words through their index, by the names in them."""
    wanted: Doc = {}
    if query.start > base.MIN_TIME:
        wanted["max_time"] = {"$gte": query.start}
    if query.end < base.MAX_TIME:
        wanted["min_time"] = {"$lt": query.end}
    if words := documents.needed(query.terms):
        wanted["$and"] = [{"words": {"$in": [word, ANY_WORD]}} for word in words]
    for names, _ in _LISTS:
        if plain := _plain(getattr(query, names)):
            wanted[names] = {"$in": plain}
    return wanted


def _plain(names: tuple[str, ...]) -> list[str]:
    """Return the names, or none where a pattern is among them."""
    return [] if any("*" in name for name in names) else list(names)
