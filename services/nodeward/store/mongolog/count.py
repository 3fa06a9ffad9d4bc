"""Counting what matches: whole minutes from the counters, the rest from lines.

What the counters cannot say, because words, fields or programs are asked for, is counted by looking at the lines that match.
"""

import collections
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from bson import DatetimeMS

from nodeward.core import severity
from nodeward.store.base import Bin, Effort, Histogram, LogQuery, Top
from nodeward.store.logblocks import count
from nodeward.store.logblocks.block import MINUTE
from nodeward.store.logblocks.search import Spending, reporting
from nodeward.store.logblocks.units import Unit
from nodeward.store.mongodb import Doc
from nodeward.store.mongolog.moment import Moment

_NAMED = (("nodes", "node"), ("sources", "source"), ("hosts", "host"))
_COUNTED = ("node", "source", "host", "level")
_LEVELS = [severity.name(level) or "" for level in range(256)]

Part = tuple[LogQuery, Iterable[Unit]]


class Counter:
    """Counts as of a moment. `counters` gives what an aggregation of them gives; None: they cannot be asked now."""

    def __init__(self, moment: Moment, counters: Callable[[list[Doc]], list[Doc]] | None) -> None:
        self._moment, self._counters = moment, counters

    def histogram(self, query: LogQuery, bins: int, effort: Effort) -> Histogram:
        """Count records by time and level, over [query.start, query.end)."""
        edges = count.edges(query.start, query.end, bins)
        bounds, table = np.array(edges), np.zeros((len(edges) - 1, 256), np.int64)
        parts, counted = self._parts(query, all(edge % MINUTE == 0 for edge in edges[1:-1]))
        for row in self._rows(counted, "minute", "level"):
            time = max(int(row["_id"]["minute"].timestamp()) * 1_000_000, query.start)
            place = int(np.searchsorted(bounds, time, side="right")) - 1
            table[place, row["_id"]["level"]] += row["count"]

        def add(unit: Unit, part: LogQuery) -> None:
            rows = unit.matching(part)
            places = np.searchsorted(bounds, unit.at("times", rows), side="right") - 1
            np.add.at(table, (places, unit.at("levels", rows)), 1)

        exact = self._each(parts, effort, add)
        found = [
            Bin(start, end, {int(level): int(row[level]) for level in np.flatnonzero(row)})
            for start, end, row in zip(edges, edges[1:], table, strict=False)
        ]
        return Histogram(found, exact)

    def top(self, query: LogQuery, name: str, limit: int, effort: Effort) -> Top:
        """Count records by the values of a field."""
        values: collections.Counter[str] = collections.Counter()
        parts, counted = self._parts(query, name in _COUNTED)
        for row in self._rows(counted, name):
            value = row["_id"][name]
            values[_LEVELS[value] if name == "level" else value] += row["count"]
        exact = self._each(parts, effort, lambda unit, part: values.update(_values(unit, part, name)))
        values.pop("", None)
        return Top(sorted(values.items(), key=lambda pair: (-pair[1], pair[0]))[:limit], exact)

    def _parts(self, query: LogQuery, by_minute: bool) -> tuple[list[Part], Doc]:
        """Return what must be counted line by line, and which counters tell the rest (none: there is no rest)."""
        begin, end = -(-query.start // MINUTE) * MINUTE, query.end // MINUTE * MINUTE
        unfit = query.reads_lines or query.idents or _has_pattern(query)
        if self._counters is None or not by_minute or begin >= end or unfit:
            return [(query, self._moment.by_time(query))], {}
        edges = [replace(query, end=begin), replace(query, start=end)]
        stored = [(edge, self._moment.stored_units(edge)) for edge in edges if edge.start < edge.end]
        wanted: Doc = {"minute": {"$gte": DatetimeMS(begin // 1000), "$lt": DatetimeMS(end // 1000)}}
        wanted |= {column: {"$in": list(names)} for kind, column in _NAMED if (names := getattr(query, kind))}
        if query.levels is not None:
            wanted["level"] = {"$in": sorted(query.levels)}
        return [(query, self._moment.hot_units(query)), *stored], wanted

    def _rows(self, wanted: Doc, *names: str) -> list[Doc]:
        if not wanted or self._counters is None:
            return []
        group = {"_id": {name: f"${name}" for name in names}, "count": {"$sum": "$count"}}
        return self._counters([{"$match": wanted}, {"$group": group}])

    def _each(self, parts: Iterable[Part], effort: Effort, add: Callable[[Unit, LogQuery], None]) -> bool:
        """Add every unit, as far as the effort goes. Return whether that was all."""
        spending = Spending(effort, self._moment.scanned)
        for query, units in parts:
            for unit in units:
                if spending.over:
                    return False
                with reporting(unit, self._moment.scanned):
                    add(unit, query)
        return not self._moment.scanned.damaged


def _has_pattern(query: LogQuery) -> bool:
    return any("*" in name for kind, _ in _NAMED for name in getattr(query, kind))


def _values(unit: Unit, query: LogQuery, name: str) -> dict[str, int]:
    rows = unit.matching(query)
    table: Any = _LEVELS
    if name == "level":
        codes = unit.at("levels", rows)
    else:
        table, codes = unit.names(name, rows)
    counts = np.bincount(codes) if len(rows) else np.empty(0, np.int64)
    found: collections.Counter[str] = collections.Counter()
    for code in np.flatnonzero(counts).tolist():
        found[str(getattr(table[code], name, table[code]))] += int(counts[code])
    return found
