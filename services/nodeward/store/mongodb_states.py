"""The state shelf on MongoDB.

A change is first one document as a whole, `state_marks/change`: writing it is the moment it happens. Then it is made true in
the collections, where people find it: `states`, `events`, `flips` and so on. All of that may be repeated, so a change that a
crash cut short is found in that document and done again, before anything else is read or written.
"""

import json
import logging
import secrets
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pymongo.errors import PyMongoError
from pymongo.operations import DeleteOne, ReplaceOne

from nodeward.core.errors import Unavailable
from nodeward.store import mongodb
from nodeward.store.base_states import (
    HELD,
    SENDING,
    WAITING,
    Change,
    Doc,
    EventQuery,
    Key,
    Loaded,
    Point,
    Retention,
    Series,
)
from nodeward.store.mongodb import Store, Table, Write, body, documents, id_of, number_id, unpacked
from nodeward.store.mongodb_series import INDEXES as SERIES_INDEXES
from nodeward.store.mongodb_series import SeriesTable

log = logging.getLogger(__name__)

INDEXES = {
    "states": [[("node", 1), ("service", 1)]],
    "events": [[("node", 1), ("service", 1), ("type", 1), ("at", 1)], [("node", 1), ("_id", 1)], [("at", 1)]],
    "flips": [[("node", 1), ("service", 1), ("_id", 1)], [("status", 1)]],
    "deliveries": [[("flip", 1)], [("status", 1)]],
    "downtimes": [[("until", 1)]],
    "cursors": [[("at", 1)]],
    **SERIES_INDEXES,
}
_NAMES = ("states", "events", "flips", "deliveries", "downtimes", "cursors", "monitor_meta")
_CURSORS_KEPT = 30 * 86_400_000_000  # a reporter's life that has been silent for so long does not come back
_CHANGE = "change"


