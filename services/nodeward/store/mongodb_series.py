"""Time series in MongoDB: fresh points as documents, points of past hours packed, with roll-ups of five minutes and an hour.

Packing an hour writes its chunks, then removes its points. Whatever a crash leaves of that is packed again: a point that is in
both places counts once.
"""

import base64
import math
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby, islice
from typing import Any

from pymongo.operations import DeleteMany, ReplaceOne, UpdateOne

from nodeward.store import mongodb
from nodeward.store.base_states import Key, Point, Retention, Series
from nodeward.store.mongodb import Store, Write, id_of, number_id
from nodeward.store.pack import FIVE_MINUTES, HOUR, pack, roll_up, unpack

INDEXES = {
    "series": [[("node", 1), ("service", 1)]],
    "points": [[("time", 1)]],
    "chunks": [[("step", 1), ("start", 1)], [("series", 1)]],
}
RAW = 0
SETTLED = 10 * 60 * 1_000_000  # an hour is packed so long after its end: late results fall into it first
SERIES_AT_ONCE = 100
_ROWS = 500

_Values = list[tuple[int, float | None]]


class SeriesTable:
    """Writes points and reads series."""

    def __init__(self, store: Store) -> None:
        self._series, self._points, self._chunks = (store.table(name) for name in ("series", "points", "chunks"))
        self._known: dict[str, tuple[str, str, str]] = {}
        self._packing: list[str] = []

    def forget(self) -> None:
        """Drop what is remembered of the tables."""
        self._known.clear()

    def add(self, points: Iterable[Point]) -> None:
        """Write points; one of the same series and time replaces the earlier."""
        writes: list[Write] = []
        series: dict[str, Write] = {}
        for point in points:
            name = id_of(point.node, point.service or "", point.label)
            about = (point.unit, point.warning, point.critical)
            if self._known.get(name) != about:
                self._known[name] = about
                series[name] = _about(name, point)
            document = {"_id": _point_id(name, point.time), "series": name, "time": point.time, "value": point.value}
            writes.append(ReplaceOne({"_id": document["_id"]}, document, upsert=True))
        mongodb.write(self._series, list(series.values()))
        mongodb.write(self._points, writes)

    def read(self, key: Key, since: int, until: int, step: int | None) -> list[Series]:
        """Return the series of one service within the range, in the order in which they were first seen."""
        found = list(self._series.find({"node": key[0], "service": key[1] or ""}))
        read = self._raw if step is None else self._rolled
        return [
            Series(
                one["label"], one["unit"], one["warning"], one["critical"], read(one["_id"], since, until, step or RAW)
            )
            for one in sorted(found, key=lambda one: (one["since"], one["_id"]))
        ]

    def compact(self, now: int) -> bool:
        """Pack the settled hours of some series. Return whether there were any."""
        limit = (now - SETTLED) // HOUR * HOUR
        if not self._packing:
            self._packing = sorted(self._points.distinct("series", {"time": {"$lt": limit}}))
        some, self._packing = self._packing[:SERIES_AT_ONCE], self._packing[SERIES_AT_ONCE:]
        for name in some:
            self._pack(name, limit)
        return bool(some)

    def expire(self, now: int, keep: Retention) -> None:
        """Delete chunks that are older than `keep` says, and series of which nothing is left."""
        for step, age in ((RAW, keep.raw), (300, keep.five_minutes), (3600, keep.hours)):
            self._chunks.delete_many({"step": step, "start": {"$lt": now - age - HOUR}})
        alive = set(self._points.distinct("series")) | set(self._chunks.distinct("series", {"step": 3600}))
        gone = [one["_id"] for one in self._series.find({}, {"_id": 1}) if one["_id"] not in alive]
        mongodb.write(self._series, [DeleteMany({"_id": {"$in": gone}})] if gone else [])
        self.forget()

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield all series as rows for a backup."""
        found = sorted(self._series.find(), key=lambda one: (one["since"], one["_id"]))
        for one in found:
            names = [one[name] for name in ("node", "service", "label", "unit", "warning", "critical")]
            yield {"row": "series", "names": names, "count": {"series": 1}}
            for chunk in self._chunks.find({"series": one["_id"]}).sort("_id", 1):
                data = base64.b64encode(chunk["packed"]).decode()
                yield {
                    "row": "chunk", "of": names[:3], "step": chunk["step"], "start": chunk["start"], "size": chunk["count"],
                    "packed": data,
                }  # fmt: skip
            fresh = self._fresh(one["_id"], 0, 2**62)
            while some := list(islice(fresh, _ROWS)):
                yield {"row": "points", "names": names, "points": some, "count": {"points": len(some)}}

    def put_rows(self, rows: Sequence[dict[str, Any]]) -> None:
        """Store rows that a backup has."""
        chunks: list[Write] = []
        for row in rows:
            if row.get("names"):
                node, service, label, unit, warning, critical = row["names"]
                point = partial(Point, node, service or None, label, unit, warning, critical)
                name = id_of(node, service, label)
                if name not in self._known:  # the order of a backup is that in which they were first seen
                    self._known[name] = (unit, warning, critical)
                    mongodb.write(self._series, [_about(name, point(len(self._known), None))])
                self.add(point(time, value) for time, value in row.get("points", ()))
            else:
                name, packed = id_of(*row["of"]), base64.b64decode(row["packed"])
                chunks.append(_packed_chunk(name, row["step"], row["start"], row["size"], packed))
        mongodb.write(self._chunks, chunks)

    def _pack(self, name: str, limit: int) -> None:
        fresh = list(self._fresh(name, 0, limit))
        writes: list[Write] = []
        for start, hour in groupby(fresh, key=lambda point: point[0] - point[0] % HOUR):
            points = self._merged(name, start, list(hour))
            times, values = [time for time, _ in points], [math.nan if value is None else value for _, value in points]
            writes.append(_chunk(name, RAW, start, times, [values]))
            for step in (FIVE_MINUTES, HOUR):
                if rolls := roll_up(points, step):
                    figures = [[roll.average for roll in rolls], [r.minimum for r in rolls], [r.maximum for r in rolls]]
                    writes.append(_chunk(name, step // 1_000_000, start, [roll.start for roll in rolls], figures))
        mongodb.write(self._chunks, writes)
        self._points.delete_many({"_id": {"$gte": _point_id(name, 0), "$lt": _point_id(name, limit)}})

    def _merged(self, name: str, start: int, points: _Values) -> _Values:
        """Points that came after their hour was packed join those in the chunk."""
        earlier = self._chunks.find_one({"_id": _chunk_id(name, RAW, start)})
        if earlier is None:
            return points
        times, (values,) = unpack(earlier["packed"], earlier["count"])
        known: dict[int, float | None] = dict(zip(times, map(_or_none, values), strict=True))
        return sorted({**known, **dict(points)}.items())

    def _fresh(self, name: str, since: int, until: int) -> Iterator[tuple[int, float | None]]:
        wanted = {"_id": {"$gte": _point_id(name, max(since, 0)), "$lt": _point_id(name, max(until, 0))}}
        for one in self._points.find(wanted).sort("_id", 1):
            yield one["time"], one["value"]

    def _raw(self, name: str, since: int, until: int, _step: int) -> list[list[float | None]]:
        joined = {time: _or_none(values[0]) for time, values in self._packed(RAW, name, since, until)}
        joined |= dict(self._fresh(name, since, until))
        return [[time, value] for time, value in sorted(joined.items())]

    def _rolled(self, name: str, since: int, until: int, step: int) -> list[list[float | None]]:
        rolled: dict[int, list[float | None]] = {
            time: [time, *values] for time, values in self._packed(step, name, since, until)
        }
        for roll in roll_up(self._fresh(name, since, until), step * 1_000_000):
            rolled.setdefault(roll.start, [roll.start, roll.average, roll.minimum, roll.maximum])
        return [rolled[time] for time in sorted(rolled)]

    def _packed(self, step: int, name: str, since: int, until: int) -> Iterator[tuple[int, list[float]]]:
        low, high = _chunk_id(name, step, max(since - HOUR + 1, 0)), _chunk_id(name, step, max(until, 0))
        for one in self._chunks.find({"_id": {"$gte": low, "$lt": high}}).sort("_id", 1):
            times, columns = unpack(one["packed"], one["count"])
            for place, time in enumerate(times):
                if since <= time < until:
                    yield time, [column[place] for column in columns]


def _about(name: str, point: Point) -> UpdateOne:
    names = {"node": point.node, "service": point.service or "", "label": point.label, "since": point.time}
    about = {"unit": point.unit, "warning": point.warning, "critical": point.critical}
    return UpdateOne({"_id": name}, {"$set": about, "$setOnInsert": names}, upsert=True)


def _chunk(name: str, step: int, start: int, times: list[int], figures: list[list[float]]) -> Write:
    return _packed_chunk(name, step, start, len(times), pack(times, figures))


def _packed_chunk(name: str, step: int, start: int, count: int, packed: bytes) -> Write:
    identifier = _chunk_id(name, step, start)
    document = {"_id": identifier, "series": name, "step": step, "start": start, "count": count, "packed": packed}
    return ReplaceOne({"_id": identifier}, document, upsert=True)


def _chunk_id(name: str, step: int, start: int) -> str:
    return f"{name}/{step}/{number_id(start)}"


def _point_id(name: str, time: int) -> str:
    return f"{name}/{number_id(time)}"


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
