"""What every log shelf must keep: one suite for all of them (see `store/base.py`)."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgpack
import pytest

from nodeward.core import batch as wire
from nodeward.core.batch import Batch
from nodeward.core.errors import BadInput, NotFound
from nodeward.store.base import Effort, FieldTerm, LogQuery, LogShelf, Outcome, Term
from nodeward.store.logblocks import brake
from support.log_records import DAY, NOON, PATIENT, SECOND, Line, found, made, matches, pages, raws
from support.stores import STORES, log_shelf, uri_of

Opener = Callable[[], LogShelf]
LATER = NOON + 1000 * DAY  # everything is due for compaction by then


@pytest.fixture(params=STORES)
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Return what opens the same shelf again and again; what is open at the end is closed."""
    store = uri_of(request)
    opened: list[LogShelf] = []

    def again() -> LogShelf:
        if opened:
            opened.pop().close()
        opened.append(log_shelf(store, tmp_path / "logs"))
        return opened[-1]

    yield again
    if opened:
        opened.pop().close()


@pytest.fixture
def shelf(opener: Opener) -> LogShelf:
    return opener()


def compact_all(shelf: LogShelf) -> int:
    """Compact until there is nothing to do. Return how many units of work that were."""
    units = 0
    while shelf.compact(LATER):
        units += 1
        assert units < 1000
    return units


def seconds(count: int, *, begin: int = NOON, **more: object) -> list[Line]:
    """Return numbered lines, a second apart."""
    return [Line(b"line %d" % number, time=begin + number * SECOND, **more) for number in range(count)]  # type: ignore[arg-type]


@pytest.fixture(params=["hot", "compacted", "both"])
def settle(request: pytest.FixtureRequest) -> Callable[[LogShelf], None]:
    """Return what brings records where the test wants to read them: read must be the same everywhere."""

    def now(shelf: LogShelf) -> None:
        if request.param != "hot":
            compact_all(shelf)
        if request.param == "both":
            shelf.append([made([b"somebody else"], node="zz", source="zz")], NOON)

    return now


MINE = LogQuery(nodes=("web-1",))


# -- exactly once


def test_a_batch_sent_twice_is_stored_once(shelf: LogShelf) -> None:
    batch = made([b"one", b"two"])
    assert shelf.append([batch], NOON) == [Outcome(2, 0)]
    assert shelf.append([batch, batch], NOON) == [Outcome(0, 2), Outcome(0, 2)]
    assert raws(found(shelf)) == [b"two", b"one"]


def test_what_overlaps_is_cut_off_and_the_rest_is_stored(shelf: LogShelf, settle: Callable[[LogShelf], None]) -> None:
    lines = [Line(b"a%d" % n, NOON + n, text=f"text {n}", fields={"n": n}, error=f"e{n}") for n in range(5)]
    shelf.append([made(lines[:3])], NOON)
    assert shelf.append([made(lines)], NOON) == [Outcome(2, 3)]
    settle(shelf)
    rows = [one.record for one in found(shelf, MINE)]
    assert [(row.raw, row.message, row.fields, row.parse_error, row.offset) for row in rows] == [
        (b"a%d" % n, f"text {n}", {"n": n}, f"e{n}", n * 3) for n in (4, 3, 2, 1, 0)
    ]


def test_a_repeat_is_recognised_after_compaction_and_after_opening_again(opener: Opener) -> None:
    shelf = opener()
    batch = made([b"one", b"two"])
    shelf.append([batch], NOON)
    compact_all(shelf)
    assert shelf.append([batch], NOON) == [Outcome(0, 2)]
    assert opener().append([batch], NOON) == [Outcome(0, 2)]


def test_a_gap_in_the_offsets_is_accepted(shelf: LogShelf) -> None:
    shelf.append([made([b"one"])], NOON)
    assert shelf.append([made([b"two"], first=1000)], NOON) == [Outcome(1, 0)]
    assert shelf.append([made([b"late"], first=500)], NOON) == [Outcome(0, 1)]