class MongodbStateShelf:
    """Keeps the monitor's states, events, outbox, downtimes, cursors and series in MongoDB."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.index(INDEXES)
        self._tables = {name: store.table(name) for name in _NAMES}
        self._marks, self._pieces = store.table("state_marks"), store.table("state_pieces")
        self._series = SeriesTable(store)
        self._lock = threading.RLock()
        self._me = secrets.token_hex(8)
        self._pending: Change | None = None  # it happened; not all of it was made true yet
        self._unsure = False  # whether the last change was stored is not known
        with store.translated():
            self._number = self._resume()

    def load(self) -> Loaded:
        """Return all that the monitor begins with."""
        with self._lock, self._store.translated():
            self._settle()
            tables = self._tables
            return Loaded(
                states=documents(sorted(tables["states"].find(), key=lambda one: (one["node"], one["service"]))),
                flips=documents(_of_status(tables["flips"], WAITING, HELD)),
                deliveries=documents(_of_status(tables["deliveries"], WAITING, SENDING)),
                downtimes=documents(tables["downtimes"].find().sort("_id", 1)),
                cursors={
                    (one["reporter"], one["generation"]): (one["next"], one["at"]) for one in tables["cursors"].find()
                },
                meta={one["key"]: unpacked(one["value"]) for one in tables["monitor_meta"].find()},
                last_event=max(_top(tables["events"]), _top(tables["flips"])),
                last_delivery=_top(tables["deliveries"]),
                last_downtime=_top(tables["downtimes"]),
            )

    def write(self, change: Change) -> None:
        """Make `change` durable, wholly or not at all."""
        writes = _writes(change)  # what is missing in it shows before anything is stored
        with self._lock, self._store.translated():
            self._settle()
            self._commit(change)
            self._pending = change
            try:
                self._follow(change, writes)
            except PyMongoError as error:
                log.warning("a change is stored; what follows from it waits until the database is back: %s", error)

    def events(self, query: EventQuery) -> list[Doc]:
        """Return the events wanted, ascending by id with `after`, else descending."""
        with self._settled():
            found = self._tables["events"].find(_conditions(query))
            return documents(found.sort("_id", 1 if query.after is not None else -1).limit(max(query.limit, 1)))

    def state_events(self, key: Key, since: int, until: int) -> list[Doc]:
        """Return the state events of one node or service within the range and the last one before it, in order of time."""
        one = {"node": key[0], "service": key[1] or "", "type": "state"}
        with self._settled():
            table = self._tables["events"]
            before = table.find({**one, "at": {"$lt": since}}).sort([("at", -1), ("_id", -1)]).limit(1)
            within = table.find({**one, "at": {"$gte": since, "$lt": until}}).sort([("at", 1), ("_id", 1)])
            return documents(before) + documents(within)

    def flips(self, before: int | None, node: str | None, service: str | None, limit: int) -> list[Doc]:
        """Return flips, newest first, each with its `deliveries`."""
        wanted: Doc = {} if before is None else {"_id": {"$lt": number_id(max(before, 0))}}
        wanted |= {name: value for name, value in (("node", node), ("service", service)) if value is not None}
        with self._settled():
            found = documents(self._tables["flips"].find(wanted).sort("_id", -1).limit(max(limit, 1)))
            of = list(self._tables["deliveries"].find({"flip": {"$in": [flip["id"] for flip in found]}}).sort("_id", 1))
        for flip in found:
            flip["deliveries"] = documents(one for one in of if one["flip"] == flip["id"])
        return found

    def told(self, key: Key, after: int) -> list[str]:
        """Return the contacts who were sent a flip of `key` whose id is `after` or higher."""
        wanted = {"node": key[0], "service": key[1] or "", "_id": {"$gte": number_id(max(after, 0))}}
        with self._settled():
            flips = [unpacked(one["doc"])["id"] for one in self._tables["flips"].find(wanted)]
            sent = self._tables["deliveries"].find({"flip": {"$in": flips}, "status": "sent"})
            return sorted({one["contact"] for one in sent})

    def series(self, key: Key, since: int, until: int, step: int | None = None) -> list[Series]:
        """Return the series of one service within the range: raw points, or those of `step` seconds (300 or 3600)."""
        with self._settled():
            return self._series.read(key, since, until, step)

    def series_rows(self) -> Iterator[Doc]:
        """Yield all series as rows for a backup."""
        with self._settled():
            yield from self._series.rows()

    def put_series_rows(self, rows: Sequence[Doc]) -> None:
        """Store rows that `series_rows` of any backend gave."""
        with self._lock, self._settled():
            self._series.put_rows(rows)

    def compact(self, now: int) -> bool:
        """Pack some of the points that are old enough. Return whether there were any: call again then."""
        with self._lock, self._settled():
            return self._series.compact(now)

    def expire(self, now: int, keep: Retention) -> None:
        """Delete what is older than `keep` says; what is not over stays."""
        limit = now - keep.events
        with self._lock, self._settled():
            events, flips, deliveries = (self._tables[name] for name in ("events", "flips", "deliveries"))
            _forget_events(events, limit)
            _forget_flips(events, flips, deliveries, limit)
            self._tables["downtimes"].delete_many({"until": {"$lt": limit}})
            self._tables["cursors"].delete_many({"at": {"$lt": now - _CURSORS_KEPT}})
            self._series.expire(now, keep)

    def size(self) -> int:
        """Return how many bytes it takes on disk."""
        return self._store.bytes()

    def trouble(self) -> str:
        """Return why the engine cannot be used just now, or ""."""
        return self._store.trouble()

    def close(self) -> None:
        """Let go of the connection."""
        self._store.close()

    def _settled(self) -> Any:
        """Return what reads need around them: what happened is true first, and errors are sentences."""
        if self._pending is not None or self._unsure:
            with self._lock, self._store.translated():
                self._settle()
        return self._store.translated()

    def _settle(self) -> None:
        if self._unsure:
            self._number = self._refused()
            self._unsure = False
        if self._pending is not None:
            self._follow(self._pending, _writes(self._pending))

    def _refused(self) -> int:
        """The last change was refused to those who wanted it: if it was stored all the same, it is passed over."""
        mark = self._marks.find_one({"_id": _CHANGE}, {"number": 1, "by": 1})
        number = int(mark["number"]) if mark else 0
        if number != self._number and not (mark and number == self._number + 1 and mark["by"] == self._me):
            raise Unavailable(_SOMEBODY_ELSE)
        return number

    def _commit(self, change: Change) -> None:
        """Store the change as one document: from here on it happened."""
        number = self._number + 1
        data = zlib.compress(json.dumps(_packed(change), separators=(",", ":")).encode(), 1)
        pieces = f"{self._me}-{number}" if len(data) > mongodb.PIECE else ""
        self._unsure = True
        count = mongodb.put_pieces(self._pieces, pieces, data) if pieces else 0
        document = {"number": number, "by": self._me, "pieces": pieces, "count": count, "data": b"" if pieces else data}
        before = self._marks.find_one_and_update({"_id": _CHANGE, "number": self._number}, {"$set": document})
        if before is None:
            raise Unavailable(_SOMEBODY_ELSE)
        self._number, self._unsure = number, False
        if before["pieces"]:
            mongodb.drop_pieces(self._pieces, before["pieces"], before["count"])

    def _follow(self, change: Change, writes: dict[str, list[Write]]) -> None:
        for name, some in writes.items():
            mongodb.write(self._tables[name], some)
        if change.points:
            self._series.add(change.points)
        self._pending = None

    def _resume(self) -> int:
        """Do again what happened last, in case it was cut short. Return its number."""
        mongodb.insert(self._marks, {"_id": _CHANGE, "number": 0, "by": "", "pieces": "", "count": 0, "data": b""})
        mark = self._marks.find_one({"_id": _CHANGE})
        assert mark is not None
        data = mongodb.get_pieces(self._pieces, mark["pieces"], mark["count"]) if mark["pieces"] else mark["data"]
        if data:
            change = _unpacked(json.loads(zlib.decompress(data)))
            self._follow(change, _writes(change))
        return int(mark["number"])


_SOMEBODY_ELSE = "Another monitor writes into the same database. End one of the two, then restart the other."


def _writes(change: Change) -> dict[str, list[Write]]:
    """Return what makes a change true, by collection. All of it may be repeated."""
    return {
        "events": [
            _put(number_id(doc["id"]), doc, **_of(doc), type=doc["type"], at=doc["at"]) for doc in change.events
        ],
        "flips": [_put(number_id(i), doc, **_of(doc), status=doc["status"]) for i, doc in change.flips.items()],
        "deliveries": [
            _put(number_id(i), doc, flip=doc["flip"], contact=doc["contact"], status=doc["status"], lease=doc["lease"])
            for i, doc in change.deliveries.items()
        ],
        "states": [
            *(_put(_name(key), doc, node=key[0], service=key[1] or "") for key, doc in change.states.items()),
            *(DeleteOne({"_id": _name(key)}) for key in change.removed),
        ],
        "downtimes": [_put(number_id(i), doc, until=doc["until"]) for i, doc in change.downtimes.items()],
        "cursors": [
            _replace({"_id": id_of(*key), "reporter": key[0], "generation": key[1], "next": following, "at": at})
            for key, (following, at) in change.cursors.items()
        ],
        "monitor_meta": [
            _replace({"_id": id_of(key), "key": key, "value": body(value)}) for key, value in change.meta.items()
        ],
    }


def _put(identifier: str, doc: Doc, **keys: Any) -> ReplaceOne[Doc]:
    return _replace({"_id": identifier, **keys, "doc": body(doc)})


def _replace(document: Doc) -> ReplaceOne[Doc]:
    return ReplaceOne({"_id": document["_id"]}, document, upsert=True)


def _of(doc: Doc) -> Doc:
    """A node's own events have service '' here, as its own state has, so that one index serves both."""
    return {"node": doc["node"] or "", "service": doc["service"] or ""}


