"""Log records as numpy columns: what a batch becomes when it arrives, and a block when it is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from nodeward.core import batch as wire
from nodeward.core.batch import Batch, Record

Numbers = NDArray[np.int64]
Value = TypeVar("Value")
Entry = TypeVar("Entry")

YEAR = 366 * 86_400_000_000
NEWLINE = 10


class Stream(NamedTuple):
    """Where records come from: one life of a file."""

    node: str
    source: str
    generation: str
    path: str


@dataclass(slots=True)
class Names(Generic[Entry]):
    """A column of few different values: a table and, per record, a code into it."""

    table: list[Entry]
    codes: NDArray[np.uint32]

    def take(self, order: NDArray[np.int64]) -> "Names[Entry]":
        """Return the column in another order, or a part of it."""
        return Names(self.table, self.codes[order])


@dataclass(slots=True)
class Rows:
    """Records, column by column. `ends` are positions in `raw`, `starts` and `stops` the message within a record's raw bytes.

    `texts`, `fields` and `errors` are by row, for the rows that have them; see `core.batch`.
    """

    raw: bytes
    ends: Numbers
    seqs: Numbers
    times: Numbers
    received: Numbers
    offsets: Numbers
    levels: Numbers
    pids: Numbers
    starts: Numbers
    stops: Numbers
    hosts: Names[str]
    idents: Names[str]
    streams: Names[Stream]
    texts: Mapping[int, str]
    fields: Mapping[int, dict[str, Any]]
    errors: Mapping[int, str]

    @property
    def count(self) -> int:
        """How many records these are."""
        return len(self.ends)

    @property
    def lengths(self) -> Numbers:
        """How many raw bytes each record has."""
        return np.diff(self.ends, prepend=0)

    def take(self, order: Numbers) -> "Rows":
        """Return the records of these indexes, in that order."""
        lengths = self.lengths[order]
        back = _inverse(order, self.count) if (self.texts or self.fields or self.errors) else None
        return Rows(
            raw=_gather(self.raw, self.ends, order),
            ends=np.cumsum(lengths),
            seqs=self.seqs[order],
            times=self.times[order],
            received=self.received[order],
            offsets=self.offsets[order],
            levels=self.levels[order],
            pids=self.pids[order],
            starts=self.starts[order],
            stops=self.stops[order],
            hosts=self.hosts.take(order),
            idents=self.idents.take(order),
            streams=self.streams.take(order),
            texts=_moved(self.texts, back),
            fields=_moved(self.fields, back),
            errors=_moved(self.errors, back),
        )

    def record(self, row: int) -> Record:
        """Return one record as people and APIs see it."""
        begin = int(self.ends[row - 1]) if row else 0
        return record_of(
            self.raw[begin : int(self.ends[row])],
            (int(self.starts[row]), int(self.stops[row])),
            self.streams.table[self.streams.codes[row]],
            self.hosts.table[self.hosts.codes[row]],
            self.idents.table[self.idents.codes[row]],
            time=int(self.times[row]),
            received=int(self.received[row]),
            level=int(self.levels[row]),
            pid=int(self.pids[row]),
            offset=int(self.offsets[row]),
            text=self.texts.get(row),
            fields=self.fields.get(row, {}),
            error=self.errors.get(row),
        )


def record_of(
    raw: bytes, message: tuple[int, int], stream: Stream, host: str, ident: str, *, time: int, received: int, level: int,
    pid: int, offset: int, text: str | None, fields: dict[str, Any], error: str | None,
) -> Record:  # fmt: skip
    """Return a record as people and APIs see it; `message` is where it stands in `raw`, where `text` does not say it."""
    return Record(
        time=time,
        received=received,
        node=stream.node,
        source=stream.source,
        host=host,
        ident=ident,
        pid=None if pid == wire.NO_PID else pid,
        level=level,
        message=wire.text(raw[slice(*message)]) if text is None else text,
        raw=raw,
        fields=fields,
        parse_error=error,
        path=stream.path,
        generation=stream.generation,
        offset=offset,
    )  # fmt: skip


def from_batch(batch: Batch, first_seq: int, received: int, skip: int = 0) -> Rows:
    """Take over a batch without its first `skip` records, which are repeats. Times out of all reason become `received`."""
    count = batch.count - skip
    ends = column(batch, "ends")
    begin = int(ends[skip - 1]) if skip else 0
    times = column(batch, "times")[skip:]
    return Rows(
        raw=batch.raw[begin:],
        ends=ends[skip:] - begin,
        seqs=np.arange(first_seq, first_seq + count),
        times=np.where((times < 0) | (times > received + YEAR), received, times),
        received=np.full(count, received),
        offsets=column(batch, "offsets")[skip:],
        levels=column(batch, "levels")[skip:],
        pids=column(batch, "pids")[skip:],
        starts=column(batch, "message_starts")[skip:],
        stops=column(batch, "message_ends")[skip:],
        hosts=Names(batch.hosts[0], _codes(batch.hosts[1])[skip:]),
        idents=Names(batch.idents[0], _codes(batch.idents[1])[skip:]),
        streams=Names([Stream(batch.node, batch.source, batch.generation, batch.path)], np.zeros(count, np.uint32)),
        texts=_without(batch.texts, skip),
        fields=_without(batch.fields, skip),
        errors=_without(batch.errors, skip),
    )


def join(parts: Sequence[Rows]) -> Rows:
    """Return the records of all parts, one part after the other."""
    if len(parts) == 1:
        return parts[0]
    sizes = np.array([len(part.raw) for part in parts])
    before = np.cumsum(sizes) - sizes
    counts = np.array([part.count for part in parts])
    firsts = np.cumsum(counts) - counts

    def joined(name: str) -> Numbers:
        return np.concatenate([getattr(part, name) for part in parts])

    def sparse(name: str) -> dict[int, Any]:
        return {
            int(first) + row: value
            for first, part in zip(firsts, parts, strict=True)
            for row, value in getattr(part, name).items()
        }

    return Rows(
        raw=b"".join([part.raw for part in parts]),
        ends=np.concatenate([part.ends + begin for part, begin in zip(parts, before, strict=True)]),
        **{name: joined(name) for name in NUMERIC},
        hosts=_join_names([part.hosts for part in parts]),
        idents=_join_names([part.idents for part in parts]),
        streams=_join_names([part.streams for part in parts]),
        texts=sparse("texts"),
        fields=sparse("fields"),
        errors=sparse("errors"),
    )


NUMERIC = ("seqs", "times", "received", "offsets", "levels", "pids", "starts", "stops")


_KINDS: dict[str, type[np.generic]] = {
    "ends": np.uint32, "offsets": np.int64, "times": np.int64, "levels": np.uint8, "pids": np.int32,
    "message_starts": np.uint32, "message_ends": np.uint32,
}  # fmt: skip


def column(batch: Batch, name: str) -> Numbers:
    """Return a numeric column of a batch. Offsets of 2^63 and more come out negative."""
    return np.frombuffer(getattr(batch, name), _KINDS[name]).astype(np.int64)


def _codes(data: bytes) -> NDArray[np.uint32]:
    return np.frombuffer(data, np.uint16).astype(np.uint32)


def _without(sparse: Mapping[int, Value], skip: int) -> Mapping[int, Value]:
    return {row - skip: value for row, value in sparse.items() if row >= skip} if skip else sparse


def _inverse(order: Numbers, count: int) -> Numbers:
    back = np.full(count, -1)
    back[order] = np.arange(len(order))
    return back


def _moved(sparse: Mapping[int, Value], back: Numbers | None) -> Mapping[int, Value]:
    if back is None or not sparse:
        return {}
    return {int(back[row]): value for row, value in sparse.items() if back[row] >= 0}


def _gather(raw: bytes, ends: Numbers, order: Numbers) -> bytes:
    """Cut records out and put them into another order; neighbours that stay neighbours are copied in one piece."""
    if not len(order):
        return b""
    breaks = np.flatnonzero(np.diff(order) != 1) + 1
    heads = order[np.concatenate(([0], breaks))]
    tails = order[np.concatenate((breaks - 1, [len(order) - 1]))]
    begins = np.where(heads > 0, ends[heads - 1], 0).tolist()
    view = memoryview(raw)
    return b"".join([view[begin:end] for begin, end in zip(begins, ends[tails].tolist(), strict=True)])


def _join_names(parts: Sequence[Names[Entry]]) -> Names[Entry]:
    known: dict[Entry, int] = {}
    codes = []
    for part in parts:
        mapping = np.array([known.setdefault(entry, len(known)) for entry in part.table], np.uint32)
        codes.append(mapping[part.codes])
    return Names(list(known), np.concatenate(codes))
