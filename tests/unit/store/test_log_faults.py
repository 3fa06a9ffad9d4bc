"""What only this shelf can suffer: damaged files, a full disk, a crash between its two files."""

import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from nodeward.core.errors import Unavailable
from nodeward.store.base import LogQuery, Outcome, Term
from nodeward.store.errors import StoreFull
from nodeward.store.logblocks import compactor
from nodeward.store.logblocks.compactor import Inline
from nodeward.store.sqlite_logs import SqliteLogShelf
from support.log_records import DAY, NOON, SECOND, Line, found, made, pages, raws

LATER = NOON + 1000 * DAY


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "logs"


def three_days(root: Path) -> SqliteLogShelf:
    shelf = SqliteLogShelf(root)
    for age in (2, 1, 0):
        lines = [Line(b"day %d line %d" % (age, number), NOON - age * DAY + number * SECOND) for number in range(2500)]
        shelf.append([made(lines, source=f"d{age}")], NOON)
    while shelf.compact(LATER):
        pass
    return shelf


@pytest.mark.parametrize("part", ["head", "text", "columns"])
def test_a_damaged_block_is_reported_and_passed_over(root: Path, part: str) -> None:
    three_days(root).close()
    path = compactor.day_path(root, "2026-11-23")
    connection = sqlite3.connect(path)
    table, column = ("blocks", "head") if part == "head" else ("texts", "data")
    (data,) = connection.execute(f"SELECT {column} FROM {table}").fetchone()
    at = {"text": len(data) - 200, "columns": 30}.get(part, len(data) // 2)
    spoilt = data[:at] + bytes(byte ^ 0x55 for byte in data[at : at + 20]) + data[at + 20 :]
    connection.execute(f"UPDATE {table} SET {column} = ?", (spoilt,))
    connection.commit()
    connection.close()
    shelf = SqliteLogShelf(root)
    assert [(one.where, one.records) for one in shelf.verify()] == [("2026-11-23.db, block 1", 2500)]
    query = LogQuery(terms=(Term(b"line"),))
    pages_ = pages(shelf, query)
    assert [one.where for page in pages_ for one in page.scanned.damaged][:1] == ["2026-11-23.db, block 1"]
    sources = Counter(one.record.source for page in pages_ for one in page.items)
    assert sources["d0"] == sources["d2"] == 2500
    assert sources["d1"] < 2500  # pages that do not need the damaged piece give the rest
    number = LogQuery(terms=(Term(b"1"),), start=NOON - 3 * DAY, end=NOON + DAY)
    assert not shelf.histogram(number, 10).exact
    shelf.close()


def test_a_shelf_at_rest_keeps_no_room_that_a_burst_took(root: Path) -> None:
    shelf = SqliteLogShelf(root)
    for burst in range(3):
        lines = [Line(b"line %d %d " % (burst, number) + b"x" * 2000, NOON + number * SECOND) for number in range(2000)]
        shelf.append([made(lines, source=f"s{burst}")], NOON)
        assert len(shelf.search(LogQuery()).items) == 100  # its connections stay open
    while shelf.compact(LATER):
        pass
    shelf.compact(LATER)  # only now it is sure that nothing comes any more
    assert [path.stat().st_size for path in root.rglob("*-wal")] == [0, 0]
    assert (root / "hot.db").stat().st_size < 3 * 1024 * 1024
    assert len(found(shelf)) == 6000
    shelf.close()


def test_a_damaged_filter_denies_nothing_unsaid(root: Path) -> None:
    three_days(root).close()
    connection = sqlite3.connect(compactor.day_path(root, "2026-11-23"))
    (size,) = connection.execute("SELECT length(data) FROM filters").fetchone()
    connection.execute("UPDATE filters SET data = zeroblob(?)", (size,))
    connection.commit()
    connection.close()
    shelf = SqliteLogShelf(root)
    damaged = [one.where for page in pages(shelf, LogQuery(terms=(Term(b"line"),))) for one in page.scanned.damaged]
    assert damaged[:1] == ["2026-11-23.db, block 1"]
    assert len(list(shelf.verify())) == 1
    shelf.close()


def test_a_day_file_that_is_no_database_is_reported_and_the_rest_is_read(root: Path) -> None:
    three_days(root).close()
    compactor.day_path(root, "2026-11-23").write_bytes(b"not a database" * 1000)
    shelf = SqliteLogShelf(root)
    page = shelf.search(LogQuery(), limit=1)
    assert page.items[0].record.raw == b"day 0 line 2499"
    assert {one.record.source for one in found(shelf)} == {"d0", "d2"}
    assert [one.where for one in shelf.verify()] == ["2026-11-23.db"]
    shelf.close()


def test_a_file_of_somebody_else_among_the_days_is_left_alone(root: Path) -> None:
    shelf = three_days(root)
    (root / "days" / "notes.db").write_text("mine")
    assert len(found(shelf)) == 7500
    shelf.retain(LATER, 0)
    assert (root / "days" / "notes.db").read_text() == "mine"
    shelf.close()


class Crash(Exception):
    """Stands for SIGKILL."""


class CrashingAfter(Inline):
    """Does its job, and then the program dies before it hears of it."""

    def do(self, job):  # type: ignore[no-untyped-def]
        super().do(job)
        raise Crash


def test_a_crash_between_the_block_and_the_removal_changes_nothing(root: Path) -> None:
    shelf = SqliteLogShelf(root, CrashingAfter(root))
    lines = [Line(b"%d" % number, NOON - (number % 3) * DAY) for number in range(100)]
    shelf.append([made(lines)], NOON)
    before = found(shelf)
    with pytest.raises(Crash):
        shelf.compact(LATER)
    assert len(list((root / "days").glob("*.db"))) == 3
    assert found(shelf) == before
    shelf.append([made([b"more"], first=10**6)], NOON)
    shelf.close()
    again = SqliteLogShelf(root)
    assert len(found(again)) == 101
    assert again.compact(NOON)  # the range that was at work, though nothing is due
    assert again.figures().backlog == 1
    assert [one for one in found(again) if one.record.raw != b"more"] == before
    again.close()


def test_a_crash_after_a_merge_changes_nothing(root: Path) -> None:
    shelf = SqliteLogShelf(root)
    for part in range(7):
        shelf.append([made([b"%d" % part], source=f"s{part}")], NOON)
        assert shelf.compact(LATER)
    shelf.append([made([b"7"], source="s7")], NOON)
    assert shelf.compact(LATER)
    before = found(shelf)
    shelf._compactor = CrashingAfter(root)
    with pytest.raises(Crash):
        shelf.compact(LATER)
    assert found(shelf) == before
    shelf.close()


def test_a_hot_batch_that_cannot_be_read_hides_none_of_its_many_neighbours(root: Path) -> None:
    shelf = SqliteLogShelf(root)
    shelf.append([made([b"line %d" % number], source=f"s{number}") for number in range(600)], NOON)
    shelf.close()
    connection = sqlite3.connect(root / "hot.db")
    connection.execute("UPDATE hot SET data = x'00' WHERE seq = 100")
    connection.commit()
    connection.close()
    shelf = SqliteLogShelf(root)
    for _ in range(2):
        pages_ = pages(shelf, LogQuery(terms=(Term(b"line"),)))
        assert sum(len(page.items) for page in pages_) == 599
        assert {(one.where, one.records) for page in pages_ for one in page.scanned.damaged} == {("hot", 1)}
    shelf.close()


def test_a_batch_that_cannot_be_read_again_is_set_aside_and_said(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    shelf = SqliteLogShelf(root)
    shelf.append([made([b"good"]), made([b"bad"], source="x")], NOON)
    shelf.close()
    connection = sqlite3.connect(root / "hot.db")
    connection.execute("UPDATE hot SET data = x'00' WHERE seq = 2")
    connection.commit()
    connection.close()
    shelf = SqliteLogShelf(root)
    page = shelf.search(LogQuery())
    assert raws(page.items) == [b"good"]
    assert [one.where for one in page.scanned.damaged] == ["hot"]
    assert shelf.compact(LATER)
    assert "set aside" in caplog.text
    assert raws(found(shelf)) == [b"good"]
    shelf.close()
    connection = sqlite3.connect(root / "hot.db")
    assert connection.execute("SELECT seq FROM set_aside").fetchall() == [(2,)]
    connection.close()


def test_a_full_disk_refuses_with_a_sentence_and_heals_by_itself(root: Path) -> None:
    shelf = SqliteLogShelf(root)
    shelf.append([made([b"before"])], NOON)
    connection = shelf._hot._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    large = made([b"x" * 500_000], first=100)
    for _ in range(2):
        with pytest.raises(StoreFull, match="full"):
            shelf.append([large], NOON)
    assert raws(found(shelf)) == [b"before"]
    connection.execute("PRAGMA max_page_count = 1000000")
    assert shelf.append([large], NOON) == [Outcome(1, 0)]
    assert len(found(shelf)) == 2
    shelf.close()


def test_the_room_that_a_burst_took_is_given_back(root: Path) -> None:
    shelf = SqliteLogShelf(root)
    for part in range(50):
        shelf.append([made([b"x" * 1_000_000], source=f"s{part}")], NOON)
    assert (root / "hot.db").stat().st_size > 30_000_000
    while shelf.compact(LATER):
        pass
    shelf.append([made([b"end"])], NOON)
    assert (root / "hot.db-wal").stat().st_size < 20_000_000
    shelf.close()
    assert (root / "hot.db").stat().st_size < 20_000_000


def test_a_compactor_that_fails_leaves_everything_as_it_is(root: Path) -> None:
    class Failing(Inline):
        def do(self, job):  # type: ignore[no-untyped-def]
            raise Unavailable("no")

    shelf = SqliteLogShelf(root, Failing(root))
    shelf.append([made([b"one"])], NOON)
    with pytest.raises(Unavailable):
        shelf.compact(LATER)
    assert raws(found(shelf)) == [b"one"]
    assert shelf.append([made([b"two"], first=100)], NOON) == [Outcome(1, 0)]
    shelf.close()
