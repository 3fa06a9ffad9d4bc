"""Folding: a range of batches becomes documents, a document a line, with the blocks, counters and totals that go with them.

Every write of it may be repeated, early or late: a line and a block have their ids from the range; a counter and a total remember
up to which sequence number they have counted, and never count what lies below that again.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from bson import DatetimeMS
from pymongo.operations import IndexModel, InsertOne, UpdateOne

from nodeward.store import mongodb
from nodeward.store.logblocks.block import MINUTE
from nodeward.store.logblocks.day import DAY, name_of
from nodeward.store.logblocks.rows import Numbers, Rows, join
from nodeward.store.mongodb import Doc, Store, Table, Write, id_of, number_id
from nodeward.store.mongolog import documents
from nodeward.store.mongolog.batches import Entry

BLOCK_ROWS = 4096
BLOCK_BYTES = 4 * 1024 * 1024
MAX_WORDS = 100_000  # a block with more is looked into whatever word is asked for:
ANY_WORD = "*"
AT_ONCE = 2000

INDEXES = {
    "log_blocks": [
        [("words", 1)],
        [("max_time", -1)],
        [("min_time", 1)],
        [("day", 1), ("from_seq", 1)],
        [("to_seq", -1)],
    ],
    "log_minutes": [[("minute", 1)], [("day", 1)]],
    "log_streams": [[("seen", 1)]],
}
LINE_INDEXES = [[("block", 1)], [("time", -1)], [("host", 1), ("time", -1)]]


def table_of(day: str) -> str:
    """Return the name of the collection with the lines of a day."""
    return f"logs_{day.replace('-', '_')}"


class Folder:
    """Writes what a range of batches becomes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._blocks, self._minutes = store.table("log_blocks"), store.table("log_minutes")
        self._sources, self._streams = store.table("log_sources"), store.table("log_streams")
        self._indexed: set[str] = set()

    def lines(self, parts: Sequence[Rows], from_seq: int, to_seq: int) -> None:
        """Write the lines of a range, and their blocks. Nobody reads them before the range is folded."""
        together = join(parts)
        numbers = together.times // DAY
        with self._store.translated():
            for number in np.unique(numbers).tolist():
                day = name_of(number)
                table = self._table(day)
                of_day = together.take(np.flatnonzero(numbers == number))
                for place, part in enumerate(_cut(of_day)):
                    name = f"{number_id(from_seq)}-{to_seq}-{day}-{place}"
                    _in_slices(table, (InsertOne(one) for one in documents.documents(part, name)))
                    mongodb.insert(self._blocks, _block(name, day, part, from_seq, to_seq))

    def counters(self, parts: Sequence[Rows], to_seq: int) -> None:
        """Add a range to the counters per minute."""
        with self._store.translated():
            _in_slices(self._minutes, iter(_minutes(join(parts), to_seq)))

    def totals(self, entries: Sequence[Entry], to_seq: int) -> None:
        """Add a range to the totals of its sources, and move its streams' cursors."""
        with self._store.translated():
            mongodb.write(self._sources, [_total(key, some, to_seq) for key, some in _by_source(entries).items()])
            mongodb.write(self._streams, _cursors(entries))

    def _table(self, day: str) -> Table:
        table = self._store.table(table_of(day))
        if day not in self._indexed:
            table.create_indexes([IndexModel(list(keys)) for keys in LINE_INDEXES])
            self._indexed.add(day)
        return table

    def forget(self, day: str) -> None:
        """A day's collection was dropped: its indexes are made again with it."""
        self._indexed.discard(day)


def _in_slices(table: Table, writes: Iterator[Write]) -> None:
    while some := list(islice(writes, AT_ONCE)):
        mongodb.write(table, some)


