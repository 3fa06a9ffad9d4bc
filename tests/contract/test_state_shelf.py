"""What every state shelf must keep: the contract of `store/base_states.py`, run against each backend."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nodeward.store.base_states import Change, EventQuery, Point, Retention, StateShelf
from nodeward.store.choose_states import open_states
from support.stores import STORES, uri_of

SECOND = 1_000_000
HOUR = 3600 * SECOND
NOW = 1_780_000_000 * SECOND // HOUR * HOUR + 30 * 60 * SECOND

Opener = Callable[[], StateShelf]


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> str:
    """Return the URI of an empty store."""
    return uri_of(request)


@pytest.fixture
def opener(store: str, tmp_path: Path) -> Iterator[Opener]:
    """Return a function that opens the same shelf, as often as a test restarts."""
    opened: list[StateShelf] = []

    def open_() -> StateShelf:
        opened.append(open_states(store, tmp_path))
        return opened[-1]

    yield open_
    for shelf in opened:
        shelf.close()


@pytest.fixture
def shelf(opener: Opener) -> StateShelf:
    return opener()


def event(number: int, at: int = NOW, kind: str = "state", **more: Any) -> dict[str, Any]:
    return {"id": number, "at": at, "type": kind, "node": "web-1", "service": "disk", "state_type": "hard", **more}


def flip(number: int, status: str = "waiting") -> dict[str, Any]:
    return {"id": number, "node": "web-1", "service": "disk", "status": status}


def delivery(number: int, of: int, status: str, contact: str = "ann") -> dict[str, Any]:
    return {"id": number, "flip": of, "contact": contact, "status": status, "lease": None}


def points(values: list[float | None], start: int, step: int = 60 * SECOND, **more: Any) -> list[Point]:
    about = {"node": "web-1", "service": "load", "label": "load1", "unit": "", "warning": "5", "critical": "10", **more}
    return [Point(**about, time=start + place * step, value=value) for place, value in enumerate(values)]


def test_what_was_written_is_loaded(opener: Opener) -> None:
    opener().write(
        Change(
            states={("web-1", None): {"state": "UP"}, ("web-1", "disk"): {"state": "Überlauf ☂"}},
            flips={1: flip(1), 2: flip(2, "told"), 3: flip(3, "held")},
            deliveries={1: delivery(1, 2, "waiting"), 2: delivery(2, 2, "sent")},
            downtimes={1: {"id": 1, "until": NOW}},
            cursors={("web-1", "g"): (7, NOW)},
            events=[event(9)],
            meta={"alive": NOW},
        )
    )
    loaded = opener().load()
    assert loaded.states == [{"state": "UP"}, {"state": "Überlauf ☂"}]
    assert [doc["id"] for doc in loaded.flips] == [1, 3]
    assert [doc["id"] for doc in loaded.deliveries] == [1]
    assert loaded.downtimes == [{"id": 1, "until": NOW}]
    assert loaded.cursors == {("web-1", "g"): (7, NOW)}
    assert (loaded.last_event, loaded.last_delivery, loaded.last_downtime) == (9, 2, 1)
    assert loaded.meta == {"alive": NOW}


def test_writing_the_same_again_alters_nothing(shelf: StateShelf) -> None:
    change = Change(
        states={("web-1", "disk"): {"state": "OK"}}, events=[event(1)], flips={1: flip(1)},
        deliveries={1: delivery(1, 1, "waiting")}, points=points([1.0], NOW),
    )  # fmt: skip
    shelf.write(change)
    first = (shelf.load(), shelf.events(EventQuery()), shelf.series(("web-1", "load"), 0, NOW + HOUR))
    shelf.write(change)
    assert (shelf.load(), shelf.events(EventQuery()), shelf.series(("web-1", "load"), 0, NOW + HOUR)) == first


def test_a_change_that_fails_leaves_nothing(shelf: StateShelf) -> None:
    broken = Change(states={("web-1", "disk"): {"state": "OK"}}, flips={1: {"id": 1, "status": "waiting"}})
    with pytest.raises(KeyError):
        shelf.write(broken)
    assert shelf.load().states == []
    shelf.write(Change(states={("web-1", "disk"): {"state": "OK"}}))
    assert shelf.load().states == [{"state": "OK"}]


def test_a_removed_state_leaves_its_events(shelf: StateShelf) -> None:
    shelf.write(Change(states={("web-1", "disk"): {"state": "OK"}}, events=[event(1)]))
    shelf.write(Change(removed={("web-1", "disk")}))
    assert shelf.load().states == []
    assert len(shelf.events(EventQuery(node="web-1"))) == 1


def test_events_are_paged_both_ways(shelf: StateShelf) -> None:
    shelf.write(Change(events=[event(number, NOW + number) for number in range(1, 11)]))
    assert [each["id"] for each in shelf.events(EventQuery(limit=3))] == [10, 9, 8]
    assert [each["id"] for each in shelf.events(EventQuery(before=8, limit=3))] == [7, 6, 5]
    assert [each["id"] for each in shelf.events(EventQuery(after=3, limit=3))] == [4, 5, 6]
    assert [each["id"] for each in shelf.events(EventQuery(since=NOW + 9))] == [10, 9]
    assert [each["id"] for each in shelf.events(EventQuery(until=NOW + 3))] == [2, 1]


def test_events_are_found_by_what_they_are_of(shelf: StateShelf) -> None:
    own = {**event(3), "service": None}
    shelf.write(Change(events=[event(1), event(2, kind="downtime"), own, {**event(4), "node": "db-1"}]))
    assert [each["id"] for each in shelf.events(EventQuery(node="web-1", own=True))] == [3]
    assert [each["id"] for each in shelf.events(EventQuery(types=("downtime", "x")))] == [2]
    assert [each["id"] for each in shelf.events(EventQuery(node="db-1", service="disk"))] == [4]


def test_state_events_of_a_range_begin_with_the_last_one_before_it(shelf: StateShelf) -> None:
    shelf.write(Change(events=[event(1, 10), event(2, 20), event(3, 15, "flapping"), event(4, 30), event(5, 40)]))
    assert [each["id"] for each in shelf.state_events(("web-1", "disk"), 25, 40)] == [2, 4]
    assert shelf.state_events(("web-1", None), 0, 100) == []


def test_flips_come_with_their_deliveries(shelf: StateShelf) -> None:
    shelf.write(
        Change(
            flips={1: flip(1, "told"), 2: flip(2)},
            deliveries={1: delivery(1, 1, "sent"), 2: delivery(2, 1, "failed", "bob")},
        )
    )
    found = shelf.flips(None, None, None, 10)
    assert [(each["id"], [one["status"] for one in each["deliveries"]]) for each in found] == [
        (2, []),
        (1, ["sent", "failed"]),
    ]
    assert shelf.told(("web-1", "disk"), 1) == ["ann"]
    assert shelf.told(("web-1", "disk"), 2) == []
    assert [each["id"] for each in shelf.flips(2, "web-1", "disk", 10)] == [1]


def test_points_read_the_same_before_and_after_packing(shelf: StateShelf) -> None:
    start = NOW - 3 * HOUR
    values: list[float | None] = [float(number % 7) if number % 11 else None for number in range(170)]
    shelf.write(Change(points=points(values, start)))
    key, until = ("web-1", "load"), NOW + HOUR
    before = [shelf.series(key, 0, until, step) for step in (None, 300, 3600)]
    assert before[0][0].points == [[start + place * 60 * SECOND, value] for place, value in enumerate(values)]
    while shelf.compact(NOW):
        pass
    assert [shelf.series(key, 0, until, step) for step in (None, 300, 3600)] == before
    assert before[0][0].warning == "5"


def test_a_point_that_comes_late_joins_its_packed_hour(shelf: StateShelf) -> None:
    start = NOW - 5 * HOUR
    shelf.write(Change(points=points([1.0, 2.0], start)))
    while shelf.compact(NOW):
        pass
    shelf.write(Change(points=points([9.0], start + 30 * SECOND)))
    while shelf.compact(NOW):
        pass
    (series,) = shelf.series(("web-1", "load"), 0, NOW)
    assert [value for _, value in series.points] == [1.0, 9.0, 2.0]
    (rolled,) = shelf.series(("web-1", "load"), 0, NOW, 3600)
    assert rolled.points[0][1:] == [4.0, 1.0, 9.0]


def test_what_is_too_old_goes_and_what_is_not_over_stays(shelf: StateShelf) -> None:
    old = NOW - 100 * 24 * HOUR
    shelf.write(
        Change(
            events=[event(1, old), event(2, old + 1), event(3, old + 2, "downtime"), event(4, NOW)],
            flips={1: flip(1, "told"), 2: flip(2, "held")},
            deliveries={1: delivery(1, 1, "sent")},
            points=points([1.0], old),
        )
    )
    while shelf.compact(NOW):
        pass
    day = 24 * HOUR
    shelf.expire(NOW, Retention(raw=2 * day, five_minutes=30 * day, hours=700 * day, events=50 * day))
    assert [each["id"] for each in shelf.events(EventQuery())] == [
        4,
        2,
    ]  # 2 says in which state the time after it began
    assert [each["id"] for each in shelf.flips(None, None, None, 10)] == [2]
    assert shelf.series(("web-1", "load"), 0, NOW)[0].points == []
    assert shelf.series(("web-1", "load"), 0, NOW, 3600)[0].points == [[old // HOUR * HOUR, 1.0, 1.0, 1.0]]


WRITER = """
import sys
from pathlib import Path
from nodeward.store.base_states import Change
from nodeward.store.choose_states import open_states
shelf = open_states(sys.argv[2], Path(sys.argv[1]))
for number in range(1, 1_000_000):
    flip = {"id": number, "node": "n", "service": None, "status": "waiting"}
    shelf.write(Change(states={("n", None): {"n": number}}, flips={number: flip}, cursors={("n", "g"): (number, 1)}))
    print(number, flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="SIGKILL as Linux has it")
def test_a_kill_leaves_whole_changes_and_all_that_were_acknowledged(store: str, tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), store], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    for _ in range(50):
        acknowledged = int(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    acknowledged = max([acknowledged, *map(int, process.stdout.read().split("\n")[:-1])])
    process.wait()
    process.stdout.close()
    shelf = open_states(store, tmp_path)
    loaded = shelf.load()
    shelf.close()
    (state,) = loaded.states
    assert state["n"] >= acknowledged
    assert state["n"] == loaded.flips[-1]["id"] == loaded.cursors["n", "g"][0]
