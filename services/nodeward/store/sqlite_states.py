"""The state shelf in SQLite: one file, WAL, one writer."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from nodeward.store import sqlite
from nodeward.store.base_states import (
    HELD,
    SENDING,
    WAITING,
    Change,
    Doc,
    EventQuery,
    Key,
    Loaded,
    Retention,
    Series,
)
from nodeward.store.sqlite_series import SCHEMA as SERIES_SCHEMA
from nodeward.store.sqlite_series import SeriesTable

# A node's own state has service '' here, because NULLs are never equal to each other in a primary key.
_SCHEMA = """
CREATE TABLE states (
    node TEXT NOT NULL, service TEXT NOT NULL, doc TEXT NOT NULL, PRIMARY KEY (node, service)
) WITHOUT ROWID;
CREATE TABLE events (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, type TEXT NOT NULL, node TEXT NOT NULL, service TEXT NOT NULL, doc TEXT NOT NULL
);
CREATE INDEX events_of_one ON events (node, service, type, at);
CREATE INDEX events_of_node ON events (node, id);
CREATE INDEX events_by_type ON events (type, id);
CREATE INDEX events_by_time ON events (at);
CREATE TABLE flips (
    id INTEGER PRIMARY KEY, status TEXT NOT NULL, node TEXT NOT NULL, service TEXT NOT NULL, doc TEXT NOT NULL
);
CREATE INDEX flips_open ON flips (id) WHERE status IN ('waiting', 'held');
CREATE INDEX flips_of_one ON flips (node, service, id);
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY, flip INTEGER NOT NULL, contact TEXT NOT NULL, status TEXT NOT NULL, lease INTEGER, doc TEXT NOT NULL
);
CREATE INDEX deliveries_open ON deliveries (id) WHERE status IN ('waiting', 'sending');
CREATE INDEX deliveries_of_flip ON deliveries (flip);
CREATE TABLE downtimes (id INTEGER PRIMARY KEY, until INTEGER NOT NULL, doc TEXT NOT NULL);
CREATE TABLE cursors (
    reporter TEXT NOT NULL, generation TEXT NOT NULL, next INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (reporter, generation)
) WITHOUT ROWID;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
MIGRATIONS = [_SCHEMA + SERIES_SCHEMA]

_CURSORS_KEPT = 30 * 86_400_000_000  # a reporter's life that has been silent for so long does not come back


