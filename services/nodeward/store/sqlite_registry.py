"""The registry shelf on SQLite: one file, small, every commit durable."""

import json
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nodeward.core.auth import Credential
from nodeward.core.errors import Conflict
from nodeward.store import sqlite
from nodeward.store.base_registry import BundleMark, Change, Deed, Key, Revision, Stored

MIGRATIONS = [
    """
    CREATE TABLE objects (kind TEXT, name TEXT, body TEXT NOT NULL, changed INTEGER NOT NULL, PRIMARY KEY (kind, name));
    CREATE TABLE revisions (number INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL);
    CREATE TABLE changes (
        revision INTEGER NOT NULL REFERENCES revisions, kind TEXT NOT NULL, name TEXT NOT NULL, before TEXT, after TEXT,
        PRIMARY KEY (revision, kind, name)
    );
    CREATE TABLE credentials (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, hash TEXT NOT NULL, node TEXT,
        created INTEGER NOT NULL, expires INTEGER, revoked INTEGER, used INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE passwords (name TEXT PRIMARY KEY, hash TEXT NOT NULL);
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, via TEXT, address TEXT,
        action TEXT NOT NULL, what TEXT NOT NULL
    );
    CREATE TABLE bundles (node TEXT PRIMARY KEY, digest TEXT NOT NULL, revision INTEGER NOT NULL);
    """,
    "ALTER TABLE credentials ADD COLUMN supersedes TEXT",
]