def _name(key: Key) -> str:
    return id_of(key[0], key[1] or "")


def _packed(change: Change) -> dict[str, Any]:
    """Return a change as JSON can have it."""
    return {
        "states": [[*key, doc] for key, doc in change.states.items()],
        "removed": [list(key) for key in change.removed],
        "events": change.events,
        "flips": list(change.flips.items()),
        "deliveries": list(change.deliveries.items()),
        "downtimes": list(change.downtimes.items()),
        "cursors": [[*key, *value] for key, value in change.cursors.items()],
        "points": [[getattr(point, name) for name in Point.__slots__] for point in change.points],
        "meta": change.meta,
    }


def _unpacked(found: dict[str, Any]) -> Change:
    return Change(
        states={(node, service): doc for node, service, doc in found["states"]},
        removed={(node, service) for node, service in found["removed"]},
        events=found["events"],
        flips=dict(found["flips"]),
        deliveries=dict(found["deliveries"]),
        downtimes=dict(found["downtimes"]),
        cursors={(reporter, generation): (following, at) for reporter, generation, following, at in found["cursors"]},
        points=[Point(*values) for values in found["points"]],
        meta=found["meta"],
    )


def _conditions(query: EventQuery) -> Doc:
    wanted: Doc = {}
    for name, comparison, value in (
        ("_id", "$gt", None if query.after is None else number_id(max(query.after, 0))),
        ("_id", "$lt", None if query.before is None else number_id(max(query.before, 0))),
        ("node", "$eq", query.node),
        ("service", "$eq", "" if query.own else query.service),
        ("type", "$in", list(query.types) or None),
        ("at", "$gte", query.since),
        ("at", "$lt", query.until),
    ):
        if value is not None:
            wanted.setdefault(name, {})[comparison] = value
    return wanted