class SqliteStateShelf:
    """Keeps the monitor's states, events, outbox, downtimes, cursors and series in one SQLite file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = sqlite.open_database(path, MIGRATIONS)
        self._readers = sqlite.Readers(path)
        self._lock = threading.Lock()
        self._series = SeriesTable()

    def load(self) -> Loaded:
        """Return all that the monitor begins with."""
        with self._lock, sqlite.translated(self._path):
            run = self._writer.execute
            return Loaded(
                states=_docs(run("SELECT doc FROM states ORDER BY node, service")),
                flips=_docs(run("SELECT doc FROM flips WHERE status IN ('waiting', 'held') ORDER BY id")),
                deliveries=_deliveries(
                    run("SELECT doc, status, lease FROM deliveries WHERE status IN ('waiting', 'sending') ORDER BY id")
                ),
                downtimes=_docs(run("SELECT doc FROM downtimes ORDER BY id")),
                cursors={
                    (reporter, generation): (following, at)
                    for reporter, generation, following, at in run("SELECT * FROM cursors")
                },
                meta={key: json.loads(value) for key, value in run("SELECT key, value FROM meta")},
                last_event=_top(self._writer, "events", "flips"),
                last_delivery=_top(self._writer, "deliveries"),
                last_downtime=_top(self._writer, "downtimes"),
            )

    def write(self, change: Change) -> None:
        """Make `change` durable, wholly or not at all."""
        with self._lock:
            try:
                with sqlite.transaction(self._writer):
                    self._write(self._writer, change)
            except BaseException:
                self._series.forget()
                raise

    def events(self, query: EventQuery) -> list[Doc]:
        """Return the events wanted, ascending by id with `after`, else descending."""
        conditions = _conditions(query)
        where = " AND ".join(condition for condition, _ in conditions) or "1"
        order = "ASC" if query.after is not None else "DESC"
        values = [value for _, given in conditions for value in given]
        return self._read(f"SELECT doc FROM events WHERE {where} ORDER BY id {order} LIMIT ?", *values, query.limit)  # noqa: S608 - made of constants

    def state_events(self, key: Key, since: int, until: int) -> list[Doc]:
        """Return the state events of one node or service within the range and the last one before it, in order of time."""
        one = "node = ? AND service = ? AND type = 'state'"
        name = (key[0], key[1] or "")
        before = self._read(
            f"SELECT doc FROM events WHERE {one} AND at < ? ORDER BY at DESC, id DESC LIMIT 1",  # noqa: S608 - as above
            *name, since,
        )  # fmt: skip
        within = self._read(
            f"SELECT doc FROM events WHERE {one} AND at >= ? AND at < ? ORDER BY at, id",  # noqa: S608 - as above
            *name, since, until,
        )  # fmt: skip
        return before + within

    def flips(self, before: int | None, node: str | None, service: str | None, limit: int) -> list[Doc]:
        """Return flips, newest first, each with its `deliveries`."""
        found = self._read(
            "SELECT doc FROM flips WHERE (? IS NULL OR id < ?) AND (? IS NULL OR node = ?) AND (? IS NULL OR service = ?)"
            " ORDER BY id DESC LIMIT ?",
            before, before, node, node, service, service, limit,
        )  # fmt: skip
        for flip in found:
            with sqlite.translated(self._path):
                flip["deliveries"] = _deliveries(
                    self._readers.get().execute(
                        "SELECT doc, status, lease FROM deliveries WHERE flip = ? ORDER BY id", (flip["id"],)
                    )
                )
        return found

    def told(self, key: Key, after: int) -> list[str]:
        """Return the contacts who were sent a flip of `key` whose id is `after` or higher."""
        with self._lock, sqlite.translated(self._path):
            rows = self._writer.execute(
                "SELECT DISTINCT contact FROM deliveries WHERE status = 'sent' AND flip IN"
                " (SELECT id FROM flips WHERE node = ? AND service = ? AND id >= ?) ORDER BY contact",
                (key[0], key[1] or "", after),
            )
            return [contact for (contact,) in rows]

    def series(self, key: Key, since: int, until: int, step: int | None = None) -> list[Series]:
        """Return the series of one service within the range: raw points, or those of `step` seconds (300 or 3600)."""
        with sqlite.translated(self._path):
            return self._series.read(self._readers.get(), key, since, until, step)

    def series_rows(self) -> Iterator[Doc]:
        """Yield all series as rows for a backup."""
        reader = sqlite.open_reader(self._path)
        try:
            with sqlite.translated(self._path):
                reader.execute("BEGIN")
                yield from self._series.rows(reader)
        finally:
            reader.close()

    def put_series_rows(self, rows: Sequence[Doc]) -> None:
        """Store rows that `series_rows` of any backend gave."""
        with self._lock, sqlite.transaction(self._writer):
            self._series.put_rows(self._writer, rows)

    def compact(self, now: int) -> bool:
        """Pack some of the points that are old enough. Return whether there were any: call again then."""
        with self._lock, sqlite.transaction(self._writer):
            return self._series.compact(self._writer, now)

    def expire(self, now: int, keep: Retention) -> None:
        """Delete what is older than `keep` says; what is not over stays."""
        with self._lock, sqlite.transaction(self._writer):
            run, limit = self._writer.execute, now - keep.events
            # The newest state event of each stays: it says in which state the time after it began.
            run(
                "DELETE FROM events WHERE at < ? AND NOT (type = 'state' AND id = (SELECT max(id) FROM events AS newer WHERE"
                " newer.node = events.node AND newer.service = events.service AND newer.type = 'state' AND newer.at < ?))",
                (limit, limit),
            )
            run(
                "DELETE FROM flips WHERE status NOT IN (?, ?) AND id < (SELECT ifnull(min(id), 0) FROM events WHERE at >= ?)"
                " AND NOT EXISTS (SELECT 1 FROM deliveries WHERE flip = flips.id AND status IN (?, ?))",
                (WAITING, HELD, limit, WAITING, SENDING),
            )
            run("DELETE FROM deliveries WHERE NOT EXISTS (SELECT 1 FROM flips WHERE flips.id = deliveries.flip)")
            run("DELETE FROM downtimes WHERE until < ?", (limit,))
            run("DELETE FROM cursors WHERE at < ?", (now - _CURSORS_KEPT,))
            self._series.expire(self._writer, now, keep)

    def size(self) -> int:
        """Return how many bytes it takes on disk."""
        parts = (self._path, self._path.with_name(self._path.name + "-wal"))
        return sum(part.stat().st_size for part in parts if part.exists())

    def trouble(self) -> str:
        """A file is there or it is not: opening it told."""
        return ""

    def close(self) -> None:
        """Let go of the files; what was written stays."""
        with self._lock:
            self._readers.close()
            self._writer.close()

    def _read(self, statement: str, *values: Any) -> list[Doc]:
        with sqlite.translated(self._path):
            return _docs(self._readers.get().execute(statement, values))

    def _write(self, connection: sqlite3.Connection, change: Change) -> None:
        many = connection.executemany
        states = [(node, service or "", _text(doc)) for (node, service), doc in change.states.items()]
        many("INSERT OR REPLACE INTO states VALUES (?, ?, ?)", states)
        many("DELETE FROM states WHERE node = ? AND service = ?", [(n, s or "") for n, s in change.removed])
        many("INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?, ?)", map(_event, change.events))
        many(
            "INSERT OR REPLACE INTO flips VALUES (?, ?, ?, ?, ?)",
            [(i, doc["status"], doc["node"], doc["service"] or "", _text(doc)) for i, doc in change.flips.items()],
        )
        many(
            "INSERT OR REPLACE INTO deliveries VALUES (?, ?, ?, ?, ?, ?)",
            [
                (i, doc["flip"], doc["contact"], doc["status"], doc["lease"], _text(doc))
                for i, doc in change.deliveries.items()
            ],
        )
        many(
            "INSERT OR REPLACE INTO downtimes VALUES (?, ?, ?)",
            [(i, doc["until"], _text(doc)) for i, doc in change.downtimes.items()],
        )
        many("INSERT OR REPLACE INTO cursors VALUES (?, ?, ?, ?)", [(*k, *v) for k, v in change.cursors.items()])
        many("INSERT OR REPLACE INTO meta VALUES (?, ?)", [(k, json.dumps(v)) for k, v in change.meta.items()])
        if change.points:
            self._series.add(connection, change.points)


def _conditions(query: EventQuery) -> list[tuple[str, tuple[Any, ...]]]:
    found: list[tuple[str, tuple[Any, ...]]] = []
    for condition, value in (
        ("id > ?", query.after),
        ("id < ?", query.before),
        ("node = ?", query.node),
        ("service = ?", query.service),
        ("at >= ?", query.since),
        ("at < ?", query.until),
    ):
        if value is not None:
            found.append((condition, (value,)))
    if query.own:
        found.append(("service = ''", ()))
    if query.types:
        found.append((f"type IN ({', '.join('?' * len(query.types))})", query.types))
    return found


def _event(doc: Doc) -> tuple[Any, ...]:
    return doc["id"], doc["at"], doc["type"], doc["node"] or "", doc["service"] or "", _text(doc)


def _text(doc: Doc) -> str:
    return json.dumps(doc, ensure_ascii=False, separators=(",", ":"))


def _docs(rows: Iterable[tuple[str]]) -> list[Doc]:
    return [json.loads(text) for (text,) in rows]


def _deliveries(rows: Iterable[tuple[str, str, int | None]]) -> list[Doc]:
    return [{**json.loads(text), "status": status, "lease": lease} for text, status, lease in rows]


def _top(connection: sqlite3.Connection, *tables: str) -> int:
    tops = [connection.execute(f"SELECT ifnull(max(id), 0) FROM {table}").fetchone()[0] for table in tables]  # noqa: S608 - constants
    return int(max(tops))
