"""One day's blocks: one SQLite file, so that retention removes a file. One process writes it, any number read it."""

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from nodeward.store import sqlite
from nodeward.store.logblocks import block, sieve, words
from nodeward.store.logblocks.block import Encoded, Head, Meta
from nodeward.store.logblocks.codec import Damaged
from nodeward.store.logblocks.match import Mask
from nodeward.store.logblocks.sieve import Gathered, Sieve
from nodeward.store.logblocks.words import Wanted

Kept = TypeVar("Kept")

DAY = 86_400_000_000  # µs
PARTS = {"counters": "counters", "filters": "filters", "text": "texts"}
_PAGE = 16384  # a block's parts are long: fewer, larger pages are followed faster
_MMAP = 1 << 40
_IDLE = 8  # connections kept open per file
_PATIENCE = 0.2  # seconds to wait for searches before the WAL is left as it is
_HEADS = 1024  # heads of blocks and of sieves kept in memory per file

MIGRATIONS = [
    """
    CREATE TABLE blocks (
        id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice: readers remember heads by it
        from_seq INTEGER NOT NULL, to_seq INTEGER NOT NULL, part INTEGER NOT NULL,
        records INTEGER NOT NULL, raw_bytes INTEGER NOT NULL,
        min_time INTEGER NOT NULL, max_time INTEGER NOT NULL, max_received INTEGER NOT NULL,
        levels INTEGER NOT NULL, pieces INTEGER NOT NULL, width INTEGER NOT NULL,
        head BLOB NOT NULL,
        UNIQUE (from_seq, to_seq, part)
    );
    CREATE INDEX blocks_time ON blocks (max_time);
    CREATE TABLE counters (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
    CREATE TABLE filters (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
    CREATE TABLE texts (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
    """,
    """
    CREATE TABLE sieves (id INTEGER PRIMARY KEY AUTOINCREMENT, head BLOB NOT NULL);
    CREATE TABLE shards (id INTEGER PRIMARY KEY, data BLOB NOT NULL);  -- of a sieve: its id * 64 + the shard's number
    CREATE TABLE sieved (block INTEGER PRIMARY KEY, sieve INTEGER NOT NULL);  -- blocks whose filters lie in a sieve
    """,
]

_STORED = Meta._fields[:-1]
_META = ", ".join(_STORED)
_BLOCKS = {
    1: f"SELECT id, {_META}, 0 FROM blocks",  # noqa: S608 - names of columns
    2: f"SELECT id, {_META}, ifnull(sieve, 0) FROM blocks LEFT JOIN sieved ON block = id",  # noqa: S608
}


def name_of(day: int) -> str:
    """Given days since 1970, return e.g. ``2026-11-24``."""
    return datetime.fromtimestamp(day * 86400, UTC).strftime("%Y-%m-%d")


