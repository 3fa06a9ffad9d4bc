"""One block: some ten thousand records of one day, in four parts that are read apart.

* `head` – tables of hosts, idents and streams, where the pieces lie, what is in here in numbers;
* `filters` – per piece, which words and names it may hold;
* `counters` – how many records of each minute, host, stream and level;
* `text` – the records, in pieces of some hundreds that can be read alone: columns, lines, and what only few records have.

Records are sorted by host, then by stream, so that one host's lines lie together: a search for a host reads one piece or two.
"""

import functools
import itertools
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgpack
import numpy as np
from numpy.typing import NDArray

from nodeward.store.logblocks import codec, words
from nodeward.store.logblocks.codec import Damaged
from nodeward.store.logblocks.rows import NEWLINE, Numbers, Rows, Stream

PIECE_ROWS = 512
PIECE_BYTES = 96 * 1024
MINUTE = 60_000_000

COLUMNS = (
    "times", "seqs", "levels", "host_codes", "stream_codes", "ident_codes", "received", "places", "pids", "starts", "behind",
    "lengths",
)  # fmt: skip
COUNTERS = ("minute", "host", "stream", "level", "count")
_DIFFERENCES = ("seqs", "times", "received", "places", "minute")


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
    sieve: int = 0  # where its filters lie together with those of others; 0: in a row of their own


class Place(NamedTuple):
    """Where a piece lies: the rows and raw bytes before it, its times (µs, both included), and the lengths of its parts."""

    row: int
    raw: int
    min_time: int
    max_time: int
    at: int
    columns: int
    template: int
    digits: int
    extras: int


@dataclass(frozen=True, slots=True)
class Encoded:
    """A block ready to be stored."""

    meta: Meta
    head: bytes
    filters: bytes
    counters: bytes
    text: bytes


@dataclass(frozen=True)
class Head:
    """A block's head, read."""

    hosts: list[str]
    idents: list[str]
    stream_rows: list[list[str]]
    has_lengths: bool  # else each line ends where the next newline is
    pieces: list[Place]
    probes: int  # how many bits stand for a word in the filters
    salted: bool  # whether they are other ones in each piece
    checks: list[int]  # crc32 of each shard of the filters
    levels: dict[int, int]  # how many records of each level
    totals: list[tuple[str, str, int, int, int]]  # node, source, records, raw bytes, parse errors
    minutes: int  # rows of the counters; 0: they would take as long to read as the columns
    bounds: Numbers  # the first row of each piece, and the count behind them

    @functools.cached_property
    def firsts(self) -> list[int]:
        """The first row of each piece."""
        return [place.row for place in self.pieces]

    @functools.cached_property
    def streams(self) -> list[Stream]:
        """The table of streams; most searches never look at it."""
        return [Stream(*row) for row in self.stream_rows]


def encode(rows: Rows, from_seq: int, to_seq: int, part: int = 0) -> Encoded:
    """Return the block of these records, which arrived as [from_seq, to_seq) of all."""
    rows = rows.take(_order(rows))
    bounds = _bounds(rows)
    pieces, texts, found = _encode_pieces(rows, bounds)
    filters = words.build(found)
    counters = dict(zip(COUNTERS, _minutes(rows), strict=True))
    levels, counts = np.unique(rows.levels, return_counts=True)
    head = codec.compress(
        msgpack.packb(
            {
                "hosts": rows.hosts.table,
                "idents": rows.idents.table,
                "streams": rows.streams.table,
                "has_lengths": NEWLINE in rows.raw,
                "pieces": pieces,
                "probes": filters.probes,
                "salted": filters.salted,
                "checks": [zlib.crc32(shard) for shard in _shards(filters)],
                "levels": dict(zip(levels.tolist(), counts.tolist(), strict=True)),
                "totals": _totals(rows),
                "minutes": len(counters["minute"]),
            }
        )
    )
    meta = Meta(
        from_seq, to_seq, part, rows.count, len(rows.raw), int(rows.times.min()), int(rows.times.max()),
        int(rows.received.max()), level_bits(levels.tolist()), filters.pieces, filters.width,
    )  # fmt: skip
    return Encoded(meta, head, filters.data, _packed(counters), b"".join(texts))


def level_bits(levels: Sequence[int]) -> int:
    """Return levels as bits of one number."""
    bits = 0
    for level in levels:
        bits |= 1 << min(level, 8)
    return bits


def read_head(data: bytes, records: int) -> Head:
    """Return the head of a block of so many records. Raise Damaged."""
    try:
        body = msgpack.unpackb(codec.decompress(data), strict_map_key=False)
        return Head(
            hosts=body["hosts"],
            idents=body["idents"],
            stream_rows=body["streams"],
            has_lengths=body["has_lengths"],
            pieces=[Place(*place) for place in body["pieces"]],
            probes=body.get("probes", words.FORMER_PROBES),
            salted=body.get("salted", False),
            checks=body["checks"],
            levels=body["levels"],
            totals=[tuple(total) for total in body["totals"]],
            minutes=body["minutes"],
            bounds=np.array([*(place[0] for place in body["pieces"]), records]),
        )
    except (msgpack.UnpackException, ValueError, TypeError, KeyError) as error:
        raise Damaged(f"the head cannot be read ({error})") from None


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


def _encode_pieces(rows: Rows, bounds: list[int]) -> tuple[list[Place], list[bytes], list[words.Hashes]]:
    tags, columns = _tags(rows), _columns(rows)
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
        parts = [
            _packed({name: values[begin:end] for name, values in columns.items()}),
            packed.template,
            packed.digits,
            codec.compress(msgpack.packb(extras)) if any(extras.values()) else b"",
        ]
        times, sizes = rows.times[begin:end], [len(part) for part in parts]
        pieces.append(Place(begin, first, int(times.min()), int(times.max()), at, *sizes))
        texts += parts
        at += sum(sizes)
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
        "times": rows.times,
        "seqs": rows.seqs,
        "levels": rows.levels,
        "host_codes": rows.hosts.codes.astype(np.int64),
        "stream_codes": rows.streams.codes.astype(np.int64),
        "ident_codes": rows.idents.codes.astype(np.int64),
        "received": rows.received,
        "places": rows.offsets - places,
        "pids": rows.pids,
        "starts": rows.starts,
        "behind": lengths - rows.stops,
    }
    if NEWLINE in rows.raw:
        columns["lengths"] = lengths
    return columns


def _packed(columns: Mapping[str, Numbers]) -> bytes:
    return codec.compress(b"".join(codec.pack(values, name in _DIFFERENCES) for name, values in columns.items()))


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
