"""One block: some ten thousand records of one day, in four parts that are read apart.

* `head` – tables of hosts, idents and streams, where the other parts' pieces lie, what is in here in numbers;
* `filters` – per piece of the text, which words and names it may hold;
* `columns` – times, levels, codes and so on of all records;
* `text` – the lines, in pieces of some hundred KiB that can be read alone.

Records are sorted by host, then by stream, so that one host's lines lie together: a search for a host reads one piece or two.
"""

import itertools
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgpack
import numpy as np
from numpy.typing import NDArray

from nodeward.store.logblocks import codec, words
from nodeward.store.logblocks.codec import Damaged, Text
from nodeward.store.logblocks.match import Lines
from nodeward.store.logblocks.rows import NEWLINE, Names, Numbers, Rows, Stream, join

PIECE_ROWS = 1024
PIECE_BYTES = 192 * 1024
MINUTE = 60_000_000
NO_LEVEL = 255

_DIFFERENCES = ("seqs", "times", "received", "places")
_PLAIN = ("levels", "pids", "starts", "behind", "host_codes", "ident_codes", "stream_codes", "lengths")


class Meta(NamedTuple):
    """What is known of a block without opening it. Times are µs, both included; `levels` has bit min(level, 8) set."""

    from_seq: int
    to_seq: int
    part: int
    records: int
    raw_bytes: int
    min_time: int
    max_time: int
    max_received: int
    levels: int
    pieces: int
    width: int


class Piece(NamedTuple):
    """Where a piece lies: the rows and raw bytes before it, and the lengths of its parts in `text`."""

    row: int
    raw: int
    at: int
    template: int
    digits: int
    extras: int


@dataclass(frozen=True, slots=True)
class Encoded:
    """A block ready to be stored."""

    meta: Meta
    head: bytes
    filters: bytes
    columns: bytes
    text: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """A block's head, read."""

    hosts: list[str]
    idents: list[str]
    streams: list[Stream]
    columns: dict[str, tuple[int, int]]  # name: (position, length)
    pieces: list[Piece]
    checks: list[int]  # crc32 of each shard of the filters
    levels: dict[int, int]  # how many records of each level
    totals: list[tuple[str, str, int, int, int]]  # node, source, records, raw bytes, parse errors
    minutes: int  # rows of the per-minute counters

    @property
    def bounds(self) -> NDArray[np.int64]:
        """The first row of each piece, and the count behind them."""
        return np.array([piece.row for piece in self.pieces])


def encode(rows: Rows, from_seq: int, to_seq: int, part: int = 0) -> Encoded:
    """Return the block of these records, which arrived as [from_seq, to_seq) of all."""
    rows = rows.take(_order(rows))
    bounds = _bounds(rows)
    pieces, texts, found = _encode_pieces(rows, bounds)
    filters = words.build(found)
    columns = {name: codec.pack(values, name in _DIFFERENCES) for name, values in _columns(rows).items()}
    levels, counts = np.unique(rows.levels, return_counts=True)
    head = codec.compress(
        msgpack.packb(
            {
                "hosts": rows.hosts.table,
                "idents": rows.idents.table,
                "streams": rows.streams.table,
                "columns": _places(columns),
                "pieces": pieces,
                "checks": [zlib.crc32(shard) for shard in _shards(filters)],
                "levels": dict(zip(levels.tolist(), counts.tolist(), strict=True)),
                "totals": _totals(rows),
                "minutes": len(_minutes(rows)[0]),
            }
        )
    )
    meta = Meta(
        from_seq, to_seq, part, rows.count, len(rows.raw), int(rows.times.min()), int(rows.times.max()),
        int(rows.received.max()), level_bits(levels.tolist()), filters.pieces, filters.width,
    )  # fmt: skip
    return Encoded(meta, head, filters.data, b"".join(columns.values()), b"".join(texts))


def level_bits(levels: Sequence[int]) -> int:
    """Return levels as bits of one number."""
    bits = 0
    for level in levels:
        bits |= 1 << min(level, 8)
    return bits