def test_streams_have_cursors_of_their_own(shelf: LogShelf) -> None:
    for node in ("a", "b"):
        for source in ("x", "y"):
            for generation in ("1", "2"):
                batch = made([b"same"], node=node, source=source, generation=generation)
                assert shelf.append([batch], NOON) == [Outcome(1, 0)]
    assert len(found(shelf)) == 8


def test_many_senders_at_once_lose_and_duplicate_nothing(shelf: LogShelf) -> None:
    def send(node: str) -> None:
        for part in range(20):
            batch = made([b"%s %d" % (node.encode(), part)], node=node, first=part * 100)
            shelf.append([batch], NOON)
            shelf.append([batch], NOON)

    senders = [threading.Thread(target=send, args=(f"n{number}",)) for number in range(8)]
    for sender in senders:
        sender.start()
    while any(sender.is_alive() for sender in senders):
        shelf.compact(LATER)
    for sender in senders:
        sender.join()
    want = sorted(b"n%d %d" % (node, part) for node in range(8) for part in range(20))
    assert sorted(raws(found(shelf))) == want
    compact_all(shelf)
    assert sorted(raws(found(shelf))) == want


def test_the_same_sent_by_many_at_once_is_stored_once_and_each_is_told_of_his_own(shelf: LogShelf) -> None:
    batches = [made(seconds(5)), made(seconds(3), source="other")]
    told: list[list[Outcome]] = []

    def send(count: int) -> None:
        told.append(shelf.append(batches[:count], NOON))

    senders = [threading.Thread(target=send, args=(1 + number % 2,)) for number in range(8)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert sorted(map(len, told)) == [1] * 4 + [2] * 4
    for place, count in ((0, 5), (1, 3)):
        own = [each[place] for each in told if len(each) > place]
        assert own.count(Outcome(count, 0)) == 1
        assert own.count(Outcome(0, count)) == len(own) - 1
    assert len(found(shelf)) == 8


WRITER = """
import sys
from pathlib import Path
from support.log_records import DAY, NOON, made
from support.stores import log_shelf
shelf = log_shelf(sys.argv[1], Path(sys.argv[2]))
for part in range(int(sys.argv[3]), 100_000):
    shelf.append([made([b"%d %d" % (part, n) for n in range(5)], first=part * 100)], NOON)
    print(part, flush=True)
    if part % 3 == 0:
        shelf.compact(NOON + DAY)
"""


@pytest.mark.parametrize("kind", STORES)
def test_kills_at_any_moment_lose_and_duplicate_nothing_acknowledged(
    request: pytest.FixtureRequest, kind: str, tmp_path: Path
) -> None:
    store, place, begin = str(request.getfixturevalue(kind)) if kind == "mongodb" else "sqlite:", tmp_path / "logs", 0
    for acknowledged in (3, 7, 11, 13):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, store, str(place), str(begin)],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        assert process.stdout
        for _ in range(acknowledged):
            begin = int(process.stdout.readline())
        process.kill()
        begin = max([begin, *map(int, process.stdout.read().split())])
        process.stdout.close()
        process.wait()
    shelf = log_shelf(store, place)
    compact_all(shelf)
    got = [one.record.raw for one in found(shelf)]
    assert len(got) == len(set(got))
    assert set(got) >= {b"%d %d" % (part, n) for part in range(begin + 1) for n in range(5)}
    assert sum(total.records for total in shelf.sources()) == len(got)
    query = LogQuery(start=NOON - DAY, end=NOON + DAY)
    assert sum(sum(one.levels.values()) for one in shelf.histogram(query, 10, PATIENT).bins) == len(got)
    shelf.close()


# -- what contradicts itself