class SqliteRegistryShelf:
    """See `RegistryShelf` for what holds. One connection, behind a lock: the registry is read from memory, not from here."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite.open_database(path, MIGRATIONS)
        self._lock = threading.Lock()

    def objects(self) -> list[Stored]:
        """Return every object."""
        rows = self._ask("SELECT kind, name, body, changed FROM objects ORDER BY kind, name")
        return [Stored(Key(kind, name), json.loads(body), changed) for kind, name, body, changed in rows]

    def head(self) -> int:
        """Return the number of the newest revision, 0 if there is none."""
        return int(self._ask("SELECT coalesce(max(number), 0) FROM revisions")[0][0])

    def commit(self, expected: int, revision: Revision) -> None:
        """Make `revision` the newest and its changes true. Raise Conflict unless `expected` is still the newest."""
        with self._lock, sqlite.transaction(self._connection):
            execute = self._connection.execute
            (head,) = execute("SELECT coalesce(max(number), 0) FROM revisions").fetchone()
            if head != expected or revision.number != expected + 1:
                raise Conflict(
                    f"The configuration is at revision {head} by now, not {expected}: look again, then repeat."
                )
            execute(
                "INSERT INTO revisions VALUES (?, ?, ?, ?)", (revision.number, revision.at, revision.who, revision.why)
            )
            for change in revision.changes:
                self._change(revision.number, change)

    def _change(self, number: int, change: Change) -> None:
        execute, (kind, name) = self._connection.execute, change.key
        execute(
            "INSERT INTO changes VALUES (?, ?, ?, ?, ?)",
            (number, kind, name, _text(change.before), _text(change.after)),
        )
        if change.after is None:
            execute("DELETE FROM objects WHERE kind = ? AND name = ?", (kind, name))
        else:
            execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)", (kind, name, _text(change.after), number))

    def revision(self, number: int) -> Revision | None:
        """Return a revision with its changes, or None."""
        found = self._revisions("WHERE number = ?", (number,))
        return found[0] if found else None

    def revisions(self, before: int | None, limit: int) -> list[Revision]:
        """Return revisions below `before` (all, if None), newest first, at most `limit`."""
        return self._revisions("WHERE number < ? ORDER BY number DESC LIMIT ?", (_below(before), limit))

    def _revisions(self, where: str, values: tuple[Any, ...]) -> list[Revision]:
        rows = self._ask(f"SELECT number, at, who, why FROM revisions {where}", values)  # noqa: S608 - our own words
        return [Revision(number, at, who, why, self._changes(number)) for number, at, who, why in rows]

    def _changes(self, number: int) -> list[Change]:
        rows = self._ask(
            "SELECT kind, name, before, after FROM changes WHERE revision = ? ORDER BY kind, name", (number,)
        )
        return [Change(Key(kind, name), _body(before), _body(after)) for kind, name, before, after in rows]

    def credentials(self) -> list[Credential]:
        """Return every credential, in the order they were made."""
        names = ("id", "name", "role", "hash", "node", "created", "expires", "revoked", "supersedes")
        rows = self._ask(f"SELECT {', '.join(names)} FROM credentials ORDER BY rowid")  # noqa: S608 - our own words
        return [Credential(**dict(zip(names, row, strict=True))) for row in rows]

    def put_credential(self, credential: Credential, replacing: Iterable[str] = (), at: int = 0) -> None:
        """Keep a new credential, and in the same step revoke those whose ids are in `replacing`."""
        row = credential.model_dump()
        with self._lock, sqlite.transaction(self._connection):
            for identifier in replacing:
                self._connection.execute(
                    "UPDATE credentials SET revoked = ? WHERE id = ? AND revoked IS NULL", (at, identifier)
                )
            self._connection.execute(
                "INSERT INTO credentials (id, name, role, hash, node, created, expires, revoked, supersedes)"
                " VALUES (:id, :name, :role, :hash, :node, :created, :expires, :revoked, :supersedes)",
                row,
            )

    def revoke(self, identifier: str, at: int) -> bool:
        """Revoke a credential. Return whether it was in force."""
        return self._write("UPDATE credentials SET revoked = ? WHERE id = ? AND revoked IS NULL", (at, identifier)) > 0

    def note_use(self, identifier: str) -> None:
        """Remember that a credential was used. Doing so again changes nothing."""
        self._write("UPDATE credentials SET used = 1 WHERE id = ? AND used = 0", (identifier,))

    def used(self) -> set[str]:
        """Return the ids of the credentials that were used."""
        return {identifier for (identifier,) in self._ask("SELECT id FROM credentials WHERE used = 1")}

    def password(self, name: str) -> str | None:
        """Return the hash of a user's password, or None."""
        rows = self._ask("SELECT hash FROM passwords WHERE name = ?", (name,))
        return rows[0][0] if rows else None

    def put_password(self, name: str, digest: str | None) -> None:
        """Keep a user's password hash; None forgets it."""
        if digest is None:
            self._write("DELETE FROM passwords WHERE name = ?", (name,))
        else:
            self._write("INSERT OR REPLACE INTO passwords VALUES (?, ?)", (name, digest))

    def note(self, *deeds: Deed) -> None:
        """Add to the audit list, in that order."""
        rows = [(one.at, one.who, one.via, one.address, one.action, one.what) for one in deeds]
        with self._lock, sqlite.transaction(self._connection):
            self._connection.executemany(
                "INSERT INTO audit (at, who, via, address, action, what) VALUES (?, ?, ?, ?, ?, ?)", rows
            )

    def deeds(self, before: int | None, limit: int) -> list[Deed]:
        """Return the audit list below id `before` (all, if None), newest first, at most `limit`."""
        rows = self._ask(
            "SELECT at, who, via, address, action, what, id FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?",
            (_below(before), limit),
        )
        return [Deed(*row) for row in rows]

    def bundle_marks(self) -> list[BundleMark]:
        """Return what is remembered of the nodes' bundles."""
        return [BundleMark(*row) for row in self._ask("SELECT node, digest, revision FROM bundles")]

    def put_bundle_marks(self, marks: Iterable[BundleMark]) -> None:
        """Remember these, in place of what was known of the same nodes."""
        rows = [(mark.node, mark.digest, mark.revision) for mark in marks]
        with self._lock, sqlite.transaction(self._connection):
            self._connection.executemany("INSERT OR REPLACE INTO bundles VALUES (?, ?, ?)", rows)

    def trouble(self) -> str:
        """A file is there or it is not: opening it told."""
        return ""

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    def _ask(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self._lock, sqlite.translated():
            return self._connection.execute(statement, values).fetchall()

    def _write(self, statement: str, values: tuple[Any, ...]) -> int:
        with self._lock, sqlite.transaction(self._connection):
            return self._connection.execute(statement, values).rowcount


def _below(before: int | None) -> int:
    return 2**62 if before is None else before


def _text(body: dict[str, Any] | None) -> str | None:
    return None if body is None else json.dumps(body, ensure_ascii=False)


def _body(text: str | None) -> dict[str, Any] | None:
    return None if text is None else json.loads(text)
