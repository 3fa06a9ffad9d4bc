"""SQLite as every shelf uses it: WAL, durable commits, one way to write, migrations by number.

    connection = sqlite.open_database(path, MIGRATIONS)
    with sqlite.transaction(connection):
        connection.execute("INSERT …", (…,))

A connection may go from thread to thread, but only one at a time may use it: a shelf keeps one to write with, behind a
lock, and one per thread (`Readers`) to read with. WAL lets those read while that one writes.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from nodeward.core.errors import ConfigError, Unavailable
from nodeward.core.files import sync_directory
from nodeward.store.errors import StoreDamaged, StoreFull

BUSY_SECONDS = 10.0


def open_database(path: Path, migrations: Sequence[str], synchronous: str = "FULL") -> sqlite3.Connection:
    """Return a connection to write with, to the database at `path` (made if need be), brought up to date by `migrations`.

    `migrations[n]` is the SQL script that leads from version n to n + 1; once released, one is never changed. Raise
    ConfigError if the file cannot be opened or was written by a newer Nodeward.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{path.parent} cannot be made ({error.strerror}). Check NODEWARD_VAR and its owner."
        ) from None
    with translated(path):
        connection = _connect(path)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {synchronous}")
            migrate(connection, migrations, path)
        except BaseException:
            connection.close()
            raise
    return connection


def create(path: Path, page_size: int, shrinks: bool = False) -> None:
    """Make an empty database of that page size, where SQLite's usual one does not fit what will lie in it.

    One that `shrinks` gives room back to the disk by ``PRAGMA incremental_vacuum``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with translated(path):
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.execute(f"PRAGMA page_size = {page_size}")
            connection.execute(f"PRAGMA auto_vacuum = {'INCREMENTAL' if shrinks else 'NONE'}")
            connection.execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()
    sync_directory(path.parent)


def remove(path: Path) -> None:
    """Remove a database that nobody has open, if it is there."""
    for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        file.unlink(missing_ok=True)


def open_reader(path: Path) -> sqlite3.Connection:
    """Return a connection to an existing database that cannot change it."""
    with translated(path):
        connection = _connect(path)
        connection.execute("PRAGMA query_only = ON")
    return connection


def migrate(connection: sqlite3.Connection, migrations: Sequence[str], path: Path) -> None:
    """Apply the migrations that are missing, each in a transaction with its number (`PRAGMA user_version`)."""
    while (version := _version(connection)) != len(migrations):
        if version > len(migrations):
            raise ConfigError(
                f"{path} has version {version}, this Nodeward knows {len(migrations)}: it was written by a newer one. "
                "Start that one, or restore a backup."
            )
        with transaction(connection):
            if _version(connection) == version:  # else another process was quicker
                for statement in _statements(migrations[version]):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {version + 1}")


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Make what happens inside happen wholly or not at all. Raise StoreFull or Unavailable in SQLite's place."""
    with translated():
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@contextlib.contextmanager
def translated(path: Path | None = None) -> Iterator[None]:
    """Turn SQLite's errors that an operator can do something about into sentences; the rest pass."""
    where = f"The database {path}" if path else "The database"
    try:
        yield
    except sqlite3.DatabaseError as error:
        text = str(error)
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL or "disk is full" in text:
            raise StoreFull(
                f"{where} has no room left: the disk is full. Free some; nothing stored is lost."
            ) from error
        if isinstance(error, sqlite3.OperationalError):
            raise Unavailable(f"{where} cannot be used just now: {text}.") from error
        if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
            raise
        raise StoreDamaged(f"{where} cannot be read: {text}. Restore a backup, or move the file away.") from error


def settle(connection: sqlite3.Connection, seconds: float = 0.0) -> None:
    """Bring what the WAL holds into the database and cut it to nothing; not where somebody still reads after `seconds`."""
    connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")


class Readers:
    """One read-only connection per thread to one database."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._lock = threading.Lock()

    def get(self) -> sqlite3.Connection:
        """Return this thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = open_reader(self._path)
            with self._lock:
                self._all.append(connection)
        return connection

    def close(self) -> None:
        """Close every thread's connection."""
        with self._lock:
            for connection in self._all:
                connection.close()
            self._all.clear()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _statements(script: str) -> Iterator[str]:
    """Split a script at the semicolons that end a statement (`executescript` would commit the transaction it runs in)."""
    statement = ""
    for piece in script.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
