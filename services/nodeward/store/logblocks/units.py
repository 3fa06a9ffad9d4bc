"""What a search looks through, one unit after the other: a batch that just came, or a block. Both answer the same questions."""

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from nodeward.core.batch import Record
from nodeward.store.base import LogQuery
from nodeward.store.logblocks import block, codec, match, words
from nodeward.store.logblocks.match import Lines, Mask
from nodeward.store.logblocks.names import fitting, one_of
from nodeward.store.logblocks.reading import Reader
from nodeward.store.logblocks.rows import Numbers, Rows
from nodeward.store.logblocks.words import Wanted

Table = list[Any]


class Part(Protocol):
    """Records whose columns can be read."""

    count: int
    min_time: int
    max_time: int

    def column(self, name: str) -> Numbers:
        """Return times, seqs or levels of all records."""

    def fits(self, kind: str, names: tuple[str, ...]) -> Mask:
        """Return which records have one of `names` as host, ident, node or source."""


class Unit(Protocol):
    """Records that lie together. Rows that are handed in must grow. Methods raise `codec.Damaged` where they cannot be read."""

    where: str
    min_time: int
    max_time: int
    from_seq: int
    to_seq: int
    count: int
    weight: int  # bytes that looking at its lines costs, beyond those that reading reports itself

    def matching(self, query: LogQuery) -> Numbers:
        """Return the rows that match."""

    def portions(self, query: LogQuery, newest_first: bool) -> Sequence[int]:
        """Return the parts of it that may have matches, those first that may have the newest, or the oldest."""

    def within(self, portion: int, query: LogQuery) -> Numbers:
        """Return the rows of a portion that match."""

    def at(self, name: str, rows: Numbers) -> Numbers:
        """Return times, seqs or levels of these rows."""

    def names(self, kind: str, rows: Numbers) -> tuple[Table, Numbers]:
        """Return a table of hosts, idents, or (for nodes and sources) streams, and the codes of these rows."""

    def records(self, rows: Numbers) -> list[Record]:
        """Return the records of these rows."""

    def check(self) -> None:
        """Read everything once."""


class Whole(ABC):
    """A unit that is looked through as a whole."""

    @abstractmethod
    def matching(self, query: LogQuery) -> Numbers:
        """Return the rows that match."""

    def portions(self, query: LogQuery, newest_first: bool) -> Sequence[int]:
        """It has one."""
        return (0,)

    def within(self, portion: int, query: LogQuery) -> Numbers:
        """Return the rows that match."""
        return self.matching(query)


class Hot(Whole):
    """A batch that is not compacted yet."""

    def __init__(self, data: Rows) -> None:
        self._rows = data
        self.where = "hot"
        self.min_time, self.max_time = int(data.times.min()), int(data.times.max())
        self.from_seq, self.to_seq = int(data.seqs[0]), int(data.seqs[-1]) + 1
        self.count, self.weight = data.count, len(data.raw)
        self._opened: Lines | None = None

    @property
    def data(self) -> Rows:
        """Its records, column by column."""
        return self._rows

    def matching(self, query: LogQuery) -> Numbers:
        """Return the rows that match."""
        wanted = selected(self, query)
        if query.reads_lines and wanted.any():
            wanted = match.matching(query, self._lines(), wanted)
        return np.flatnonzero(wanted)

    def portions(self, query: LogQuery, newest_first: bool) -> Sequence[int]:
        """None where no record has one of the names asked for: most batches are of one host."""
        tables = {"host": self._rows.hosts.table, "ident": self._rows.idents.table}
        for kind, names in _named(query):
            if names and kind in tables and not any(map(one_of(names), tables[kind])):
                return ()
        return (0,)

    def column(self, name: str) -> Numbers:
        """Return times, seqs or levels of all records."""
        found: Numbers = getattr(self._rows, name)
        return found

    def fits(self, kind: str, names: tuple[str, ...]) -> Mask:
        """Return which records have one of `names` as host, ident, node or source."""
        table, codes = self.names(kind, np.arange(self.count))
        return fitting(table, kind, names)[codes]

    def at(self, name: str, rows: Numbers) -> Numbers:
        """Return times, seqs or levels of these rows."""
        return self.column(name)[rows]

    def names(self, kind: str, rows: Numbers) -> tuple[Table, Numbers]:
        """Return a table and the codes of these rows."""
        found = getattr(self._rows, f"{kind}s" if kind in ("host", "ident") else "streams")
        return found.table, found.codes[rows].astype(np.int64)

    def records(self, rows: Numbers) -> list[Record]:
        """Return the records of these rows."""
        return [self._rows.record(row) for row in rows.tolist()]

    def check(self) -> None:
        """It was read when it was opened."""

    def _lines(self) -> Lines:
        if self._opened is None:
            text = codec.separate(self._rows.raw, self._rows.ends).tobytes()
            starts = np.concatenate(([0], self._rows.ends + np.arange(1, self.count + 1)))
            self._opened = Lines(
                self.count,
                lambda: starts,
                text,
                False,
                lambda: text,
                lambda: self._rows.texts,
                lambda: self._rows.fields,
            )
        return self._opened


