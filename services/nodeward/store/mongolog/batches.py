"""Batches as they came, in `log_batches`, until they become documents: what is acknowledged is here or there.

All that one commit stores is one document, whose id is the sequence number of its first record. So commits have one order, only
one writer gets each place in it, and whoever finds a place taken reads what lies there before trying the next. What was stored
though its writer never heard so, because the connection broke, is found in the same way: it passes for a repeat.

A document whose records were folded keeps its place, without its data, for `KEPT`, so that writers that are behind find it. One
that was away for longer, or whose clock is another, may get a place where nobody reads any more. So each writer, once it has a
place, looks how far folding is, and takes another one if folding has passed by.
"""

import functools
import logging
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import zstandard

from nodeward.core import batch as wire
from nodeward.core.errors import BadInput
from nodeward.store import mongodb
from nodeward.store.base import Outcome
from nodeward.store.logblocks import rows
from nodeward.store.logblocks.codec import Damaged
from nodeward.store.logblocks.commits import Commits, Ticket
from nodeward.store.logblocks.hot import Entry as HotEntry
from nodeward.store.logblocks.hot import Gone, State, repeats
from nodeward.store.logblocks.neighbours import Neighbours
from nodeward.store.logblocks.rows import Rows
from nodeward.store.logblocks.units import Hot
from nodeward.store.mongodb import Doc, Store, id_of, number_id

log = logging.getLogger(__name__)

KEPT = 600_000_000  # µs
_CACHE_BYTES = 64 * 1024 * 1024
_STREAMS = 200_000
FOLD = "fold"

Stream = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Entry(HotEntry):
    """A batch that is not folded yet, with where in MongoDB it is, and what it adds to its source's totals."""

    place: int  # the id of its document
    number: int  # which one in it
    skip: int
    stream: Stream
    errors: int
    raw_bytes: int
    cursor: int  # the offset behind its last record


class Fold(NamedTuple):
    """How far batches have become documents, and the end of the range at work, if there is one."""

    folded: int
    folding: int | None