def spoilt(**changes: object) -> tuple[wire.Batch, bytes]:
    _, data = made([b"one", b"two"])
    body = msgpack.unpackb(data, strict_map_key=False)
    data = msgpack.packb({**body, **changes})
    ((batch, data),) = wire.decode(data)
    return batch, data


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"offsets": (4).to_bytes(8, "little") + (4).to_bytes(8, "little")}, "offsets do not grow"),
        ({"offsets": (4).to_bytes(8, "little") + (2**63).to_bytes(8, "little"), "end": 2**63 + 1}, "2\\^63"),
        ({"end": 4}, "end is not behind"),
        ({"ends": (3).to_bytes(4, "little") + (5).to_bytes(4, "little")}, "ends do not grow"),
        ({"ends": (9).to_bytes(4, "little") + (6).to_bytes(4, "little")}, "ends do not grow"),
        ({"message_ends": (9).to_bytes(4, "little") * 2}, "slice"),
        ({"message_starts": (3).to_bytes(4, "little") * 2, "message_ends": (2).to_bytes(4, "little") * 2}, "slice"),
        ({"texts": {0: 5}}, "texts"),
        ({"errors": {0: b"x"}}, "errors"),
        ({"fields": {0: "x"}}, "fields"),
        ({"fields": {0: {"a": b"bytes"}}}, "neither text"),
        ({"fields": {0: {5: "a"}}}, "neither text"),
    ],
)
def test_a_batch_that_contradicts_itself_is_refused_and_nothing_of_the_call_is_stored(
    shelf: LogShelf, changes: dict[str, object], says: str
) -> None:
    with pytest.raises(BadInput, match=says):
        shelf.append([made([b"good"], node="other"), spoilt(**changes)], NOON)
    assert found(shelf) == []
    assert shelf.append([made([b"one", b"two"])], NOON) == [Outcome(2, 0)]


# -- reading


def test_a_record_comes_back_as_it_was(shelf: LogShelf, settle: Callable[[LogShelf], None]) -> None:
    line = Line(
        b"Nov 24 sshd[7]: caf\xe9\nsecond \x00 line", NOON - 5, 3, "hösť", "sshd", 7, (16, 20), None,
        {"n": 1, "deep": {"a": [1.5, None, True]}}, "odd",
    )  # fmt: skip
    plain = Line(b"", wire.NO_TIME, 255, "", "", None)
    shelf.append([made([line, plain])], NOON)
    settle(shelf)
    second, first = found(shelf, MINE)
    assert second.record.time == second.record.received == NOON
    assert (second.record.raw, second.record.pid, second.record.level) == (b"", None, 255)
    assert first.record.message == "caf\\xe9"
    assert (first.record.raw, first.record.time, first.record.received) == (line.raw, NOON - 5, NOON)
    assert (first.record.node, first.record.source, first.record.generation) == ("web-1", "app", "g1")
    assert (first.record.host, first.record.ident, first.record.pid, first.record.level) == ("hösť", "sshd", 7, 3)
    assert (first.record.fields, first.record.parse_error) == (line.fields, "odd")
    assert (first.record.path, first.record.offset) == ("/var/log/app.log", 0)
    assert shelf.get(first.id) == first


def test_ids_stay_the_same_through_compaction_and_opening(opener: Opener) -> None:
    shelf = opener()
    shelf.append([made(seconds(50)), made(seconds(50), node="b")], NOON)
    before = found(shelf)
    compact_all(shelf)
    assert found(shelf) == before
    assert found(opener()) == before
    assert len({one.id for one in before}) == 100


@pytest.mark.parametrize("identifier", ["", "x", "1-", "-1-2", "zz-zz", "ffffffffffffffffffffff-1", "1-1", "a" * 5000])
def test_an_id_that_is_none_is_not_found(shelf: LogShelf, identifier: str) -> None:
    shelf.append([made([b"one"])], NOON)
    with pytest.raises(NotFound):
        shelf.get(identifier)
    with pytest.raises(NotFound):
        shelf.context(identifier, 1, 1)


def test_pages_go_on_where_the_one_before_ended_in_both_orders(
    shelf: LogShelf, settle: Callable[[LogShelf], None]
) -> None:
    same_time = [Line(b"same %d" % number) for number in range(7)]
    shelf.append([made([*seconds(10), *same_time]), made(seconds(10), source="other")], NOON)
    settle(shelf)
    newest = [one for page in pages(shelf, MINE, limit=3) for one in page.items]
    oldest = [one for page in pages(shelf, MINE, limit=4, newest_first=False) for one in page.items]
    assert newest == oldest[::-1]
    assert len({one.id for one in newest}) == 27
    assert [one.record.time for one in oldest] == sorted(one.record.time for one in oldest)
    assert all(page.complete for page in pages(shelf, MINE, limit=3, effort=PATIENT))


