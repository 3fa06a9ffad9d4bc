"""Reading a stored block: of each part no more than is asked for, and that at most once."""

import bisect
import functools
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import msgpack
import numpy as np

from nodeward.core.batch import Record
from nodeward.store.logblocks import codec, words
from nodeward.store.logblocks.block import COLUMNS, COUNTERS, Head, Meta
from nodeward.store.logblocks.codec import Columns, Damaged, Text
from nodeward.store.logblocks.match import Lines, Mask
from nodeward.store.logblocks.names import fitting
from nodeward.store.logblocks.rows import NEWLINE, Names, Numbers, Rows, Stream, join, record_of
from nodeward.store.logblocks.words import Filters, Wanted

_CODES = {"host": "host_codes", "ident": "ident_codes", **dict.fromkeys(("node", "source", "stream"), "stream_codes")}

Read = Callable[[str, int, int], bytes]  # part, position, length (-1: to its end)
Sift = Callable[[Wanted], Mask]


class Reader:
    """Reads a block through `read`. Methods raise Damaged where the bytes are not what was written.

    `head` reads its head when it is needed; `sift` answers for its filters where they lie in a sieve; `on_read` is told how many
    bytes were decompressed.
    """

    def __init__(
        self, meta: Meta, head: Callable[[], Head], sift: Sift, read: Read, on_read: Callable[[int], None]
    ) -> None:
        self.meta = meta
        self._head, self._sift, self._read, self._on_read = head, sift, read, on_read
        self._pieces: dict[int, Piece] = {}
        self._fitting: dict[tuple[str, tuple[str, ...]], Mask] = {}
        self._counters: Columns | None = None

    @functools.cached_property
    def head(self) -> Head:
        """The block's head."""
        return self._head()

    def may_hold(self, wanted: Wanted) -> Mask:
        """Given groups of hashes, return for each piece whether it may hold one of each group."""
        if not wanted:
            return np.ones(self.meta.pieces, np.bool_)
        return self._sift(wanted) if self.meta.sieve else self._tested(wanted)

    def filters(self) -> Filters:
        """Return the block's own filters."""
        data = b"".join([self._shard(number) for number in range(words.SHARDS)])
        return self._filters(data)

    def _tested(self, wanted: Wanted) -> Mask:
        result = np.ones(self.meta.pieces, np.bool_)
        filters = self._filters(b"")
        for group in wanted:
            any_of = np.zeros(self.meta.pieces, np.bool_)
            for word in group:
                any_of |= words.test(self._shard(words.shard_of(word)), filters, word)
            result &= any_of
            if not result.any():
                break
        return result

    def piece(self, number: int) -> "Piece":
        """Return what reads a piece."""
        if number not in self._pieces:
            self._pieces[number] = Piece(self, number, self._read, self._on_read)
        return self._pieces[number]

    def split(self, rows: Numbers) -> list[tuple["Piece", Numbers]]:
        """Return the pieces that these rows (which grow) are in, each with its rows counted from its own first."""
        bounds = self.head.bounds
        if not len(rows):
            return []
        only = bisect.bisect_right(self.head.firsts, rows[0]) - 1
        if rows[-1] < bounds[only + 1]:
            return [(self.piece(only), rows - bounds[only])]
        edges = np.searchsorted(rows, bounds)
        return [
            (self.piece(number), rows[begin:end] - bounds[number])
            for number, (begin, end) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
            if end > begin
        ]

    def rows(self) -> Rows:
        """Return every record, for merging blocks."""
        return join([self.piece(number).all_rows() for number in range(self.meta.pieces)])

    def counter(self, name: str) -> Numbers:
        """Return a column of the counters."""
        if self._counters is None:
            data = codec.decompress(self._read("counters", 0, -1))
            self._on_read(len(data))
            self._counters = Columns(data, COUNTERS, self.head.minutes)
        return self._counters.get(name)

    def fitting(self, kind: str, names: tuple[str, ...]) -> Mask:
        """Return which entries of the table of hosts, idents, or (for nodes and sources) streams are one of `names`."""
        if (kind, names) not in self._fitting:
            self._fitting[kind, names] = fitting(self.table(kind), kind, names)
        return self._fitting[kind, names]

    def table(self, kind: str) -> list[Any]:
        """Return the table that the codes of hosts, idents, nodes or sources point into."""
        tables: dict[str, list[Any]] = {"host": self.head.hosts, "ident": self.head.idents}
        return tables.get(kind, self.head.streams)

    def check(self) -> None:
        """Read everything once."""
        if not self.meta.sieve:
            self.filters()
        self.counter("count")
        for number in range(self.meta.pieces):
            self.piece(number).all_rows()

    def _filters(self, data: bytes) -> Filters:
        return Filters(self.meta.pieces, self.meta.width, data, self.head.probes, self.head.salted)

    def _shard(self, number: int) -> bytes:
        size = self.meta.pieces * self.meta.width
        data = self._read("filters", number * size, size)
        if zlib.crc32(data) != self.head.checks[number]:
            raise Damaged(f"shard {number} of the filters fails its checksum")
        return data


