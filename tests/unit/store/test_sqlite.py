import sqlite3
import threading

import pytest

from nodeward.core.errors import ConfigError, Unavailable
from nodeward.store import sqlite
from nodeward.store.errors import StoreDamaged, StoreFull

FIRST = "CREATE TABLE a (x INTEGER PRIMARY KEY)"
SECOND = "CREATE TABLE b (y TEXT)"


def test_migrations_are_applied_once_and_in_order(tmp_path):
    sqlite.open_database(tmp_path / "x.db", [FIRST]).close()
    connection = sqlite.open_database(tmp_path / "x.db", [FIRST, SECOND])
    assert {name for (name,) in connection.execute("SELECT name FROM sqlite_master")} == {"a", "b"}
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    connection.close()


def test_a_migration_that_fails_leaves_the_version_before(tmp_path):
    with pytest.raises(Unavailable):
        sqlite.open_database(tmp_path / "x.db", [FIRST, "CREATE TABLE b (y); CREATE TABLE a (z)"])
    connection = sqlite.open_database(tmp_path / "x.db", [FIRST, SECOND])
    assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    connection.close()


def test_a_file_of_a_newer_version_is_refused_with_a_sentence(tmp_path):
    sqlite.open_database(tmp_path / "x.db", [FIRST, SECOND]).close()
    with pytest.raises(ConfigError, match="newer"):
        sqlite.open_database(tmp_path / "x.db", [FIRST])


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "x.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreDamaged, match=r"x\.db"):
        sqlite.open_database(tmp_path / "x.db", [FIRST])


def test_a_transaction_that_fails_leaves_nothing(tmp_path):
    connection = sqlite.open_database(tmp_path / "x.db", [FIRST])
    with pytest.raises(sqlite3.IntegrityError), sqlite.transaction(connection):
        connection.executemany("INSERT INTO a VALUES (?)", [(1,), (2,), (2,)])
    assert connection.execute("SELECT count(*) FROM a").fetchone() == (0,)
    connection.close()


def test_a_full_disk_is_said_and_passes(tmp_path):
    connection = sqlite.open_database(tmp_path / "x.db", [SECOND])
    connection.execute("PRAGMA max_page_count = 4")
    with pytest.raises(StoreFull, match="full"), sqlite.transaction(connection):
        connection.execute("INSERT INTO b VALUES (?)", ("x" * 100_000,))
    connection.execute("PRAGMA max_page_count = 1000000")
    with sqlite.transaction(connection):
        connection.execute("INSERT INTO b VALUES (?)", ("x" * 100_000,))
    connection.close()


def test_each_thread_reads_on_its_own_connection_and_cannot_write(tmp_path):
    sqlite.open_database(tmp_path / "x.db", [FIRST]).close()
    readers = sqlite.Readers(tmp_path / "x.db")
    seen = []
    thread = threading.Thread(target=lambda: seen.append(readers.get()))
    thread.start()
    thread.join()
    assert readers.get() is readers.get()
    assert seen[0] is not readers.get()
    with pytest.raises(sqlite3.OperationalError):
        readers.get().execute("INSERT INTO a VALUES (1)")
    readers.close()