def read_head(data: bytes) -> Head:
    """Return the head. Raise Damaged."""
    try:
        body = msgpack.unpackb(codec.decompress(data), strict_map_key=False)
        return Head(
            hosts=body["hosts"],
            idents=body["idents"],
            streams=[Stream(*stream) for stream in body["streams"]],
            columns={name: tuple(place) for name, place in body["columns"].items()},
            pieces=[Piece(*piece) for piece in body["pieces"]],
            checks=body["checks"],
            levels=body["levels"],
            totals=[tuple(total) for total in body["totals"]],
            minutes=body["minutes"],
        )
    except (msgpack.UnpackException, ValueError, TypeError, KeyError) as error:
        raise Damaged(f"the head cannot be read ({error})") from None


class Reader:
    """Reads a stored block part by part, each at most once. `read(part, position, length)` gives bytes of a part.

    Every method raises Damaged where the bytes are not what was written. `on_read` is told how many bytes were decompressed.
    """

    def __init__(
        self, meta: Meta, head: Head, read: Callable[[str, int, int], bytes], on_read: Callable[[int], None]
    ) -> None:
        self.meta, self.head = meta, head
        self._read, self._on_read = read, on_read
        self._columns: dict[str, Numbers] = {}
        self._lines: dict[int, Lines] = {}
        self._extras: dict[int, dict[str, Any]] = {}

    def may_hold(self, wanted: Sequence[Sequence[int]]) -> NDArray[np.bool_]:
        """Given groups of hashes, return for each piece whether it may hold one of each group."""
        result = np.ones(self.meta.pieces, np.bool_)
        for group in wanted:
            any_of = np.zeros(self.meta.pieces, np.bool_)
            for word in group:
                shard = words.shard_of(word)
                any_of |= words.test(self._shard(shard), self.meta.pieces, self.meta.width, word)
            result &= any_of
            if not result.any():
                break
        return result

    def column(self, name: str) -> Numbers:
        """Return a column of all records."""
        if name not in self._columns:
            position, length = self.head.columns[name]
            count = self.head.minutes if name.startswith("minute") else self.meta.records
            self._columns[name] = codec.unpack(self._read("columns", position, length), count)
            self._on_read(8 * count)
        return self._columns[name]

    def names(self, kind: str) -> Names[Any]:
        """Return the column of hosts, idents or streams."""
        table: list[Any] = getattr(self.head, f"{kind}s")
        return Names(table, self.column(f"{kind}_codes").astype(np.uint32))

    def lines(self, number: int) -> Lines:
        """Return the lines of a piece."""
        if number not in self._lines:
            self._lines[number] = self._open(number)
        return self._lines[number]

    def forget(self, number: int) -> None:
        """Let go of a piece's lines."""
        self._lines.pop(number, None)

    def rows(self, wanted: Numbers) -> Rows:
        """Return the records of these rows, in the order of rows; each piece they are in is read."""
        parts = []
        bounds = self._row_bounds()
        for number in np.unique(np.searchsorted(bounds, wanted, side="right") - 1).tolist():
            inside = wanted[(wanted >= bounds[number]) & (wanted < bounds[number + 1])]
            parts.append(self._rows_of(number, inside))
        return join(parts)

    def all_rows(self) -> Rows:
        """Return every record, for merging blocks."""
        return self.rows(np.arange(self.meta.records))

    def range_of(self, number: int) -> tuple[int, int]:
        """Return the first row of a piece and the one behind its last."""
        bounds = self._row_bounds()
        return int(bounds[number]), int(bounds[number + 1])

    def _row_bounds(self) -> Numbers:
        return np.append(self.head.bounds, self.meta.records)

    def _shard(self, number: int) -> bytes:
        size = self.meta.pieces * self.meta.width
        data = self._read("filters", number * size, size)
        if zlib.crc32(data) != self.head.checks[number]:
            raise Damaged(f"shard {number} of the filters fails its checksum")
        return data

    def _open(self, number: int) -> Lines:
        piece = self.head.pieces[number]
        data = self._read("text", piece.at, piece.template + piece.digits)
        parts = Text(data[: piece.template], data[piece.template :])
        template = codec.unpack_template(parts)
        self._on_read(len(template))
        filled: list[bytes] = []

        def text() -> bytes:
            if not filled:
                filled.append(codec.fill_in(template, parts))
                self._on_read(len(template))
            return filled[0]

        return Lines(
            starts=self._starts(number, template),
            template=template,
            text=text,
            texts=lambda: self._extra(number)["texts"],
            fields=lambda: self._extra(number)["fields"],
        )

    def _starts(self, number: int, template: bytes) -> Numbers:
        begin, end = self.range_of(number)
        if "lengths" in self.head.columns:
            starts = np.cumsum(self.column("lengths")[begin:end] + 1)
        else:
            starts = np.flatnonzero(np.frombuffer(template, np.uint8) == NEWLINE) + 1
        if len(starts) != end - begin or starts[-1] != len(template):
            raise Damaged(f"piece {number} has not the lines it should have")
        return np.concatenate(([0], starts))

    def _extra(self, number: int) -> dict[str, Any]:
        if number not in self._extras:
            piece = self.head.pieces[number]
            found: dict[str, Any] = {"texts": {}, "fields": {}, "errors": {}}
            if piece.extras:
                data = self._read("text", piece.at + piece.template + piece.digits, piece.extras)
                try:
                    plain = codec.decompress(data)
                    found = msgpack.unpackb(plain, strict_map_key=False)
                except (msgpack.UnpackException, ValueError) as error:
                    raise Damaged(f"the fields of piece {number} cannot be read ({error})") from None
                self._on_read(len(plain))
            self._extras[number] = found
        return self._extras[number]

    def _rows_of(self, number: int, wanted: Numbers) -> Rows:
        begin, _ = self.range_of(number)
        lines, extra = self.lines(number), self._extra(number)
        inside = wanted - begin
        text = lines.text()
        heads, tails = lines.starts[inside], lines.starts[inside + 1] - 1
        lengths = tails - heads
        new = {int(row): place for place, row in enumerate(inside)}
        return Rows(
            raw=b"".join([text[head:tail] for head, tail in zip(heads.tolist(), tails.tolist(), strict=True)]),
            ends=np.cumsum(lengths),
            seqs=self.column("seqs")[wanted],
            times=self.column("times")[wanted],
            received=self.column("received")[wanted],
            offsets=self.column("places")[wanted] + self.head.pieces[number].raw + begin + heads,
            levels=self.column("levels")[wanted],
            pids=self.column("pids")[wanted],
            starts=self.column("starts")[wanted],
            stops=lengths - self.column("behind")[wanted],
            hosts=self.names("host").take(wanted),
            idents=self.names("ident").take(wanted),
            streams=self.names("stream").take(wanted),
            texts=_only(extra["texts"], new),
            fields=_only(extra["fields"], new),
            errors=_only(extra["errors"], new),
        )


