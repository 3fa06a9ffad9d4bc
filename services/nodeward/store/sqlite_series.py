"""Time series in SQLite: fresh points as rows, points of past hours packed, with roll-ups of five minutes and an hour.

A row per point takes some 25 bytes and is quick to add; once an hour is over its points become one packed chunk per
series (7 bytes a point), and the two roll-ups that outlive it.
"""

import base64
import math
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from nodeward.store.base_states import Key, Point, Retention, Series
from nodeward.store.pack import FIVE_MINUTES, HOUR, pack, roll_up, unpack

SCHEMA = """
CREATE TABLE series (
    id INTEGER PRIMARY KEY, node TEXT NOT NULL, service TEXT NOT NULL, label TEXT NOT NULL,
    unit TEXT NOT NULL, warning TEXT NOT NULL, critical TEXT NOT NULL, UNIQUE (node, service, label)
);
CREATE TABLE points (
    series INTEGER NOT NULL, time INTEGER NOT NULL, value REAL, PRIMARY KEY (series, time)
) WITHOUT ROWID;
CREATE TABLE chunks (
    step INTEGER NOT NULL, series INTEGER NOT NULL, start INTEGER NOT NULL, count INTEGER NOT NULL, packed BLOB NOT NULL,
    PRIMARY KEY (step, series, start)
) WITHOUT ROWID;
CREATE INDEX chunks_by_age ON chunks (step, start);
"""

RAW = 0
SETTLED = 10 * 60 * 1_000_000  # an hour is packed so long after its end: late results fall into it first
SERIES_AT_ONCE = 500  # per transaction, so that results never wait long behind packing

_About = tuple[str, str, str]


