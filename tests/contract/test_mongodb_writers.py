"""Several programs on one database: log servers share it, a second monitor is refused; nothing is lost or there twice."""

import threading
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from nodeward.core.errors import Unavailable
from nodeward.store.base import LogQuery
from nodeward.store.base_states import Change
from nodeward.store.choose_logs import log_shelf
from nodeward.store.choose_states import open_states
from support.log_records import DAY, NOON, found, made, raws

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
            assert sum(sum(one.levels.values()) for one in shelf.histogram(query, 10).bins) == 45


def test_a_second_monitor_on_the_same_database_is_told_so_and_changes_nothing(mongodb: str, tmp_path: Path) -> None:
    with closing(open_states(mongodb, tmp_path)) as first, closing(open_states(mongodb, tmp_path)) as second:
        first.write(Change(states={("a", None): {"by": "first"}}))
        with pytest.raises(Unavailable, match="Another monitor"):
            second.write(Change(states={("a", None): {"by": "second"}}))
        first.write(Change(meta={"alive": NOON}))
        assert first.load().states == [{"by": "first"}]
