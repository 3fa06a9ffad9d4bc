"""Several programs on one database: log servers share it, a second monitor is refused; nothing is lost or there twice."""

import threading
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from nodeward.core.errors import Unavailable
from nodeward.store import mongodb_logs
from nodeward.store.base import LogQuery, Outcome
from nodeward.store.base_states import Change
from nodeward.store.choose_logs import log_shelf
from nodeward.store.choose_states import open_states
from nodeward.store.mongodb import number_id
from support.log_records import DAY, NOON, PATIENT, SECOND, found, made, raws

pytestmark = pytest.mark.mongodb


def test_two_log_servers_that_are_sent_the_same_store_it_once_in_one_order(mongodb: str, tmp_path: Path) -> None:
    batches = [made([b"%d %d" % (part, n) for n in range(3)], first=part * 100) for part in range(15)]
    with ExitStack() as stack:
        shelves = [stack.enter_context(closing(log_shelf(mongodb, tmp_path))) for _ in range(2)]

        def send(number: int) -> None:
            for part, batch in enumerate(batches):
                shelves[number].append([batch], NOON)
                if part % 4 == number:
                    shelves[number].compact(NOON + DAY)

        senders = [threading.Thread(target=send, args=(number,)) for number in range(2)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        while max(shelf.compact(NOON + DAY) for shelf in shelves):  # each, not the first that has work
            pass
        want = [b"%d %d" % (part, n) for part in range(15) for n in range(3)]
        for shelf in shelves:
            assert sorted(raws(found(shelf))) == sorted(want)
            assert raws(shelf.follow(LogQuery(), 0, 1000).items) == want
            assert [total.records for total in shelf.sources()] == [45]
            query = LogQuery(start=NOON - DAY, end=NOON + DAY)
            assert sum(sum(one.levels.values()) for one in shelf.histogram(query, 10, PATIENT).bins) == 45


@pytest.mark.parametrize("after", ["the mark was read", "the batches were read"])
def test_what_another_log_server_folds_meanwhile_is_counted_once(
    after: str, mongodb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile() -> None:
        """Fold all there is, take in more, and begin a fold that is left to whoever comes next."""
        monkeypatch.undo()
        while quick.compact(NOON + DAY):
            pass
        quick.append([made([b"4", b"5"], first=300)], NOON)
        state = quick._batches.state
        assert quick._batches.begin_fold(state.compacted, state.next_seq)

    with closing(log_shelf(mongodb, tmp_path)) as quick, closing(log_shelf(mongodb, tmp_path)) as slow:
        for part in range(3):
            slow.append([made([b"%d" % part], first=100 * part)], NOON)
        name = "fold" if after == "the mark was read" else "catch_up"
        step = getattr(slow._batches, name)

        def step_then_meanwhile() -> Any:
            done = step()
            meanwhile()
            return done

        monkeypatch.setattr(slow._batches, name, step_then_meanwhile)
        slow.compact(NOON + DAY)
        while max(shelf.compact(NOON + DAY) for shelf in (slow, quick)):
            pass
        for shelf in (slow, quick):
            assert raws(shelf.follow(LogQuery(), 0, 1000).items) == [b"0", b"1", b"2", b"4", b"5"]
            assert [total.records for total in shelf.sources()] == [5]
            query = LogQuery(start=NOON - DAY, end=NOON + DAY)
            assert sum(sum(one.levels.values()) for one in shelf.histogram(query, 10, PATIENT).bins) == 5


def test_what_is_stored_while_another_log_server_looks_is_known_to_it_once(
    mongodb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(log_shelf(mongodb, tmp_path)) as quick, closing(log_shelf(mongodb, tmp_path)) as slow:
        quick.append([made([b"1"], first=100)], NOON)
        table = slow._batches.table
        look = table.find_one

        def look_then_meanwhile(*words: Any, **named: Any) -> Any:
            found = look(*words, **named)
            monkeypatch.undo()
            quick.append([made([b"2"], first=200)], NOON)
            return found

        monkeypatch.setattr(table, "find_one", look_then_meanwhile)
        slow._batches.state = slow._batches._load()
        slow.append([made([b"3"], first=300)], NOON)
        assert raws(slow.follow(LogQuery(), 0, 1000).items) == [b"1", b"2", b"3"]
        while slow.compact(NOON + DAY):
            pass
        assert [total.records for total in slow.sources()] == [3]
        assert list(slow.verify()) == []


def test_a_fold_that_is_finished_by_whoever_starts_keeps_the_places_of_its_batches(
    mongodb: str, tmp_path: Path
) -> None:
    with closing(log_shelf(mongodb, tmp_path)) as quick, closing(log_shelf(mongodb, tmp_path)) as away:
        quick.append([made([b"1"], first=100)], NOON)
        state = quick._batches.state
        assert quick._batches.begin_fold(state.compacted, state.next_seq)
        with closing(log_shelf(mongodb, tmp_path)) as started:
            for part in (2, 3):
                started.append([made([b"%d" % part], first=100 * part)], NOON)
                while started.compact(NOON + DAY):
                    pass
        away.append([made([b"4"], first=400)], NOON)
        for shelf in (away, quick):
            shelf.compact(NOON + DAY)
        assert sorted(raws(found(away))) == [b"1", b"2", b"3", b"4"]


def test_log_servers_whose_clocks_differ_by_an_hour_lose_nothing_and_store_once(mongodb: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        slow, right, ahead = (stack.enter_context(closing(log_shelf(mongodb, tmp_path))) for _ in range(3))
        slow.append([made([b"0"])], NOON)
        right.append([made([b"1"], first=100)], NOON)
        while right.compact(NOON + 10 * SECOND):
            pass
        ahead.append([made([b"2"], first=200)], NOON + 3600 * SECOND)
        while ahead.compact(NOON + 3610 * SECOND):
            pass
        assert slow._batches.table.find_one({"_id": number_id(slow._batches.state.next_seq)}) is None  # given back
        repeated, new = slow.append([made([b"1"], first=100), made([b"3"], first=300)], NOON)
        assert (repeated, new) == (Outcome(0, 1), Outcome(1, 0))
        assert slow.wait(3, 0)
        for shelf in (slow, right, ahead):
            while shelf.compact(NOON + 3620 * SECOND):
                pass
            assert raws(shelf.follow(LogQuery(), 0, 1000).items) == [b"0", b"1", b"2", b"3"]
            assert [total.records for total in shelf.sources()] == [4]
            assert list(shelf.verify()) == []


def test_what_another_log_server_folds_before_its_writer_looks_is_there_once(
    mongodb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(log_shelf(mongodb, tmp_path)) as quick, closing(log_shelf(mongodb, tmp_path)) as slow:
        look = slow._batches._marks.find_one

        def meanwhile_then_look(*words: Any, **named: Any) -> Any:
            monkeypatch.undo()
            while quick.compact(NOON + DAY):
                pass
            return look(*words, **named)

        monkeypatch.setattr(slow._batches._marks, "find_one", meanwhile_then_look)
        (outcome,) = slow.append([made([b"1", b"2"])], NOON)
        assert outcome == Outcome(0, 2)  # it is there, and nobody can tell whose it was
        assert slow.wait(0, 0)
        for shelf in (slow, quick):
            assert raws(shelf.follow(LogQuery(), 0, 1000).items) == [b"1", b"2"]
            assert [total.records for total in shelf.sources()] == [2]
            assert list(shelf.verify()) == []


def test_what_one_commit_stored_is_folded_as_a_whole(
    mongodb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongodb_logs, "FOLD_ROWS", 4)
    batches = [made([b"%d %d" % (part, n) for n in range(3)], source=f"s{part}") for part in range(4)]
    with closing(log_shelf(mongodb, tmp_path)) as shelf:
        shelf.append(batches, NOON)
        assert shelf.compact(NOON)
    with closing(log_shelf(mongodb, tmp_path)) as shelf:
        for _ in range(2):
            assert len(found(shelf)) == 12
            assert [total.records for total in shelf.sources()] == [3] * 4
            assert list(shelf.verify()) == []
            shelf.compact(NOON + DAY)


def test_what_another_log_server_has_folded_just_now_is_found(mongodb: str, tmp_path: Path) -> None:
    with closing(log_shelf(mongodb, tmp_path)) as one, closing(log_shelf(mongodb, tmp_path)) as other:
        one.append([made([b"1", b"2"])], NOON)
        other._batches.catch_up()
        while one.compact(NOON + DAY):
            pass
        assert raws(found(other)) == [b"2", b"1"]
        assert raws(other.follow(LogQuery(), 0, 10).items) == [b"1", b"2"]


def test_a_second_monitor_on_the_same_database_is_told_so_and_changes_nothing(mongodb: str, tmp_path: Path) -> None:
    with closing(open_states(mongodb, tmp_path)) as first, closing(open_states(mongodb, tmp_path)) as second:
        first.write(Change(states={("a", None): {"by": "first"}}))
        with pytest.raises(Unavailable, match="Another monitor"):
            second.write(Change(states={("a", None): {"by": "second"}}))
        first.write(Change(meta={"alive": NOON}))
        assert first.load().states == [{"by": "first"}]