class Batches:
    """Appends and reads batches; keeps the streams' cursors."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.table, self._pieces = store.table("log_batches"), store.table("log_pieces")
        self._marks, self._streams = store.table("log_marks"), store.table("log_streams")
        self._me = secrets.token_hex(8)
        self._cursors: OrderedDict[Stream, int] = OrderedDict()
        self._cache: OrderedDict[int, tuple[Hot, int]] = OrderedDict()
        self._cached, self._caching = 0, threading.Lock()
        self._compressor = zstandard.ZstdCompressor(level=1)
        self._bytes = 0  # of what is not folded yet
        self.neighbours = Neighbours(self.unit)
        self.commits = Commits(self._commit, lambda: self._bytes)
        self._writing = self.commits.writing
        with store.translated():
            self.state: State[Entry] = self._load()

    def unit(self, entry: Entry) -> Hot:
        """Return a batch to search in. Raise Gone if it was folded, Damaged if it cannot be read."""
        with self._caching:
            found = self._cache.get(entry.seq)
            if found:
                self._cache.move_to_end(entry.seq)
                return found[0]
        unit = Hot(self.rows(entry))
        self._keep(entry, unit)
        return unit

    def rows(self, entry: Entry) -> Rows:
        """Return the records of a batch. Raise Gone if it was folded, Damaged if it cannot be read."""
        return self._rows(entry, self._document(entry.place))

    def read(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Callable[[], Rows]]]:
        """Yield batches in their order, each with what returns its records as `rows` would; every document is read once."""
        for place, group in groupby(entries, key=lambda entry: entry.place):
            document: Doc | None = None
            for entry in group:
                with self._caching:
                    found = self._cache.get(entry.seq)
                if found is not None:
                    yield entry, functools.partial(getattr, found[0], "data")
                    continue
                document = document or self._document(place)
                yield entry, functools.partial(self._rows, entry, document)

    def _document(self, place: int) -> Doc:
        document = self.table.find_one({"_id": number_id(place)})
        if document is None or document["folded"] is not None:
            raise Gone
        return document

    def _rows(self, entry: Entry, document: Doc) -> Rows:
        try:
            ((batch, _),) = wire.decode(self._data(document, entry.number))
            return rows.from_batch(batch, entry.seq, entry.received, entry.skip)
        except (BadInput, ValueError, IndexError, zstandard.ZstdError) as error:
            raise Damaged(str(error)) from None

    def catch_up(self) -> None:
        """Learn of what other writers stored."""
        with self._writing, self._store.translated():
            if self._find_others():
                self.commits.tell()
        self.commits.brake.release()

    def fold(self) -> Fold:
        """Return how far folding is."""
        with self._store.translated():
            mark = self._marks.find_one({"_id": FOLD}) or {}
        return Fold(mark.get("folded", 1), mark.get("folding"))

    def begin_fold(self, from_seq: int, to_seq: int) -> bool:
        """Note which range is at work, so that a crash repeats exactly that. Return whether it is ours to do."""
        wanted = {"_id": FOLD, "folded": from_seq, "folding": None}
        with self._store.translated():
            return self._marks.update_one(wanted, {"$set": {"folding": to_seq}}).matched_count > 0

    def finish_fold(self, to_seq: int, now: int) -> None:
        """Read what is folded from its documents from now on, and keep only the places of its batches."""
        with self._writing, self._store.translated():
            folded = [entry for entry in self.state.entries if entry.seq < to_seq]
            self._marks.update_one(
                {"_id": FOLD, "folded": {"$lt": to_seq}}, {"$set": {"folded": to_seq, "folding": None}}
            )
            kept = tuple(entry for entry in self.state.entries if entry.seq >= to_seq)
            self.state = State(kept, to_seq, max(self.state.next_seq, to_seq))
            with self._caching:
                for entry in folded:
                    found = self._cache.pop(entry.seq, None)
                    self._cached -= found[1] if found else 0
            self._bytes -= sum(entry.bytes for entry in folded)
        self.commits.brake.release()
        with self._store.translated():
            self._tidy(to_seq, now)  # nobody reads there any more, so nobody needs to wait for it

    def forget_streams(self, before: int) -> None:
        """Forget the cursors of streams that sent nothing since."""
        with self._writing, self._store.translated():
            self._streams.delete_many({"seen": {"$lt": before}})
            self._cursors.clear()
            self._remember(self.state.entries)

    def _tidy(self, to_seq: int, now: int) -> None:
        """Take the data out of what is folded; remove what kept its place for long enough, but never the newest."""
        below = {"$lt": number_id(to_seq)}
        large = self.table.find({"_id": below, "folded": None, "count": {"$gt": 0}}, {"pieces": 1, "count": 1})
        for document in list(large):
            mongodb.drop_pieces(self._pieces, document["pieces"], document["count"])
        self.table.update_many({"_id": below, "folded": None}, {"$set": {"folded": now, "data": []}})
        newest = self.table.find_one({}, {"_id": 1}, sort=[("_id", -1)])
        if newest:
            self.table.delete_many({"_id": {"$lt": newest["_id"]}, "folded": {"$lt": now - KEPT}})

    def _load(self) -> State[Entry]:
        mongodb.insert(self._marks, {"_id": FOLD, "folded": 1, "folding": None})
        mark = self._marks.find_one({"_id": FOLD}) or {}
        newest = self.table.find_one({}, {"data": 0}, sort=[("_id", -1)])
        entries: list[Entry] = []
        for document in self.table.find({"_id": {"$gte": number_id(mark["folded"])}}, {"data": 0}).sort("_id", 1):
            entries += _entries(document)
        self._cursors.clear()
        self._remember(entries)
        self._bytes = sum(entry.bytes for entry in entries)
        # What was stored between the two questions is known as well: it must not be found, and counted, another time.
        ends = [mark["folded"], newest["end"] if newest else 1, *(entry.end for entry in entries[-1:])]
        return State(tuple(entries), mark["folded"], max(ends))

    def _find_others(self) -> bool:
        """Take over what others stored behind what is known. Return whether there was anything."""
        mark = self._marks.find_one({"_id": FOLD}) or {"folded": 1}
        if mark["folded"] > self.state.compacted:
            before, self.state = self.state.next_seq, self._load()
            return self.state.next_seq > before
        entries: list[Entry] = []
        for document in self.table.find({"_id": {"$gte": number_id(self.state.next_seq)}}, {"data": 0}).sort("_id", 1):
            entries += _entries(document)
        if not entries:
            return False
        self._remember(entries)
        self._bytes += sum(entry.bytes for entry in entries)
        self.state = State((*self.state.entries, *entries), self.state.compacted, entries[-1].end)
        return True

    def _commit(self, tickets: Sequence[Ticket]) -> bool:
        before = self.state.next_seq
        with self._store.translated():
            while not self._try(tickets):
                if not self._find_others():
                    self.state = self._load()
        return self.state.next_seq > before

    def _try(self, tickets: Sequence[Ticket]) -> bool:
        """Store what is no repeat at the next place, in one document. Return False if that place is not to be had."""
        place = seq = self.state.next_seq
        cursors: dict[Stream, int] = {}
        fresh: list[tuple[Entry, Hot]] = []
        data: list[bytes] = []
        outcomes: list[list[Outcome]] = []
        for ticket in tickets:
            outcomes.append([])
            for batch, plain in ticket.batches:
                stream = (batch.node, batch.source, batch.generation)
                cursor = cursors[stream] if stream in cursors else self._cursor(stream)
                skip = repeats(batch, cursor) if cursor is not None else 0
                outcomes[-1].append(Outcome(batch.count - skip, skip))
                if skip == batch.count:
                    continue
                cursors[stream] = batch.end
                unit_rows = rows.from_batch(batch, seq, ticket.received, skip)
                fresh.append(_made(unit_rows, len(plain), ticket.received, place, len(data), skip, stream, batch.end))
                data.append(self._compressor.compress(plain))
                seq += unit_rows.count
        if fresh and not self._store_document(place, seq, fresh, data):
            return False
        for ticket, found in zip(tickets, outcomes, strict=True):
            ticket.outcomes = found
        for entry, unit in fresh:
            self._keep(entry, unit)
        for stream, cursor in cursors.items():
            self._cursors[stream] = cursor
        self._bytes += sum(entry.bytes for entry, _ in fresh)
        self.state = State((*self.state.entries, *(entry for entry, _ in fresh)), self.state.compacted, seq)
        return True

    def _store_document(self, place: int, end: int, fresh: list[tuple[Entry, Hot]], data: list[bytes]) -> bool:
        """Store a document at a place. Return False if somebody else has it, or if it is one where nobody reads.

        There folding has passed by: before this was written, so that it is in vain, or since, so that it passes for a repeat.
        """
        pieces, count = "", 0
        if sum(map(len, data)) > mongodb.PIECE:
            pieces = f"{number_id(place)}-{secrets.token_hex(8)}"
            count = mongodb.put_pieces(self._pieces, pieces, b"".join(data))
        document = {
            "_id": number_id(place), "seq": place, "end": end, "by": self._me, "folded": None,
            "batches": [_about(entry, len(part)) for (entry, _), part in zip(fresh, data, strict=True)],
            "pieces": pieces, "count": count, "data": [] if pieces else data,
        }  # fmt: skip
        if mongodb.insert(self.table, document):
            mark = self._marks.find_one({"_id": FOLD}) or {"folded": 1}
            if mark["folded"] <= place:
                return True
            self.table.delete_one({"_id": document["_id"], "by": self._me, "folded": None})
        mongodb.drop_pieces(self._pieces, pieces, count)
        return False

    def _data(self, document: Doc, number: int) -> bytes:
        """Return a batch of a document as it came."""
        if not document["pieces"]:
            return zstandard.ZstdDecompressor().decompress(document["data"][number])
        if "whole" not in document:
            document["whole"] = mongodb.get_pieces(self._pieces, document["pieces"], document["count"])
        sizes = [about["packed"] for about in document["batches"]]
        begin = sum(sizes[:number])
        return zstandard.ZstdDecompressor().decompress(document["whole"][begin : begin + sizes[number]])

    def _cursor(self, stream: Stream) -> int | None:
        """Return the offset behind the last record of a stream, or None if it is new."""
        if stream in self._cursors:
            self._cursors.move_to_end(stream)
            return self._cursors[stream]
        found = self._streams.find_one({"_id": id_of(*stream)})
        if found is None:
            return None
        self._cursors[stream] = int(found["cursor"])
        hot = {entry.stream for entry in self.state.entries} if len(self._cursors) > _STREAMS else set()
        while len(self._cursors) > _STREAMS and (oldest := next(iter(self._cursors))) not in hot:
            del self._cursors[oldest]
        return self._cursors[stream]

    def _remember(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._cursors[entry.stream] = max(entry.cursor, self._cursors.get(entry.stream, 0))

    def _keep(self, entry: Entry, unit: Hot) -> None:
        with self._caching:
            before = self._cache.pop(entry.seq, None)  # two who read it at the same time both bring it
            self._cache[entry.seq] = (unit, entry.bytes)
            self._cached += entry.bytes - (before[1] if before else 0)
            while self._cached > _CACHE_BYTES and len(self._cache) > 1:
                self._cached -= self._cache.popitem(last=False)[1][1]


def _made(
    some: rows.Rows, size: int, received: int, place: int, number: int, skip: int, stream: Stream, cursor: int
) -> tuple[Entry, Hot]:
    unit = Hot(some)
    first = int(some.seqs[0])
    entry = Entry(
        first, some.count, size, received, unit.min_time, unit.max_time, place, number, skip, stream, len(some.errors),
        len(some.raw), cursor,
    )  # fmt: skip
    return entry, unit


_ABOUT = ("seq", "bytes", "received", "min_time", "max_time", "number", "skip", "errors", "raw_bytes", "cursor")


def _about(entry: Entry, packed: int) -> Doc:
    node, source, generation = entry.stream
    about = {name: getattr(entry, name) for name in _ABOUT}
    return {**about, "records": entry.count, "node": node, "source": source, "generation": generation, "packed": packed}


def _entries(document: Doc) -> list[Entry]:
    if document["folded"] is not None:
        return []
    return [
        Entry(
            count=about["records"],
            place=document["seq"],
            stream=(about["node"], about["source"], about["generation"]),
            **{name: about[name] for name in _ABOUT},
        )
        for about in document["batches"]
    ]