class Stored:
    """A block."""

    def __init__(self, where: str, reader: Reader, on_pass: Callable[[], None] = lambda: None) -> None:
        self.where, self.reader, self._on_pass = where, reader, on_pass
        meta = reader.meta
        self.min_time, self.max_time = meta.min_time, meta.max_time
        self.from_seq, self.to_seq, self.count, self.weight = meta.from_seq, meta.to_seq, meta.records, 0

    def matching(self, query: LogQuery) -> Numbers:
        """Return the rows that match."""
        return _together([self.within(number, query) for number in self._candidates(query)])

    def portions(self, query: LogQuery, newest_first: bool) -> Sequence[int]:
        """Return the pieces that may have matches."""
        places, found = self.reader.head.pieces, self._candidates(query)
        if newest_first:
            return sorted(found, key=lambda number: -places[number].max_time)
        return sorted(found, key=lambda number: places[number].min_time)

    def within(self, portion: int, query: LogQuery) -> Numbers:
        """Return the rows of a piece that match: by its columns, and only then by its lines."""
        place = self.reader.head.pieces[portion]
        if place.max_time < query.start or place.min_time >= query.end:
            return _NONE
        piece = self.reader.piece(portion)
        wanted = selected(piece, query)
        if query.reads_lines and wanted.any():
            wanted = match.matching(query, piece.lines(), wanted)
            if not wanted.any():
                piece.forget_lines()
        return np.flatnonzero(wanted) + piece.begin

    def at(self, name: str, rows: Numbers) -> Numbers:
        """Return times, seqs or levels of these rows."""
        return _together([piece.at(name, inside) for piece, inside in self.reader.split(rows)])

    def names(self, kind: str, rows: Numbers) -> tuple[Table, Numbers]:
        """Return a table and the codes of these rows."""
        return self.reader.table(kind), _together(
            [piece.codes_at(kind, inside) for piece, inside in self.reader.split(rows)]
        )

    def records(self, rows: Numbers) -> list[Record]:
        """Return the records of these rows."""
        return [record for piece, inside in self.reader.split(rows) for record in piece.records(inside)]

    def check(self) -> None:
        """Read everything once."""
        self.reader.check()

    def _candidates(self, query: LogQuery) -> list[int]:
        """Return the pieces that may have matches, by the block's levels and its filters."""
        levels = query.levels
        found: list[int] = []
        if levels is None or self.reader.meta.levels & block.level_bits(list(levels)):
            found = np.flatnonzero(self.reader.may_hold(needed(query))).tolist()
        if not found:
            self._on_pass()
        return found


_NONE: Numbers = np.empty(0, np.int64)


def selected(part: Part, query: LogQuery) -> Mask:
    """Return which records match by their columns alone."""
    wanted = np.ones(part.count, np.bool_)
    if query.start > part.min_time:
        wanted &= part.column("times") >= query.start
    if query.end <= part.max_time:
        wanted &= part.column("times") < query.end
    if query.levels is not None:
        wanted &= np.isin(part.column("levels"), list(query.levels))
    for kind, names in _named(query):
        if names:
            wanted &= part.fits(kind, names)
    return wanted


def _named(query: LogQuery) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return (("host", query.hosts), ("ident", query.idents), ("node", query.nodes), ("source", query.sources))


def _together(parts: list[Numbers]) -> Numbers:
    return np.concatenate(parts) if parts else _NONE


def needed(query: LogQuery) -> Wanted:
    """Return groups of hashes of which each piece with a match holds one."""
    return _groups(query.terms, _named(query))


@functools.lru_cache(256)
def _groups(terms: tuple[Any, ...], named: tuple[tuple[str, tuple[str, ...]], ...]) -> Wanted:
    groups: list[tuple[int, ...]] = [(word,) for term in terms for word in match.needed_words(term)]
    for kind, names in named:
        if names and not any("*" in name for name in names):
            groups.append(tuple(words.tag(kind, name) for name in names))
    return tuple(groups)
