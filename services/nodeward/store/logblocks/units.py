"""What a search looks through, one unit after the other: a batch that just came, or a block. Both answer the same questions."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from nodeward.store.base import LogQuery
from nodeward.store.logblocks import block, codec, match, rows, words
from nodeward.store.logblocks.match import Lines, Mask
from nodeward.store.logblocks.rows import Names, Numbers, Rows


class Unit(Protocol):
    """Records that lie together. Methods raise `codec.Damaged` where they cannot be read."""

    where: str
    min_time: int
    max_time: int
    from_seq: int
    to_seq: int
    count: int
    weight: int  # bytes that looking at its lines costs, beyond those that reading reports itself

    def matching(self, query: LogQuery) -> Numbers:
        """Return the rows that match."""

    def column(self, name: str) -> Numbers:
        """Return times, seqs or levels of all rows."""

    def names(self, kind: str) -> Names[Any]:
        """Return hosts, idents or streams of all rows."""

    def rows(self, wanted: Numbers) -> Rows:
        """Return records of these rows (which must grow)."""


class Hot:
    """A batch that is not compacted yet."""

    def __init__(self, data: Rows) -> None:
        self._rows = data
        self.where = "hot"
        self.min_time, self.max_time = int(data.times.min()), int(data.times.max())
        self.from_seq, self.to_seq = int(data.seqs[0]), int(data.seqs[-1]) + 1
        self.count, self.weight = data.count, len(data.raw)
        self._opened: Lines | None = None

    def matching(self, query: LogQuery) -> Numbers:
        """Return the rows that match."""
        wanted = selected(self, query)
        if query.reads_lines and wanted.any():
            wanted = match.matching(query, self._lines(), wanted)
        return np.flatnonzero(wanted)

    def column(self, name: str) -> Numbers:
        """Return times, seqs or levels of all rows."""
        found: Numbers = getattr(self._rows, name)
        return found

    def names(self, kind: str) -> Names[Any]:
        """Return hosts, idents or streams of all rows."""
        found: Names[Any] = getattr(self._rows, f"{kind}s")
        return found

    def rows(self, wanted: Numbers) -> Rows:
        """Return records of these rows."""
        return self._rows.take(wanted)

    def _lines(self) -> Lines:
        if self._opened is None:
            text = codec.separate(self._rows.raw, self._rows.ends).tobytes()
            starts = np.concatenate(([0], self._rows.ends + np.arange(1, self.count + 1)))
            self._opened = Lines(starts, text, lambda: text, lambda: self._rows.texts, lambda: self._rows.fields)
        return self._opened


class Stored:
    """A block."""

    def __init__(self, where: str, reader: block.Reader, on_pass: Callable[[], None] = lambda: None) -> None:
        self.where, self._reader, self._on_pass = where, reader, on_pass
        meta = reader.meta
        self.min_time, self.max_time = meta.min_time, meta.max_time
        self.from_seq, self.to_seq, self.count, self.weight = meta.from_seq, meta.to_seq, meta.records, 0

    @property
    def reader(self) -> block.Reader:
        """What reads its parts."""
        return self._reader

    def matching(self, query: LogQuery) -> Numbers:
        """Return the rows that match: by its levels, its filters, its columns, and only then by its lines."""
        levels = query.levels
        if levels is not None and not self._reader.meta.levels & block.level_bits(list(levels)):
            return self._passed_over()
        pieces = self._reader.may_hold(_needed(query))
        if not pieces.any():
            return self._passed_over()
        wanted = selected(self, query)
        if not query.reads_lines:
            return np.flatnonzero(wanted)
        found = [self._in_piece(int(number), query, wanted) for number in np.flatnonzero(pieces)]
        return np.concatenate(found)

    def column(self, name: str) -> Numbers:
        """Return times, seqs or levels of all rows."""
        return self._reader.column(name)

    def names(self, kind: str) -> Names[Any]:
        """Return hosts, idents or streams of all rows."""
        return self._reader.names(kind)

    def rows(self, wanted: Numbers) -> Rows:
        """Return records of these rows."""
        return self._reader.rows(wanted)

    def _in_piece(self, number: int, query: LogQuery, wanted: Mask) -> Numbers:
        begin, end = self._reader.range_of(number)
        inside = wanted[begin:end]
        if not inside.any():
            return np.empty(0, np.int64)
        found = np.flatnonzero(match.matching(query, self._reader.lines(number), inside)) + begin
        if not len(found):
            self._reader.forget(number)
        return found

    def _passed_over(self) -> Numbers:
        self._on_pass()
        return np.empty(0, np.int64)


def selected(unit: Unit, query: LogQuery) -> Mask:
    """Return which rows match by their columns alone."""
    wanted = np.ones(unit.count, np.bool_)
    if query.start > unit.min_time:
        wanted &= unit.column("times") >= query.start
    if query.end <= unit.max_time:
        wanted &= unit.column("times") < query.end
    if query.levels is not None:
        wanted &= np.isin(unit.column("levels"), list(query.levels))
    for kind, names in (("host", query.hosts), ("ident", query.idents)):
        if names:
            wanted &= rows.numbers(one_of(names), unit.names(kind))
    if query.nodes or query.sources:
        node, source = one_of(query.nodes), one_of(query.sources)
        wanted &= rows.numbers(lambda stream: node(stream.node) and source(stream.source), unit.names("stream"))
    return wanted


def one_of(names: Sequence[str]) -> Callable[[str], bool]:
    """Return the test whether a name is one of `names`, in which ``*`` stands for any run of characters; none: always."""
    plain = frozenset(name for name in names if "*" not in name)
    patterns = [name.split("*") for name in names if "*" in name]
    return lambda name: not names or name in plain or any(_fits(parts, name) for parts in patterns)


def _fits(parts: list[str], name: str) -> bool:
    """Say whether `name` is the parts with anything between them; each part is taken as early as possible."""
    first, *middle, last = parts
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    position, end = len(first), len(name) - len(last)
    for part in middle:
        position = name.find(part, position, end)
        if position < 0:
            return False
        position += len(part)
    return True


def _needed(query: LogQuery) -> list[list[int]]:
    """Return groups of hashes of which each piece with a match holds one."""
    groups = [[word] for term in query.terms for word in match.needed_words(term)]
    for kind, names in (
        ("host", query.hosts),
        ("ident", query.idents),
        ("node", query.nodes),
        ("source", query.sources),
    ):
        if names and not any("*" in name for name in names):
            groups.append([words.tag(kind, name) for name in names])
    return groups