def _of_status(table: Table, *statuses: str) -> Iterable[Doc]:
    return table.find({"status": {"$in": list(statuses)}}).sort("_id", 1)


def _top(table: Table) -> int:
    newest = table.find_one({}, {"_id": 1}, sort=[("_id", -1)])
    return int(newest["_id"]) if newest else 0


def _forget_events(events: Table, limit: int) -> None:
    """Delete old events. The newest state event of each stays: it says in which state the time after it began."""
    old = {"at": {"$lt": limit}}
    events.delete_many({**old, "type": {"$ne": "state"}})
    of_each: list[Doc] = [
        {"$match": {**old, "type": "state"}},
        {"$group": {"_id": {"node": "$node", "service": "$service"}, "newest": {"$max": "$_id"}, "count": {"$sum": 1}}},
        {"$match": {"count": {"$gt": 1}}},
    ]
    for one in list(events.aggregate(of_each)):
        events.delete_many({**one["_id"], **old, "type": "state", "_id": {"$ne": one["newest"]}})


def _forget_flips(events: Table, flips: Table, deliveries: Table, limit: int) -> None:
    """Delete the flips before the first event that is kept, if they are over; and deliveries that have none."""
    first = events.find_one({"at": {"$gte": limit}}, {"_id": 1}, sort=[("_id", 1)])
    if first is None:
        return
    unfinished = {number_id(one["flip"]) for one in _of_status(deliveries, WAITING, SENDING)}
    over = {"_id": {"$lt": first["_id"]}, "status": {"$nin": [WAITING, HELD]}}
    gone = [one["_id"] for one in flips.find(over, {"_id": 1}) if one["_id"] not in unfinished]
    for begin in range(0, len(gone), 1000):
        some = gone[begin : begin + 1000]
        deliveries.delete_many({"flip": {"$in": [int(name) for name in some]}})
        flips.delete_many({"_id": {"$in": some}})