def test_a_cursor_that_is_none_is_refused(shelf: LogShelf) -> None:
    shelf.append([made(seconds(3))], NOON)
    page = shelf.search(LogQuery(), limit=1)
    for cursor in ("x", "%%%", "é", "ZDE", page.next[:-3] + "!!!" if page.next else ""):
        with pytest.raises(BadInput):
            shelf.search(LogQuery(), cursor=cursor)
    with pytest.raises(BadInput, match="other order"):
        shelf.search(LogQuery(), cursor=page.next, newest_first=False)


def test_a_late_record_is_found_in_its_place_whatever_day_it_is_of(
    shelf: LogShelf, settle: Callable[[LogShelf], None]
) -> None:
    shelf.append([made(seconds(3))], NOON)
    compact_all(shelf)
    days = [Line(b"day %d" % number, NOON - number * DAY) for number in (400, 3, 1)]
    shelf.append([made([*days, Line(b"1970", 0), Line(b"between", NOON + SECOND // 2)], generation="g2")], NOON)
    settle(shelf)
    want = [b"line 2", b"line 1", b"between", b"line 0", b"day 1", b"day 3", b"day 400", b"1970"]
    assert raws(found(shelf, MINE)) == want
    assert raws(found(shelf, MINE, limit=1)) == want
    day = LogQuery(nodes=("web-1",), start=NOON - 3 * DAY, end=NOON)
    assert raws(found(shelf, day)) == [b"day 1", b"day 3"]


def test_a_time_out_of_all_reason_is_taken_for_none(shelf: LogShelf) -> None:
    shelf.append([made([Line(b"far", 2**62), Line(b"before", -5)])], NOON)
    compact_all(shelf)
    assert {one.record.time for one in found(shelf)} == {NOON}


QUERIES: dict[str, tuple[LogQuery, set[int]]] = {
    "everything": (LogQuery(), {0, 1, 2, 3, 4}),
    "word": (LogQuery(terms=(Term(b"FAILED"),)), {0, 3}),
    "both words": (LogQuery(terms=(Term(b"failed"), Term(b"root"))), {0}),
    "no part of a word": (LogQuery(terms=(Term(b"fail"),)), set()),
    "prefix": (LogQuery(terms=(Term(b"fail", right=False),)), {0, 3, 4}),
    "suffix": (LogQuery(terms=(Term(b"ailed", left=False),)), {0, 3}),
    "part": (LogQuery(terms=(Term(b"ailover", left=False, right=False),)), {4}),
    "phrase": (LogQuery(terms=(Term(b"password for root"),)), {0}),
    "phrase with punctuation": (LogQuery(terms=(Term(b"10.0.0.1:443"),)), {1}),
    "number": (LogQuery(terms=(Term(b"443"),)), {1}),
    "number that begins so": (LogQuery(terms=(Term(b"10.0.0"),)), {1, 2}),
    "not across lines": (LogQuery(terms=(Term(b"root accepted"),)), set()),
    "exclusion": (LogQuery(terms=(Term(b"failed", exclude=True),)), {1, 2, 4}),
    "only exclusion of a part": (LogQuery(terms=(Term(b"e", True, False, False),)), set()),
    "bytes": (LogQuery(terms=(Term("Größe".encode()),)), {2}),
    "unescaped text": (LogQuery(terms=(Term("naïve".encode()),)), {3}),
    "host": (LogQuery(hosts=("db-1",)), {1}),
    "hosts": (LogQuery(hosts=("db-1", "db-2", "nobody")), {1, 2}),
    "host by pattern": (LogQuery(hosts=("d*-*",)), {1, 2}),
    "host of nobody": (LogQuery(hosts=("nobody",)), set()),
    "ident": (LogQuery(idents=("sshd",)), {0}),
    "levels": (LogQuery(levels=frozenset({0, 3})), {0}),
    "no level": (LogQuery(levels=frozenset({255})), {4}),
    "node": (LogQuery(nodes=("web-1",), sources=("app",)), {0, 1, 2, 3, 4}),
    "source": (LogQuery(sources=("other",)), set()),
    "regex": (LogQuery(regex=r"10\.0\.0\.\d:\d+$"), {1}),
    "regex at the beginning": (LogQuery(regex=r"^(Failed|Size)"), {0, 2}),
    "regex and word": (LogQuery(terms=(Term(b"failed"),), regex="r..t"), {0}),
    "field": (LogQuery(fields=(FieldTerm("status", "500"),)), {3}),
    "field of text": (LogQuery(fields=(FieldTerm("user", "ROOT"),)), {0}),
    "not that field": (LogQuery(fields=(FieldTerm("status", "500", True),)), {0, 1, 2, 4}),
    "range": (LogQuery(start=NOON + SECOND, end=NOON + 3 * SECOND), {1, 2}),
}


@pytest.mark.parametrize("name", QUERIES)
def test_a_search_finds_what_matches_and_nothing_else(
    shelf: LogShelf, settle: Callable[[LogShelf], None], name: str
) -> None:
    lines = [
        Line(b"Failed password for root", NOON, 3, "web-1", "sshd", fields={"user": "root"}),
        Line(b"accepted from 10.0.0.1:443", NOON + SECOND, 6, "db-1"),
        Line("Size: Größe of 10.0.0.22".encode(), NOON + 2 * SECOND, 5, "db-2"),
        Line(b'{"m":"na\\u00efve failed"}', NOON + 3 * SECOND, text="naïve failed", fields={"status": 500}),
        Line(b"failover_done e", NOON + 4 * SECOND, 255),
    ]
    shelf.append([made(lines)], NOON)
    settle(shelf)
    query, want = QUERIES[name]
    mine = [one for one in found(shelf, query) if one.record.node == "web-1"]
    assert {lines.index(next(line for line in lines if line.raw == raw)) for raw in raws(mine)} == want
    assert len(mine) == len(want)


def test_many_small_batches_are_searched_as_one_is(shelf: LogShelf) -> None:
    """There are some thousand of them where there are many nodes; what comes and what is compacted meanwhile changes nothing."""

    def batch(number: int) -> tuple[Batch, bytes]:
        moment, host = NOON + number * 7 % 500 * SECOND, f"h{number % 9}"
        lines = [Line(b"part %d of %d" % (row, number), moment, host=host) for row in (0, 1)]
        return made(lines, first=number * 100, source=f"s{number % 50}")

    queries = [
        LogQuery(),
        LogQuery(terms=(Term(b"of 77"),)),
        LogQuery(hosts=("h3",), terms=(Term(b"part 1"),)),
        LogQuery(start=NOON + 100 * SECOND, end=NOON + 130 * SECOND),
        LogQuery(sources=("s7",), terms=(Term(b"77", exclude=True),)),
    ]
    for first, count in ((0, 300), (300, 150), (450, 3)):
        shelf.append([batch(number) for number in range(first, first + count)], NOON)
        everything = found(shelf)
        assert len(everything) == 2 * (first + count)
        for query in queries:
            want = [one for one in everything if matches(query, one.record)]
            assert found(shelf, query) == want
            assert found(shelf, query, newest_first=False) == want[::-1]
    compact_all(shelf)
    assert found(shelf) == everything


def test_a_search_that_would_cost_too_much_answers_in_slices_that_lead_to_the_same(shelf: LogShelf) -> None:
    for part in range(12):  # three a day, and these overlap
        begin = NOON - (part // 3) * DAY + part * 50 * SECOND
        shelf.append([made(seconds(100, begin=begin), source=f"s{part}")], NOON)
        if part % 3 != 2:
            compact_all(shelf)
    query = LogQuery(terms=(Term(b"ine 4", left=False, right=False),))
    slices = pages(shelf, query, limit=1000, effort=Effort(bytes=1, seconds=60))
    assert len(slices) > 3
    assert not slices[0].complete
    assert slices[-1].complete
    together = [one for page in slices for one in page.items]
    assert together == found(shelf, query)
    assert len(together) == 12 * 11


def test_context_gives_the_neighbours_in_the_same_stream(shelf: LogShelf, settle: Callable[[LogShelf], None]) -> None:
    for part in range(4):
        lines = seconds(10, begin=NOON - part * DAY)  # the later in the file, the older their times
        renamed = [Line(b"%d%s" % (part, line.raw[4:]), line.time) for line in lines]
        shelf.append([made(renamed, first=part * 1000), made(lines, source="noise", first=part * 1000)], NOON)
        if part < 2:
            compact_all(shelf)
    settle(shelf)
    (middle,) = [one for one in found(shelf, LogQuery(sources=("app",))) if one.record.raw == b"2 0"]
    before, one, after = shelf.context(middle.id, 12, 11)
    assert one == middle
    assert raws(before) == [b"0 8", b"0 9", *(b"1 %d" % number for number in range(10))]
    assert raws(after) == [*(b"2 %d" % number for number in range(1, 10)), b"3 0", b"3 1"]
    assert shelf.context(middle.id, 0, 0) == ([], middle, [])


# -- following


def test_following_gives_records_in_the_order_of_arrival(shelf: LogShelf, settle: Callable[[LogShelf], None]) -> None:
    shelf.append([made([Line(b"new", NOON), Line(b"old", NOON - DAY)])], NOON)
    start = shelf.follow(LogQuery(), None, 10)
    assert raws(start.items) == [b"new", b"old"]
    shelf.append([made([Line(b"%d" % n, NOON - n * SECOND) for n in range(5)], source="x")], NOON)
    settle(shelf)
    first = shelf.follow(MINE, start.cursor, 2)
    second = shelf.follow(MINE, first.cursor, 10)
    assert (raws(first.items), raws(second.items)) == ([b"0", b"1"], [b"2", b"3", b"4"])
    assert first.skipped == second.skipped == 0
    last = shelf.follow(MINE, second.cursor, 10)
    assert (last.items, last.skipped) == ([], 0)
    assert last.cursor >= second.cursor


def test_following_gives_only_what_matches_and_moves_on_past_the_rest(shelf: LogShelf) -> None:
    start = shelf.follow(LogQuery(), None, 10)
    shelf.append([made([b"good", b"bad", b"bad"])], NOON)
    arrived = shelf.follow(LogQuery(terms=(Term(b"good"),)), start.cursor, 10)
    assert raws(arrived.items) == [b"good"]
    assert shelf.follow(LogQuery(), arrived.cursor, 10).items == []


def test_without_a_cursor_following_begins_with_the_newest(shelf: LogShelf, settle: Callable[[LogShelf], None]) -> None:
    shelf.append([made(seconds(20))], NOON)
    settle(shelf)
    arrived = shelf.follow(MINE, None, 3)
    assert raws(arrived.items) == [b"line 17", b"line 18", b"line 19"]
    assert shelf.follow(MINE, arrived.cursor, 3).items == []


def test_a_cursor_of_another_life_begins_at_the_present(shelf: LogShelf) -> None:
    shelf.append([made([b"one"])], NOON)
    arrived = shelf.follow(LogQuery(), 10**9, 10)
    assert (arrived.items, arrived.skipped) == ([], 0)
    shelf.append([made([b"two"], first=100)], NOON)
    assert raws(shelf.follow(LogQuery(), arrived.cursor, 10).items) == [b"two"]


def test_a_follower_too_far_behind_is_told_how_much_it_missed(shelf: LogShelf) -> None:
    start = shelf.follow(LogQuery(), None, 1).cursor
    for part in range(5):
        shelf.append([made([b"x"] * 10_000, first=part * 20_000)], NOON)
    arrived = shelf.follow(LogQuery(), start, 100)
    assert arrived.skipped > 0
    assert len(arrived.items) == 100
    rest, cursor = 100, arrived.cursor
    while more := shelf.follow(LogQuery(), cursor, 5000):
        if not more.items:
            break
        rest, cursor = rest + len(more.items), more.cursor
    assert arrived.skipped + rest == 50_000


def test_waiting_ends_when_something_arrives(shelf: LogShelf) -> None:
    cursor = shelf.follow(LogQuery(), None, 1).cursor
    assert shelf.wait(cursor, 0.01) is False
    woken: list[bool] = []
    waiter = threading.Thread(target=lambda: woken.append(shelf.wait(cursor, 100)))
    waiter.start()
    shelf.append([made([b"one"])], NOON)
    waiter.join()
    assert woken == [True]


# -- counting


def test_a_histogram_counts_every_record_of_the_range_by_level(
    shelf: LogShelf, settle: Callable[[LogShelf], None]
) -> None:
    lines = [Line(b"x", NOON + n * SECOND, level=n % 3) for n in range(1000)]
    shelf.append([made(lines)], NOON)
    settle(shelf)
    for start, end in ((NOON, NOON + 1000 * SECOND), (NOON + 7, NOON + 333 * SECOND + 1), (NOON + 59, NOON + 61)):
        for bins in (3, 20, 500):
            query = LogQuery(nodes=("web-1",), start=start, end=end)
            counted = shelf.histogram(query, bins, PATIENT)
            assert counted.exact
            assert len(counted.bins) <= bins
            assert (counted.bins[0].start, counted.bins[-1].end) == (start, end)
            for one in counted.bins:
                inside = [line for line in lines if one.start <= line.time < one.end]
                assert one.levels == {
                    level: count for level in range(3) if (count := sum(line.level == level for line in inside))
                }
            words = LogQuery(nodes=("web-1",), start=start, end=end, terms=(Term(b"y"),))
            assert sum(sum(one.levels.values()) for one in shelf.histogram(words, bins, PATIENT).bins) == 0


def test_a_histogram_that_would_cost_too_much_says_it_is_not_exact(shelf: LogShelf) -> None:
    for part in range(3):
        shelf.append([made(seconds(100), source=f"s{part}")], NOON)
        compact_all(shelf)
    query = LogQuery(start=NOON, end=NOON + 100 * SECOND, terms=(Term(b"line"),))
    assert shelf.histogram(query, 10, PATIENT).exact
    assert not shelf.histogram(query, 10, Effort(bytes=1)).exact


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("host", [("b", 20), ("a", 10)]),
        ("ident", [("cron", 30)]),
        ("node", [("web-1", 40)]),
        ("source", [("app", 40)]),
        ("level", [("info", 30), ("error", 10)]),
    ],
)
def test_the_most_frequent_values_come_first(
    shelf: LogShelf, settle: Callable[[LogShelf], None], name: str, want: list[tuple[str, int]]
) -> None:
    lines = [
        *seconds(20, host="b", ident="cron"), *seconds(10, host="a", level=3, ident="cron"), *seconds(10, host="")
    ]  # fmt: skip
    shelf.append([made(lines)], NOON)
    settle(shelf)
    query = LogQuery(nodes=("web-1",), start=NOON, end=NOON + DAY)
    top = shelf.top(query, name, 5, PATIENT)
    assert top.exact
    assert top.values == want
    assert shelf.top(query, name, 1, PATIENT).values == want[:1]
    nothing = LogQuery(nodes=("web-1",), start=NOON, end=NOON + DAY, terms=(Term(b"absent"),))
    assert shelf.top(nothing, name, 5, PATIENT).values == []


def test_the_totals_of_each_source_are_kept(opener: Opener) -> None:
    shelf = opener()
    shelf.append([made([Line(b"abc", NOON), Line(b"de", NOON - 5, error="odd")])], NOON)
    shelf.append([made([b"x"], node="b", source="y")], NOON)
    compact_all(shelf)
    first, second = opener().sources()
    assert (first.node, first.source, first.records, first.bytes, first.parse_errors) == ("b", "y", 1, 1, 0)
    assert (second.records, second.bytes, second.first, second.last, second.parse_errors) == (2, 5, NOON - 5, NOON, 1)


# -- upkeep


def test_compacting_is_one_unit_of_work_and_ends(shelf: LogShelf) -> None:
    assert shelf.compact(LATER) is False
    shelf.append([made(seconds(5))], NOON)
    assert shelf.compact(LATER) is True
    assert shelf.compact(LATER) is False


def test_many_small_senders_do_not_make_many_blocks(shelf: LogShelf) -> None:
    for part in range(70):
        shelf.append([made([Line(b"tick %d" % part, NOON + part)], node=f"n{part}")], NOON)
        shelf.compact(LATER)
    compact_all(shelf)
    page = shelf.search(LogQuery(terms=(Term(b"ick", left=False, right=False),)), limit=100, effort=PATIENT)
    assert len(page.items) == 70
    assert page.scanned.blocks < 20


def test_retention_removes_old_days_and_counts_them(opener: Opener) -> None:
    shelf = opener()
    for age in (5, 3, 0):
        then = NOON - age * DAY
        shelf.append([made(seconds(10, begin=then), source=f"d{age}")], then)
    compact_all(shelf)
    removed = shelf.retain(NOON - 2 * DAY, 10**12)
    assert (removed.records, len(removed.days)) == (10, 1)
    assert shelf.retain(NOON - 2 * DAY, 10**12).records == 10
    assert shelf.retain(NOON - 2 * DAY, 10**12).records == 0
    for opened_again in (False, True):
        again = opener() if opened_again else shelf
        assert {one.record.source for one in found(again)} == {"d0"}
        assert [total.source for total in again.sources()] == ["d0"]
        assert again.figures().records == 10


def test_an_old_record_that_came_just_now_is_kept_as_long_as_others(shelf: LogShelf) -> None:
    shelf.append([made([Line(b"clock stood still", 0)])], NOON - 9 * DAY)
    compact_all(shelf)
    shelf.append([made([Line(b"still does", 0)], first=100)], NOON)
    compact_all(shelf)
    while shelf.retain(NOON - DAY, 10**12).days:
        pass
    assert raws(found(shelf)) == [b"still does"]


def test_beyond_its_size_the_oldest_goes_first(shelf: LogShelf) -> None:
    for age in (2, 1, 0):
        shelf.append([made(seconds(500, begin=NOON - age * DAY), source=f"d{age}")], NOON)
    compact_all(shelf)
    assert shelf.retain(0, 10**12).records == 0
    removed = shelf.retain(0, 1)
    assert removed.records == 500
    assert {one.record.source for one in found(shelf)} == {"d0", "d1"}
    for _ in range(5):
        shelf.retain(0, 1)
    assert found(shelf) == []
    assert shelf.append([made([b"new"], first=10**6)], NOON) == [Outcome(1, 0)]


def test_a_sound_shelf_verifies(shelf: LogShelf, settle: Callable[[LogShelf], None]) -> None:
    shelf.append([made([Line(b"x %d" % n, NOON + n, fields={"n": n}) for n in range(3000)])], NOON)
    settle(shelf)
    assert list(shelf.verify()) == []


def test_where_more_comes_than_is_compacted_appending_waits_and_nothing_is_refused(
    opener: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brake, "MUCH", 50_000)
    monkeypatch.setattr(brake, "PATIENCE", 90.0)
    shelf = opener()
    for part in range(2):  # each finds less than much before it
        shelf.append([made([b"x" * 40_000], first=part * 50_000)], NOON)
    shelf = opener()  # it knows again how much waits
    outcomes: list[Outcome] = []
    sender = threading.Thread(target=lambda: outcomes.extend(shelf.append([made([b"y"], first=100_000)], NOON)))
    sender.start()
    sender.join(0.3)
    assert outcomes == []
    assert compact_all(shelf) > 0
    sender.join()
    assert outcomes == [Outcome(1, 0)]
    for part in range(2):
        shelf.append([made([b"z" * 40_000], first=150_000 + part * 50_000)], NOON)
    monkeypatch.setattr(brake, "PATIENCE", 0.01)
    assert shelf.append([made([b"end"], first=300_000)], NOON) == [Outcome(1, 0)]  # it waited long enough
    assert shelf.figures().records == 6


def test_the_figures_tell_what_is_stored_and_what_waits(shelf: LogShelf) -> None:
    shelf.append([made(seconds(10))], NOON)
    assert (shelf.figures().records, shelf.figures().backlog) == (10, 10)
    compact_all(shelf)
    assert (shelf.figures().records, shelf.figures().backlog) == (10, 0)
    assert shelf.figures().bytes > 0
