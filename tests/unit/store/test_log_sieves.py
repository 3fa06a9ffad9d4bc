"""Sieves in the shelf: what lies in them is found as before, what they pass over is not opened, nothing hides a line."""

import sqlite3
from pathlib import Path

import pytest

from nodeward.store import sqlite_logs
from nodeward.store.base import LogQuery, LogShelf, Term
from nodeward.store.logblocks import compactor, sieve
from nodeward.store.logblocks.compactor import Inline
from nodeward.store.logblocks.day import Writer
from nodeward.store.sqlite_logs import SqliteLogShelf
from support.log_records import DAY, NOON, PATIENT, SECOND, Line, found, made, matches, raws

ROWS = 64  # records in a block, here
BLOCKS = sieve.BLOCKS + 4
TODAY = "2026-11-24"
GOLDEN = Path(__file__).parents[2] / "golden"

QUERIES = [
    LogQuery(),
    LogQuery(terms=(Term(b"common"),)),
    LogQuery(terms=(Term(b"only7"),)),
    LogQuery(terms=(Term(b"only3"), Term(b"number"))),
    LogQuery(terms=(Term(b"only3"), Term(b"only4"))),
    LogQuery(terms=(Term(b"common"),), hosts=("web-2",)),
    LogQuery(hosts=("web-1", "web-2"), sources=("s1", "s9")),
    LogQuery(terms=(Term(b"ommo", left=False, right=False),), start=NOON + 300 * SECOND, end=NOON + 900 * SECOND),
    LogQuery(terms=(Term(b"common", exclude=True),)),
    LogQuery(levels=frozenset({3})),
]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_logs, "BLOCK_ROWS", ROWS)
    monkeypatch.setattr(compactor, "BLOCK_ROWS", ROWS)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "logs"


def filled(root: Path, blocks: int = BLOCKS, age: int = 0, shelf: SqliteLogShelf | None = None) -> SqliteLogShelf:
    """Return a shelf with so many blocks of that day, each with a word of its own, not gathered yet."""
    shelf = shelf or SqliteLogShelf(root)
    for block in range(blocks):
        lines = [
            Line(
                b"common number %d, only%d" % (row, block) if row % 2 else b"number %d" % row,
                NOON + (block * ROWS + row) * SECOND - age * DAY, host=f"web-{row % 4}", level=row % 8,
            )
            for row in range(ROWS)
        ]  # fmt: skip
        shelf.append([made(lines, source=f"s{block}", generation=f"g{age}")], NOON)
        assert shelf.compact(NOON)
    return shelf


def gather(shelf: LogShelf) -> None:
    while shelf.compact(NOON):
        pass


def rows(root: Path, statement: str, name: str = TODAY) -> list[tuple[int, ...]]:
    connection = sqlite3.connect(compactor.day_path(root, name))
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def test_the_filters_of_many_blocks_become_a_sieve_and_every_search_gives_the_same(root: Path) -> None:
    shelf = filled(root)
    everything = found(shelf)
    before = [found(shelf, query) for query in QUERIES]
    contexts = [shelf.context(one.id, 3, 3) for one in everything[::97]]
    gather(shelf)
    assert rows(root, "SELECT count(*) FROM sieved") == [(sieve.BLOCKS,)]
    assert rows(root, "SELECT count(*) FROM filters") == [(BLOCKS - sieve.BLOCKS,)]
    for query, then in zip(QUERIES, before, strict=True):
        assert found(shelf, query) == then == [one for one in everything if matches(query, one.record)]
    assert [shelf.context(one.id, 3, 3) for one in everything[::97]] == contexts
    assert list(shelf.verify()) == []
    shelf.close()


def test_a_block_that_a_sieve_passes_over_is_not_opened(root: Path) -> None:
    shelf = filled(root, sieve.BLOCKS)
    gather(shelf)
    shelf.close()
    shelf = SqliteLogShelf(root)
    page = shelf.search(LogQuery(terms=(Term(b"nowhereatall"),)))
    assert (page.items, page.scanned.bytes) == ([], 0)
    assert (page.scanned.blocks, page.scanned.passed_over) == (sieve.BLOCKS, sieve.BLOCKS)
    assert page.scanned.records == sieve.BLOCKS * ROWS
    (day,) = shelf._all_days()
    assert day.heads == {}
    shelf.close()


def test_histograms_and_top_values_of_a_word_are_the_same_with_a_sieve(root: Path) -> None:
    shelf = filled(root)
    query = LogQuery(terms=(Term(b"only5"),), start=NOON - DAY, end=NOON + DAY)
    before = shelf.histogram(query, 50, PATIENT), shelf.top(query, "host", 10, PATIENT)
    gather(shelf)
    assert (shelf.histogram(query, 50, PATIENT), shelf.top(query, "host", 10, PATIENT)) == before
    assert sum(count for each in before[0].bins for count in each.levels.values()) == ROWS // 2
    shelf.close()


class Crash(Exception):
    """Stands for SIGKILL."""


def test_a_crash_after_gathering_changes_nothing(root: Path) -> None:
    class Crashing(Inline):
        def do(self, job):  # type: ignore[no-untyped-def]
            super().do(job)
            raise Crash

    shelf = filled(root)
    before = [found(shelf, query) for query in QUERIES]
    shelf._compactor = Crashing(root)
    with pytest.raises(Crash):
        shelf.compact(NOON)
    shelf.close()
    shelf = SqliteLogShelf(root)
    assert rows(root, "SELECT count(*) FROM sieves") == [(1,)]
    assert [found(shelf, query) for query in QUERIES] == before
    assert not shelf.compact(NOON)
    shelf.close()