class Piece:
    """Reads one piece of a block: some hundred records. Rows are counted from its own first."""

    def __init__(self, block: Reader, number: int, read: Read, on_read: Callable[[int], None]) -> None:
        self._block, self._number, self._read, self._on_read = block, number, read, on_read
        self._place = block.head.pieces[number]
        self.begin = self._place.row
        self.count = int(block.head.bounds[number + 1]) - self.begin
        self.min_time, self.max_time = self._place.min_time, self._place.max_time
        self._columns: Columns | None = None
        self._lines: Lines | None = None
        self._line_starts: Numbers | None = None
        self._text: Text | None = None
        self._filled: bytes | None = None
        self._extras: dict[str, dict[int, Any]] | None = None

    def column(self, name: str) -> Numbers:
        """Return a column of its records."""
        return self._opened().get(name)

    def at(self, name: str, rows: Numbers) -> Numbers:
        """Return a column of these rows."""
        return self._opened().at(name, rows)

    def _opened(self) -> Columns:
        if self._columns is None:
            data = codec.decompress(self._read("text", self._place.at, self._place.columns))
            self._on_read(len(data))
            names = COLUMNS if self._block.head.has_lengths else COLUMNS[:-1]
            self._columns = Columns(data, names, self.count)
        return self._columns

    def fits(self, kind: str, names: tuple[str, ...]) -> Mask:
        """Return which records have one of `names` as host, ident, node or source."""
        return self._block.fitting(kind, names)[self.codes(kind)]

    def codes(self, kind: str) -> Numbers:
        """Return the codes of hosts, idents, nodes or sources."""
        return self.column(_CODES[kind])

    def codes_at(self, kind: str, rows: Numbers) -> Numbers:
        """Return the codes of these rows."""
        return self.at(_CODES[kind], rows)

    def lines(self) -> Lines:
        """Return its lines."""
        if self._lines is None:
            place = self._place
            data = self._read("text", place.at + place.columns, place.template + place.digits)
            self._text = Text(data[: place.template], data[place.template :])
            template = codec.unpack_template(self._text)
            self._on_read(len(template))
            self._lines = Lines(
                count=self.count,
                starts=self._starts,
                template=template,
                zeroed=True,
                text=self._fill,
                texts=lambda: self._extra()["texts"],
                fields=lambda: self._extra()["fields"],
            )
        return self._lines

    def forget_lines(self) -> None:
        """Let go of the lines: nothing in them is wanted."""
        self._lines = self._line_starts = self._text = self._filled = self._extras = None

    def records(self, wanted: Numbers) -> list[Record]:
        """Return the records of these rows (which grow)."""
        if len(wanted) > codec.FEW:
            rows = self._rows(wanted)
            return [rows.record(row) for row in range(rows.count)]
        raws = self._cut(self._starts()[wanted], self._starts()[wanted + 1] - 1)
        return [self._record(row, raw) for row, raw in zip(wanted.tolist(), raws, strict=True)]

    def all_rows(self) -> Rows:
        """Return every record."""
        return self._rows(np.arange(self.count))

    def _fill(self) -> bytes:
        if self._filled is None:
            template = self.lines().template
            assert self._text is not None
            self._filled = codec.fill_in(template, self._text)
            self._on_read(len(template))
        return self._filled

    def _starts(self) -> Numbers:
        if self._line_starts is None:
            template = self.lines().template
            if self._block.head.has_lengths:
                starts = np.cumsum(self.column("lengths") + 1)
            else:
                starts = np.flatnonzero(np.frombuffer(template, np.uint8) == NEWLINE) + 1
            if len(starts) != self.count or starts[-1] != len(template):
                raise Damaged(f"piece {self._number} has not the lines it should have")
            self._line_starts = np.concatenate(([0], starts))
        return self._line_starts

    def _extra(self) -> dict[str, dict[int, Any]]:
        if self._extras is None:
            place = self._place
            self._extras = {"texts": {}, "fields": {}, "errors": {}}
            if place.extras:
                data = codec.decompress(
                    self._read("text", place.at + place.columns + place.template + place.digits, place.extras)
                )
                self._on_read(len(data))
                try:
                    self._extras = msgpack.unpackb(data, strict_map_key=False)
                except (msgpack.UnpackException, ValueError) as error:
                    raise Damaged(f"the fields of piece {self._number} cannot be read ({error})") from None
        return self._extras

    def _rows(self, wanted: Numbers) -> Rows:
        extra, block = self._extra(), self._block
        heads, tails = self._starts()[wanted], self._starts()[wanted + 1] - 1
        lengths = tails - heads
        new = {int(row): place for place, row in enumerate(wanted)} if any(extra.values()) else {}

        def names(kind: str, table: list[Any]) -> Names[Any]:
            return Names(table, self.codes_at(kind, wanted).astype(np.uint32))

        return Rows(
            raw=b"".join(self._cut(heads, tails)),
            ends=np.cumsum(lengths),
            seqs=self.at("seqs", wanted),
            times=self.at("times", wanted),
            received=self.at("received", wanted),
            offsets=self.at("places", wanted) + self._place.raw + self.begin + heads,
            levels=self.at("levels", wanted),
            pids=self.at("pids", wanted),
            starts=self.at("starts", wanted),
            stops=lengths - self.at("behind", wanted),
            hosts=names("host", block.head.hosts),
            idents=names("ident", block.head.idents),
            streams=names("stream", block.head.streams),
            texts=_only(extra["texts"], new),
            fields=_only(extra["fields"], new),
            errors=_only(extra["errors"], new),
        )

    def _record(self, row: int, raw: bytes) -> Record:
        """Return one record; for a few this is quicker than whole columns."""
        columns, extra, head = self._opened(), self._extra(), self._block.head

        def value(name: str) -> int:
            return columns.value(name, row)

        return record_of(
            raw,
            (value("starts"), len(raw) - value("behind")),
            Stream(*head.stream_rows[value("stream_codes")]),
            head.hosts[value("host_codes")],
            head.idents[value("ident_codes")],
            time=value("times"),
            received=value("received"),
            level=value("levels"),
            pid=value("pids"),
            offset=value("places") + self._place.raw + self.begin + int(self._starts()[row]),
            text=extra["texts"].get(row),
            fields=extra["fields"].get(row, {}),
            error=extra["errors"].get(row),
        )

    def _cut(self, heads: Numbers, tails: Numbers) -> list[bytes]:
        """Return the lines from `heads` to `tails`; the whole text is filled in only where many are wanted."""
        spans = list(zip(heads.tolist(), tails.tolist(), strict=True))
        if self._filled is None and len(spans) * 8 < self.count:
            template = self.lines().template
            assert self._text is not None
            return codec.cut_out(template, self._text, spans)
        text = self._fill()
        return [text[head:tail] for head, tail in spans]


def _only(sparse: Mapping[int, Any], new: Mapping[int, int]) -> dict[int, Any]:
    return {new[row]: value for row, value in sparse.items() if row in new} if sparse else {}