class SeriesTable:
    """Writes points and reads series. The caller holds the transaction."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], tuple[int, _About]] = {}
        self._packing: list[int] = []
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Drop what is remembered of the tables: after a transaction that was rolled back."""
        self._known.clear()

    def add(self, connection: sqlite3.Connection, points: Iterable[Point]) -> None:
        """Write points; one of the same series and time replaces the earlier."""
        rows = [(self._series(connection, point), point.time, point.value) for point in points]
        connection.executemany("INSERT OR REPLACE INTO points VALUES (?, ?, ?)", rows)

    def read(self, connection: sqlite3.Connection, key: Key, since: int, until: int, step: int | None) -> list[Series]:
        """Return the series of one service within the range."""
        found = connection.execute(
            "SELECT id, label, unit, warning, critical FROM series WHERE node = ? AND service = ? ORDER BY id",
            (key[0], key[1] or ""),
        ).fetchall()
        read = _raw if step is None else _rolled
        return [
            Series(label, unit, warning, critical, read(connection, series, since, until, step or RAW))
            for series, label, unit, warning, critical in found
        ]

    def compact(self, connection: sqlite3.Connection, now: int) -> bool:
        """Pack the settled hours of some series. Return whether there were any."""
        limit = (now - SETTLED) // HOUR * HOUR
        if not self._packing:
            oldest = connection.execute("SELECT DISTINCT series FROM points WHERE time < ?", (limit,))
            self._packing = [series for (series,) in oldest]
        some, self._packing = self._packing[:SERIES_AT_ONCE], self._packing[SERIES_AT_ONCE:]
        for series in some:
            self._pack(connection, series, limit)
        return bool(some)

    def expire(self, connection: sqlite3.Connection, now: int, keep: Retention) -> None:
        """Delete chunks that are older than `keep` says, and series of which nothing is left."""
        for step, age in ((RAW, keep.raw), (300, keep.five_minutes), (3600, keep.hours)):
            connection.execute("DELETE FROM chunks WHERE step = ? AND start < ?", (step, now - age - HOUR))
        connection.execute(
            "DELETE FROM series WHERE NOT EXISTS (SELECT 1 FROM points WHERE series = series.id)"
            " AND NOT EXISTS (SELECT 1 FROM chunks WHERE step = 3600 AND series = series.id)"
        )
        self.forget()

    def rows(self, connection: sqlite3.Connection) -> Iterator[dict[str, Any]]:
        """Yield all series as rows for a backup."""
        for number, *names in connection.execute(
            "SELECT id, node, service, label, unit, warning, critical FROM series ORDER BY id"
        ).fetchall():
            yield {"row": "series", "names": names, "count": {"series": 1}}
            chunks = "SELECT step, start, count, packed FROM chunks WHERE series = ? ORDER BY step, start"
            for step, start, count, packed in connection.execute(chunks, (number,)):
                data = base64.b64encode(packed).decode()
                yield {"row": "chunk", "of": names[:3], "step": step, "start": start, "size": count, "packed": data}
            points = connection.execute("SELECT time, value FROM points WHERE series = ? ORDER BY time", (number,))
            while some := points.fetchmany(SERIES_AT_ONCE):
                yield {"row": "points", "names": names, "points": some, "count": {"points": len(some)}}

    def put_rows(self, connection: sqlite3.Connection, rows: Iterable[dict[str, Any]]) -> None:
        """Store rows that a backup has."""
        for row in rows:
            if row.get("names"):
                node, service, label, unit, warning, critical = row["names"]
                number = self._series(connection, Point(node, service or None, label, unit, warning, critical, 0, None))
                points = [(number, time, value) for time, value in row.get("points", ())]
                connection.executemany("INSERT OR REPLACE INTO points VALUES (?, ?, ?)", points)
            else:
                ((number,),) = connection.execute(
                    "SELECT id FROM series WHERE node = ? AND service = ? AND label = ?", row["of"]
                ).fetchall()
                packed = base64.b64decode(row["packed"])
                connection.execute(
                    "INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?, ?)",
                    (row["step"], number, row["start"], row["size"], packed),
                )

    def _series(self, connection: sqlite3.Connection, point: Point) -> int:
        name = (point.node, point.service or "", point.label)
        about = (point.unit, point.warning, point.critical)
        known = self._known.get(name)
        if known is None or known[1] != about:
            ((number,),) = connection.execute(
                "INSERT INTO series (node, service, label, unit, warning, critical) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET unit = excluded.unit, warning = excluded.warning, critical = excluded.critical"
                " RETURNING id",
                (*name, *about),
            ).fetchall()
            known = self._known[name] = (number, about)
        return known[0]

    def _pack(self, connection: sqlite3.Connection, series: int, limit: int) -> None:
        rows = connection.execute(
            "SELECT time, value FROM points WHERE series = ? AND time < ? ORDER BY time", (series, limit)
        ).fetchall()
        for start, hour in groupby(rows, key=lambda row: row[0] - row[0] % HOUR):
            points = _merged(connection, series, start, list(hour))
            times, values = [time for time, _ in points], [math.nan if value is None else value for _, value in points]
            chunks = [(RAW, series, start, len(points), pack(times, [values]))]
            for step in (FIVE_MINUTES, HOUR):
                if rolls := roll_up(points, step):
                    figures = [[roll.average for roll in rolls], [r.minimum for r in rolls], [r.maximum for r in rolls]]
                    packed = pack([roll.start for roll in rolls], figures)
                    chunks.append((step // 1_000_000, series, start, len(rolls), packed))
            connection.executemany("INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?, ?)", chunks)
        connection.execute("DELETE FROM points WHERE series = ? AND time < ?", (series, limit))


def _merged(
    connection: sqlite3.Connection, series: int, start: int, rows: list[tuple[int, float | None]]
) -> list[tuple[int, float | None]]:
    """Points that came after their hour was packed join those in the chunk."""
    earlier = connection.execute(
        "SELECT count, packed FROM chunks WHERE step = ? AND series = ? AND start = ?", (RAW, series, start)
    ).fetchone()
    if earlier is None:
        return rows
    times, (values,) = unpack(earlier[1], earlier[0])
    known: dict[int, float | None] = dict(zip(times, values, strict=True))
    return sorted({**known, **dict(rows)}.items())


def _raw(connection: sqlite3.Connection, series: int, since: int, until: int, _step: int) -> list[list[float | None]]:
    packed = [(time, value) for time, value in _chunks(connection, RAW, series, since, until)]
    fresh = connection.execute(
        "SELECT time, value FROM points WHERE series = ? AND time >= ? AND time < ? ORDER BY time",
        (series, since, until),
    )
    joined = {**{time: _or_none(values[0]) for time, values in packed}, **dict(fresh)}
    return [[time, value] for time, value in sorted(joined.items())]


def _rolled(connection: sqlite3.Connection, series: int, since: int, until: int, step: int) -> list[list[float | None]]:
    rolled: dict[int, list[float | None]] = {
        time: [time, *values] for time, values in _chunks(connection, step, series, since, until)
    }
    fresh = connection.execute(
        "SELECT time, value FROM points WHERE series = ? AND time >= ? AND time < ? ORDER BY time",
        (series, since, until),
    )
    for roll in roll_up(fresh, step * 1_000_000):
        rolled.setdefault(roll.start, [roll.start, roll.average, roll.minimum, roll.maximum])
    return [rolled[time] for time in sorted(rolled)]


def _chunks(
    connection: sqlite3.Connection, step: int, series: int, since: int, until: int
) -> Iterable[tuple[int, list[float]]]:
    found = connection.execute(
        "SELECT count, packed FROM chunks WHERE step = ? AND series = ? AND start > ? AND start < ? ORDER BY start",
        (step, series, since - HOUR, until),
    )
    for count, packed in found:
        times, columns = unpack(packed, count)
        for place, time in enumerate(times):
            if since <= time < until:
                yield time, [column[place] for column in columns]


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