@pytest.mark.parametrize("spoil", ["UPDATE shards SET data = zeroblob(length(data))", "UPDATE sieves SET head = x'00'"])
def test_a_damaged_sieve_is_reported_and_hides_no_line(root: Path, spoil: str) -> None:
    shelf = filled(root)
    before = [found(shelf, query) for query in QUERIES]
    gather(shelf)
    shelf.close()
    connection = sqlite3.connect(compactor.day_path(root, TODAY))
    connection.execute(spoil)
    connection.commit()
    connection.close()
    shelf = SqliteLogShelf(root)
    assert [found(shelf, query) for query in QUERIES] == before
    where = [(f"{TODAY}.db, sieve 1", 0)]
    assert [(one.where, one.records) for one in shelf.verify()] == where
    page = shelf.search(LogQuery(terms=(Term(b"only7"),)))
    assert [(one.where, one.records) for one in page.scanned.damaged] == where
    assert shelf.context(before[2][0].id, 1, 1)[1] == before[2][0]
    shelf.close()


def test_a_block_whose_filters_are_damaged_stays_out_and_the_others_are_gathered(root: Path) -> None:
    filled(root, sieve.BLOCKS).close()
    connection = sqlite3.connect(compactor.day_path(root, TODAY))
    connection.execute("UPDATE filters SET data = zeroblob(length(data)) WHERE id = 3")
    connection.commit()
    connection.close()
    shelf = SqliteLogShelf(root)
    gather(shelf)
    assert rows(root, "SELECT count(*) FROM sieved") == [(sieve.BLOCKS - 1,)]
    assert [one.where for one in shelf.verify()] == [f"{TODAY}.db, block 3"]
    shelf.close()


def test_what_is_left_of_a_day_is_gathered_when_the_next_begins(root: Path) -> None:
    shelf = filled(root, 5, age=1)
    gather(shelf)
    assert rows(root, "SELECT count(*) FROM sieved", "2026-11-23") == [(0,)]
    filled(root, 1, shelf=shelf)
    gather(shelf)
    assert rows(root, "SELECT count(*) FROM sieved", "2026-11-23") == [(5,)]
    assert len(found(shelf)) == 6 * ROWS
    shelf.close()


def test_a_sieve_goes_with_the_last_of_its_blocks(root: Path) -> None:
    shelf = filled(root)
    gather(shelf)
    ids = [number for (number,) in rows(root, "SELECT id FROM blocks ORDER BY id")]
    writer = Writer(compactor.day_path(root, TODAY))
    writer.drop(ids[:10])
    assert rows(root, "SELECT count(*) FROM shards") == [(64,)]
    assert {one.record.source for one in found(shelf, QUERIES[1])} == {f"s{block}" for block in range(10, BLOCKS)}
    writer.drop(ids[10 : sieve.BLOCKS])
    writer.close()
    assert rows(root, "SELECT count(*) FROM sieves") == rows(root, "SELECT count(*) FROM shards") == [(0,)]
    assert len(found(shelf)) == (BLOCKS - sieve.BLOCKS) * ROWS
    shelf.close()


def old_shelf(root: Path, name: str) -> None:
    """Make the files as an earlier version left them: some times 40 records, of which the last 40 are hot."""
    for file in (GOLDEN / name).glob("*.sql"):
        path = root / "hot.db" if file.stem == "hot" else compactor.day_path(root, file.stem)
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path)
        connection.executescript(file.read_text())
        connection.execute("PRAGMA journal_mode = WAL")
        connection.close()


def old_lines(parts: int) -> list[bytes]:
    return sorted(
        b"old part%d number %d of web-%d said Zebra%d" % (part, row, row % 3, row * 7)
        for part in range(parts)
        for row in range(40)
    )


def test_a_shelf_from_before_filters_were_salted_is_read_as_it_is_beside_new_blocks(root: Path) -> None:
    """It has a day of three blocks in a sieve, one of a block with its own filters, and a hot batch."""
    old_shelf(root, "logs-before-salt")
    shelf = SqliteLogShelf(root)
    before = found(shelf)
    assert sorted(raws(before)) == old_lines(5)
    for row in range(40):
        assert len(found(shelf, LogQuery(terms=(Term(b"zebra%d" % (row * 7)),)))) == 5
    assert rows(root, "SELECT count(*) FROM sieved", "2026-11-23") == [(3,)]
    assert list(shelf.verify()) == []
    filled(root, shelf=shelf)
    gather(shelf)
    assert rows(root, "SELECT min(block) FROM sieved") == [(1,)]  # both kinds of filters lie in it
    assert [one for one in found(shelf) if one.record.raw.startswith(b"old")] == before
    for row in range(40):
        assert len(found(shelf, LogQuery(terms=(Term(b"zebra%d" % (row * 7)),)))) == 5
    assert list(shelf.verify()) == []
    shelf.close()


def test_a_shelf_from_before_sieves_is_read_as_it_is_and_gathered_in_time(root: Path) -> None:
    old_shelf(root, "logs-before-sieves")
    shelf = SqliteLogShelf(root)
    before = found(shelf)
    assert sorted(raws(before)) == old_lines(3)
    zebra = LogQuery(terms=(Term(b"zebra21"),))
    assert rows(root, "PRAGMA user_version") == [(1,)]
    assert len(found(shelf, zebra)) == 3
    assert list(shelf.verify()) == []
    filled(root, shelf=shelf)
    gather(shelf)
    assert rows(root, "PRAGMA user_version") == [(2,)]
    assert rows(root, "SELECT min(block) FROM sieved") == [
        (1,)
    ]  # old filters have fewer bits for a word: both lie in it
    assert [one for one in found(shelf) if one.record.raw.startswith(b"old")] == before
    assert len(found(shelf, zebra)) == 3
    assert list(shelf.verify()) == []
    shelf.close()