def _order(rows: Rows) -> Numbers:
    """Return the order by host, then stream, then arrival (which within a stream is that of the offsets)."""
    key = rows.hosts.codes.astype(np.int64) * len(rows.streams.table) + rows.streams.codes
    return np.lexsort((rows.seqs, key))


def _bounds(rows: Rows) -> list[int]:
    """Return where pieces begin, and the count behind: pieces of about equal bytes."""
    total = len(rows.raw) + rows.count
    wanted = max(-(-rows.count // PIECE_ROWS), -(-total // PIECE_BYTES))
    places = np.searchsorted(rows.ends, np.arange(1, wanted) * (len(rows.raw) / wanted), side="right")
    return np.unique(np.concatenate(([0], places, [rows.count]))).tolist()


def _encode_pieces(rows: Rows, bounds: list[int]) -> tuple[list[Piece], list[bytes], list[words.Hashes]]:
    tags = _tags(rows)
    pieces, texts, found = [], [], []
    at = 0
    for begin, end in itertools.pairwise(bounds):
        first = int(rows.ends[begin - 1]) if begin else 0
        last = int(rows.ends[end - 1])
        text = codec.separate(rows.raw[first:last], rows.ends[begin:end] - first)
        extras = _extras(rows, begin, end)
        hashes = [words.hashes(text), *(table[np.unique(codes[begin:end])] for table, codes in tags)]
        hashes += [words.hashes(other.encode()) for other in extras["texts"].values()]
        found.append(words.distinct(np.concatenate(hashes)))
        packed = codec.pack_text(text)
        extra = codec.compress(msgpack.packb(extras)) if any(extras.values()) else b""
        pieces.append(Piece(begin, first, at, len(packed.template), len(packed.digits), len(extra)))
        texts += [packed.template, packed.digits, extra]
        at += len(packed.template) + len(packed.digits) + len(extra)
    return pieces, texts, found


def _tags(rows: Rows) -> list[tuple[words.Hashes, NDArray[np.uint32]]]:
    """Return the names that a filter also holds: per kind, the hash of each name of the table, and the codes."""

    def table(kind: str, names: list[str]) -> words.Hashes:
        return np.array([words.tag(kind, name) for name in names], np.uint32)

    streams = rows.streams
    return [
        (table("host", rows.hosts.table), rows.hosts.codes),
        (table("ident", rows.idents.table), rows.idents.codes),
        (table("node", [stream.node for stream in streams.table]), streams.codes),
        (table("source", [stream.source for stream in streams.table]), streams.codes),
    ]


def _extras(rows: Rows, begin: int, end: int) -> dict[str, dict[int, Any]]:
    def part(sparse: Mapping[int, Any]) -> dict[int, Any]:
        if not sparse:
            return {}
        return {row - begin: sparse[row] for row in range(begin, end) if row in sparse}

    return {"texts": part(rows.texts), "fields": part(rows.fields), "errors": part(rows.errors)}


def _columns(rows: Rows) -> dict[str, Numbers]:
    lengths = rows.lengths
    places = np.arange(rows.count) + rows.ends - lengths  # an offset mostly is the one before, and its length, and one
    columns = {
        "seqs": rows.seqs,
        "times": rows.times,
        "received": rows.received,
        "places": rows.offsets - places,
        "levels": rows.levels,
        "pids": rows.pids,
        "starts": rows.starts,
        "behind": lengths - rows.stops,
        "host_codes": rows.hosts.codes.astype(np.int64),
        "ident_codes": rows.idents.codes.astype(np.int64),
        "stream_codes": rows.streams.codes.astype(np.int64),
    }
    if NEWLINE in rows.raw:
        columns["lengths"] = lengths
    names = ("minute", "minute_host", "minute_stream", "minute_level", "minute_count")
    columns.update(zip(names, _minutes(rows), strict=True))
    return columns


def _minutes(rows: Rows) -> tuple[Numbers, ...]:
    """Return the counters: minute, host, stream, level, and how many records; none where they would be as long as the columns."""
    minutes = rows.times // MINUTE
    base = int(minutes.min())
    sizes = (len(rows.hosts.table), len(rows.streams.table), 256)
    key = minutes - base
    key = ((key * sizes[0] + rows.hosts.codes) * sizes[1] + rows.streams.codes) * sizes[2] + rows.levels
    key, counts = np.unique(key, return_counts=True)
    if len(key) * 8 > rows.count:
        return (np.empty(0, np.int64),) * 5
    key, level = np.divmod(key, 256)
    key, stream = np.divmod(key, sizes[1])
    minute, host = np.divmod(key, sizes[0])
    return minute + base, host, stream, level, counts


def _totals(rows: Rows) -> list[tuple[str, str, int, int, int]]:
    counts = np.bincount(rows.streams.codes, minlength=len(rows.streams.table))
    sizes = np.bincount(rows.streams.codes, rows.lengths, len(rows.streams.table))
    failed = np.bincount(rows.streams.codes[list(rows.errors)], minlength=len(counts)) if rows.errors else counts * 0
    sums: dict[tuple[str, str], list[int]] = {}
    for stream, *values in zip(rows.streams.table, counts, sizes, failed, strict=True):
        total = sums.setdefault((stream.node, stream.source), [0, 0, 0])
        for place, value in enumerate(values):
            total[place] += int(value)
    return [(node, source, *total) for (node, source), total in sums.items() if total[0]]  # type: ignore[misc]


def _shards(filters: words.Filters) -> list[bytes]:
    size = filters.shard_size
    return [filters.data[number * size : (number + 1) * size] for number in range(words.SHARDS)]


def _places(parts: Mapping[str, bytes]) -> dict[str, tuple[int, int]]:
    places, at = {}, 0
    for name, part in parts.items():
        places[name] = (at, len(part))
        at += len(part)
    return places


def _only(sparse: Mapping[int, Any], new: Mapping[int, int]) -> dict[int, Any]:
    return {new[row]: value for row, value in sparse.items() if row in new} if sparse else {}