def _cut(part: Rows) -> list[Rows]:
    """Cut a day's records by time into as many parts as make blocks of the right size."""
    wanted = max(-(-part.count // BLOCK_ROWS), -(-len(part.raw) // BLOCK_BYTES), 1)
    if wanted == 1:
        return [part]
    order: Numbers = np.argsort(part.times, kind="stable")
    return [part.take(np.sort(piece)) for piece in np.array_split(order, wanted) if len(piece)]


def _block(name: str, day: str, part: Rows, from_seq: int, to_seq: int) -> Doc:
    words = sorted(documents.words(part))
    streams = [part.streams.table[code] for code in np.unique(part.streams.codes).tolist()]
    keys = np.array([[one.node, one.source] for one in part.streams.table])[part.streams.codes]
    return {
        "_id": name, "day": day, "from_seq": from_seq, "to_seq": to_seq, "records": part.count, "bytes": len(part.raw),
        "min_time": int(part.times.min()), "max_time": int(part.times.max()), "max_received": int(part.received.max()),
        "words": words if len(words) <= MAX_WORDS else [ANY_WORD],
        "nodes": sorted({one.node for one in streams}), "sources": sorted({one.source for one in streams}),
        "hosts": _used(part.hosts), "idents": _used(part.idents),
        "totals": _block_totals(part, keys),
    }  # fmt: skip


def _used(names: Any) -> list[str]:
    return sorted({names.table[code] for code in np.unique(names.codes).tolist()})


def _block_totals(part: Rows, keys: Any) -> list[Doc]:
    """Return what the block's records add to the totals of each source: removing it takes that away again."""
    errors = np.zeros(part.count, np.bool_)
    errors[list(part.errors)] = True
    found = []
    for node, source in np.unique(keys, axis=0).tolist():
        own = (keys == [node, source]).all(axis=1)
        found.append(
            {
                "node": node, "source": source, "records": int(own.sum()), "bytes": int(part.lengths[own].sum()),
                "parse_errors": int((errors & own).sum()),
            }
        )  # fmt: skip
    return found


def _minutes(together: Rows, to_seq: int) -> list[Write]:
    minutes = together.times // MINUTE
    columns = np.stack([minutes, together.streams.codes, together.hosts.codes, together.levels], axis=1)
    distinct, counts = np.unique(columns, axis=0, return_counts=True)
    merged: dict[tuple[int, str, str, str, int], int] = {}
    for (minute, stream, host, level), count in zip(distinct.tolist(), counts.tolist(), strict=True):
        node, source = together.streams.table[stream][:2]
        key = (minute, node, source, together.hosts.table[host], level)
        merged[key] = merged.get(key, 0) + count
    return [minute_write(key, count, to_seq) for key, count in merged.items()]


def minute_write(key: tuple[int, str, str, str, int], count: int, to_seq: int) -> UpdateOne:
    """Return the write that adds to a counter what arrived below `to_seq`, unless it has counted that already."""
    minute, node, source, host, level = key
    start = minute * MINUTE
    names = {
        "minute": DatetimeMS(start // 1000), "day": name_of(start // DAY), "node": node, "source": source, "host": host,
        "level": level,
    }  # fmt: skip
    return UpdateOne(
        {"_id": id_of(f"{start:x}", node, source, host, str(level)), "counted": {"$lt": to_seq}},
        {"$inc": {"count": count}, "$set": {"counted": to_seq}, "$setOnInsert": names},
        upsert=True,
    )


def _by_source(entries: Sequence[Entry]) -> dict[tuple[str, str], list[Entry]]:
    found: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.stream[:2], []).append(entry)
    return found


def _total(key: tuple[str, str], entries: Sequence[Entry], to_seq: int) -> UpdateOne:
    added = {
        "records": sum(entry.count for entry in entries),
        "bytes": sum(entry.raw_bytes for entry in entries),
        "parse_errors": sum(entry.errors for entry in entries),
    }
    return UpdateOne(
        {"_id": id_of(*key), "counted": {"$lt": to_seq}},
        {
            "$inc": added,
            "$min": {"first": min(entry.min_time for entry in entries)},
            "$max": {"last": max(entry.max_time for entry in entries)},
            "$set": {"counted": to_seq},
            "$setOnInsert": {"node": key[0], "source": key[1], "removal": 0},
        },
        upsert=True,
    )


def _cursors(entries: Sequence[Entry]) -> list[Write]:
    newest: dict[tuple[str, str, str], Entry] = {}
    for entry in entries:
        newest[entry.stream] = entry
    return [
        UpdateOne(
            {"_id": id_of(*stream)},
            {
                "$max": {"cursor": entry.cursor, "seen": entry.received},
                "$setOnInsert": dict(zip(("node", "source", "generation"), stream, strict=True)),
            },
            upsert=True,
        )
        for stream, entry in newest.items()
    ]
