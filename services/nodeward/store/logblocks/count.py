"""Counting what matches: from each block's counters where they suffice, else from its columns; its lines only if words ask."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from nodeward.core import severity
from nodeward.store.base import Bin, Effort, Histogram, LogQuery, Scanned, Top
from nodeward.store.logblocks.block import MINUTE
from nodeward.store.logblocks.rows import Numbers
from nodeward.store.logblocks.search import Spending, reporting
from nodeward.store.logblocks.units import Stored, Unit

_SECOND = 1_000_000
_WIDTHS = [
    *(step * scale for scale in (1_000, 10_000, 100_000) for step in (1, 2, 5)),
    *(seconds * _SECOND for seconds in (1, 2, 5, 10, 15, 30)),
    *(minutes * MINUTE for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440)),
    *(days * 1440 * MINUTE for days in (2, 7, 14, 28, 91, 365, 3650)),
]
_LEVELS = [severity.name(level) or "" for level in range(256)]
_FROM_COUNTERS = ("host", "node", "source", "level")


def edges(start: int, end: int, bins: int) -> list[int]:
    """Return where bins begin, and the end: at round times, at most `bins` of them."""
    width = next((width for width in _WIDTHS if (end - start) // width + 2 <= max(bins, 2)), _WIDTHS[-1])
    first = start - start % width + width
    return [start, *range(first, end, width), end]


def histogram(units: Iterable[Unit], query: LogQuery, bins: int, effort: Effort, scanned: Scanned) -> Histogram:
    """Count records by time and level, over [query.start, query.end)."""
    bounds = np.array(edges(query.start, query.end, bins))
    whole_minutes = bool((np.diff(bounds[1:-1]) % MINUTE == 0).all() and (bounds[1:-1] % MINUTE == 0).all())
    table = np.zeros((len(bounds) - 1, 256), np.int64)
    spending, exact = Spending(effort, scanned), True
    for unit in units:
        if spending.over:
            exact = False
            break
        with reporting(unit, scanned):
            times, levels, counts = _counted(unit, query, whole_minutes)
            places = np.searchsorted(bounds, times, side="right") - 1
            np.add.at(table, (places, levels), counts)
    found = [
        Bin(int(start), int(end), {int(level): int(row[level]) for level in np.flatnonzero(row)})
        for start, end, row in zip(bounds, bounds[1:], table, strict=False)
    ]
    return Histogram(found, exact and not scanned.damaged)


def top(units: Iterable[Unit], query: LogQuery, name: str, limit: int, effort: Effort, scanned: Scanned) -> Top:
    """Count records by the values of a field."""
    counter: Counter[str] = Counter()
    spending, exact = Spending(effort, scanned), True
    for unit in units:
        if spending.over:
            exact = False
            break
        with reporting(unit, scanned):
            for value, count in _values(unit, query, name):
                counter[value] += count
    counter.pop("", None)
    return Top(sorted(counter.items(), key=lambda pair: (-pair[1], pair[0]))[:limit], exact and not scanned.damaged)


def _counted(unit: Unit, query: LogQuery, whole_minutes: bool) -> tuple[Numbers, Numbers, Numbers]:
    """Return times, levels and how many records each stands for."""
    if isinstance(unit, Stored) and whole_minutes and _counters_suffice(unit, query):
        kept = _kept_counters(unit, query)
        counter = unit.reader.counter
        minutes = np.maximum(counter("minute")[kept] * MINUTE, query.start)
        return minutes, counter("level")[kept], counter("count")[kept]
    rows = unit.matching(query)
    return unit.at("times", rows), unit.at("levels", rows), np.ones(len(rows), np.int64)


def _counters_suffice(unit: Stored, query: LogQuery) -> bool:
    """Say whether the block's counters answer: not where lines or idents matter, nor within the minute that a range cuts."""
    if query.reads_lines or query.idents or not unit.reader.head.minutes:
        return False
    cut_at_start = query.start > unit.min_time and query.start % MINUTE != 0
    cut_at_end = query.end <= unit.max_time and query.end % MINUTE != 0
    return not cut_at_start and not cut_at_end


def _kept_counters(unit: Stored, query: LogQuery) -> Numbers:
    reader = unit.reader
    minutes = reader.counter("minute") * MINUTE
    kept = (minutes + MINUTE > query.start) & (minutes < query.end)
    if query.levels is not None:
        kept &= np.isin(reader.counter("level"), list(query.levels))
    if query.hosts:
        kept &= reader.fitting("host", query.hosts)[reader.counter("host")]
    for kind, names in (("node", query.nodes), ("source", query.sources)):
        if names:
            kept &= reader.fitting(kind, names)[reader.counter("stream")]
    return np.flatnonzero(kept)


def _values(unit: Unit, query: LogQuery, name: str) -> Iterable[tuple[str, int]]:
    """Yield values of a field and how many records have each; a value may come more than once."""
    table: Sequence[Any] = _LEVELS
    if isinstance(unit, Stored) and name in _FROM_COUNTERS and _counters_suffice(unit, query):
        kept = _kept_counters(unit, query)
        codes = unit.reader.counter("stream" if name in ("node", "source") else name)[kept]
        weights = unit.reader.counter("count")[kept]
        if name != "level":
            table = unit.reader.table(name)
    else:
        rows = unit.matching(query)
        if name == "level":
            codes = unit.at("levels", rows)
        else:
            table, codes = unit.names(name, rows)
        weights = np.ones(len(rows), np.int64)
    counts = np.bincount(codes, weights)
    for code in np.flatnonzero(counts).tolist():
        yield str(getattr(table[code], name, table[code])), int(counts[code])