def number_of(name: str) -> int:
    """Given e.g. ``2026-11-24``, return days since 1970. Raise ValueError if it is no date."""
    return int(datetime.strptime(name, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()) // 86400


class Writer:
    """Writes blocks into a day's file. Each call happens wholly or not at all, and may be repeated."""

    def __init__(self, path: Path) -> None:
        self._connection = _prepared(path)

    def put(self, blocks: Sequence[Encoded], from_seq: int, to_seq: int) -> None:
        """Store the blocks of the records that arrived as [from_seq, to_seq), in place of any stored for them before."""
        with sqlite.transaction(self._connection):
            self._drop("SELECT id FROM blocks WHERE from_seq = ? AND to_seq = ?", (from_seq, to_seq))
            for encoded in blocks:
                self._insert(encoded)

    def replace(self, old: Sequence[int], new: Encoded) -> None:
        """Store one block in place of those of these ids."""
        with sqlite.transaction(self._connection):
            for identifier in old:
                self._drop("SELECT ?", (identifier,))
            self._insert(new)

    def gather(self, gathered: Gathered) -> None:
        """Store a sieve in place of the filters of its blocks."""
        with sqlite.transaction(self._connection):
            number = self._connection.execute("INSERT INTO sieves (head) VALUES (?)", (gathered.head,)).lastrowid
            assert number is not None
            for place, shard in enumerate(gathered.shards):
                self._connection.execute("INSERT INTO shards VALUES (?, ?)", (number * words.SHARDS + place, shard))
            for identifier in gathered.members:
                self._connection.execute("INSERT INTO sieved VALUES (?, ?)", (identifier, number))
                self._connection.execute("DELETE FROM filters WHERE id = ?", (identifier,))

    def drop(self, identifiers: Sequence[int]) -> None:
        """Remove blocks; their room is used again by later ones."""
        with sqlite.transaction(self._connection):
            for identifier in identifiers:
                self._drop("SELECT ?", (identifier,))
            for (sieve,) in self._connection.execute(_UNUSED).fetchall():
                first = sieve * words.SHARDS
                self._connection.execute("DELETE FROM sieves WHERE id = ?", (sieve,))
                self._connection.execute("DELETE FROM shards WHERE id >= ? AND id < ?", (first, first + words.SHARDS))

    def close(self) -> None:
        """Close the file. Searches keep connections to it, so it is not the last that takes the WAL away: that is done here."""
        with contextlib.suppress(sqlite3.Error):  # it is done again by the next one
            sqlite.settle(self._connection, _PATIENCE)
        self._connection.close()

    def _insert(self, encoded: Encoded) -> None:
        places = ", ".join("?" * (len(_STORED) + 1))
        identifier = self._connection.execute(
            f"INSERT INTO blocks ({_META}, head) VALUES ({places})",  # noqa: S608 - names of columns
            (*encoded.meta[: len(_STORED)], encoded.head),
        ).lastrowid
        for part, table in PARTS.items():
            self._connection.execute(
                f"INSERT INTO {table} VALUES (?, ?)",  # noqa: S608
                (identifier, getattr(encoded, part)),
            )

    def _drop(self, which: str, values: tuple[int, ...]) -> None:
        for (identifier,) in self._connection.execute(which, values).fetchall():
            for table in ("blocks", *PARTS.values()):
                self._connection.execute(f"DELETE FROM {table} WHERE id = ?", (identifier,))  # noqa: S608
            self._connection.execute("DELETE FROM sieved WHERE block = ?", (identifier,))


class View:
    """A day's file as it stood at one moment."""

    def __init__(self, day: "Day", connection: sqlite3.Connection) -> None:
        self._day, self._connection = day, connection
        self._blocks = _BLOCKS[1 if connection.execute("PRAGMA user_version").fetchone() == (1,) else 2]
        self._sifted: dict[tuple[int, Wanted], dict[int, Mask]] = {}

    def blocks(self, start: int, end: int, newest_first: bool = True) -> list[tuple[int, Meta]]:
        """Return (id, meta) of the blocks with a record in [start, end), by their newest time, or by their oldest."""
        order = "max_time DESC" if newest_first else "min_time"
        found = self._connection.execute(
            f"{self._blocks} WHERE max_time >= ? AND min_time < ? ORDER BY {order}", (start, end)
        )
        return [(row[0], Meta(*row[1:])) for row in found]

    def head(self, identifier: int) -> Head:
        """Return a block's head. Raise Damaged."""
        head = self._day.heads.get(identifier)
        if head is None:
            row = self._connection.execute("SELECT head, records FROM blocks WHERE id = ?", (identifier,)).fetchone()
            if row is None:
                raise Damaged("the head is missing")
            head = block.read_head(*row)
            _remember(self._day.heads, identifier, head)
        return head

    def sifted(self, number: int, wanted: Wanted) -> dict[int, Mask]:
        """Return which pieces may hold what is wanted, for the blocks of a sieve that have such a piece. Raise Damaged."""
        found = self._sifted.get((number, wanted))
        if found is None:
            found = self._sifted[number, wanted] = self.sieve(number).sift(wanted, self._shards(number))
        return found

    def sieves(self) -> list[int]:
        """Return the ids of the day's sieves."""
        if self._blocks == _BLOCKS[1]:
            return []
        return [number for (number,) in self._connection.execute("SELECT id FROM sieves").fetchall()]

    def check_sieve(self, number: int) -> None:
        """Read a sieve once. Raise Damaged."""
        self.sieve(number).check(self._shards(number))

    def sieve(self, number: int) -> Sieve:
        """Return a sieve's head. Raise Damaged."""
        found = self._day.sieves.get(number)
        if found is None:
            found = sieve.read_head(self._one("SELECT head FROM sieves WHERE id = ?", number, "the head"))
            _remember(self._day.sieves, number, found)
        return found

    def _shards(self, number: int) -> Callable[[int], bytes]:
        first = number * words.SHARDS
        return lambda shard: self._one("SELECT data FROM shards WHERE id = ?", first + shard, f"shard {shard}")

    def _one(self, statement: str, identifier: int, name: str) -> bytes:
        row = self._connection.execute(statement, (identifier,)).fetchone()
        if row is None:
            raise Damaged(f"{name} is missing")
        return bytes(row[0])

    def read(self, identifier: int, part: str, position: int, length: int) -> bytes:
        """Return bytes of a part of a block, -1: to its end. Raise Damaged."""
        try:
            with self._connection.blobopen(PARTS[part], "data", identifier, readonly=True) as blob:
                blob.seek(position)
                data = blob.read(length)
        except (sqlite3.Error, ValueError) as error:
            raise Damaged(f"its {part} cannot be read ({error})") from None
        if length >= 0 and len(data) != length:
            raise Damaged(f"its {part} is shorter than it should be")
        return data

    def bytes(self) -> int:
        """Return how many bytes the blocks take."""
        pages, free = (self._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in _SIZES)
        return (int(pages) - int(free)) * _PAGE


_SIZES = ("page_count", "freelist_count")
_UNUSED = "SELECT id FROM sieves WHERE id NOT IN (SELECT sieve FROM sieved)"


class Day:
    """Reads a day's file from several threads: each view has a connection of its own while it lasts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = number_of(path.stem)
        self.heads: dict[int, Head] = {}  # ids are never used twice, so an entry stays true
        self.sieves: dict[int, Sieve] = {}
        self._idle: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._closed = False

    @contextlib.contextmanager
    def view(self) -> Iterator[View]:
        """Give a view of one moment. Raise StoreDamaged or Unavailable where the file cannot be read."""
        connection = self._take()
        try:
            with sqlite.translated(self.path):
                connection.execute("BEGIN")
                connection.execute("SELECT 1 FROM blocks").fetchone()  # from here on it is one moment
                yield View(self, connection)
        finally:
            self._give_back(connection)

    def close(self) -> None:
        """Close what no view uses; what one uses is closed when it ends."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        connection = sqlite.open_reader(self.path)
        connection.execute(f"PRAGMA mmap_size = {_MMAP}")
        return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with contextlib.suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            with self._lock:
                if not self._closed and len(self._idle) < _IDLE:
                    self._idle.append(connection)
                    return
        connection.close()


def _remember(known: dict[int, Kept], number: int, value: Kept) -> None:
    if len(known) >= _HEADS:
        known.clear()
    known[number] = value


def _prepared(path: Path) -> sqlite3.Connection:
    if not path.exists():
        sqlite.create(path, page_size=_PAGE)
    return sqlite.open_database(path, MIGRATIONS)
