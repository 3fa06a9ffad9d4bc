"""The live bridge: who may listen, what reaches whom, what is left out, and coming back."""

import json
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest
from flask import Flask
from flask_socketio import SocketIO

from nodeward.core.errors import NotFound, Unavailable
from nodeward.web import live_runs
from nodeward.web.auth import Person
from nodeward.web.following import Page, Topic, cap
from nodeward.web.live import MAX_ROOMS_EACH, Live
from support.until import until


class News:
    """A server with a cursor: `tell` gives it news; asking waits for them."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.away = False
        self.asked = 0
        self._news = threading.Condition()

    def tell(self, *texts: str) -> None:
        """Have news."""
        with self._news:
            self.items += [{"id": len(self.items) + place, "text": text} for place, text in enumerate(texts)]
            self._news.notify_all()

    def follow(self, after: str | None, wait: float) -> Page:
        """Return what came after a cursor."""
        self.asked += 1
        if self.away:
            raise Unavailable("The server is away.")
        with self._news:
            if after is None:
                return Page([], str(len(self.items)))
            self._news.wait_for(lambda: len(self.items) > int(after) or self.away, timeout=min(wait, 0.5))
            return Page(self.items[int(after) :], str(len(self.items)))


class Stage:
    """The bridge with one kind of room, `news`, whose filter `only` picks items by their text."""

    def __init__(self) -> None:
        self.app = Flask("stage")
        self.app.secret_key = "key"
        self.person: Person | None = Person("vera", "viewer")
        self.news = News()
        self.sockets = SocketIO(self.app, async_mode="threading")
        self.live = Live(self.sockets, lambda: self.person)
        self.live.register("news", self._topic)

    def _topic(self, filters: dict[str, str]) -> Topic:
        only = filters.get("only")
        return Topic(
            f"news?{only}", "news", "newsroom", self.news.follow, lambda item: only is None or item["text"] == only
        )

    def browser(self) -> Any:
        """Return a connected browser."""
        return self.sockets.test_client(self.app)


@pytest.fixture
def stage() -> Iterator[Stage]:
    yield (made := Stage())
    made.news.away = True  # followers whose rooms are left end with their next question
    for source in list(made.live._sources.values()):
        source.rooms.clear()
    until(lambda: not made.live._sources)


def join(browser: Any, **asked: Any) -> dict[str, Any]:
    answer: dict[str, Any] = browser.emit("join", {"kind": "news", **asked}, callback=True)
    return answer


def frames(browser: Any) -> list[dict[str, Any]]:
    return [event["args"][0] for event in browser.get_received() if event["name"] == "frame"]


def wait_for_frames(browser: Any) -> list[dict[str, Any]]:
    return until(lambda: frames(browser))


def test_who_is_not_logged_in_is_not_connected(stage: Stage) -> None:
    stage.person = None
    assert not stage.browser().is_connected()


def test_whose_login_has_ended_joins_nothing(stage: Stage) -> None:
    browser = stage.browser()
    stage.person = None
    browser.emit("join", {"kind": "news"})
    until(lambda: not browser.is_connected())


def test_news_reach_those_who_have_it_on_screen_and_nobody_else(stage: Stage) -> None:
    here, elsewhere = stage.browser(), stage.browser()
    join(here, filters={"only": "a"})
    join(elsewhere, filters={"only": "b"})
    stage.news.tell("a")
    [frame] = wait_for_frames(here)
    assert [item["text"] for item in frame["items"]] == ["a"]
    assert frame["seq"] == 1
    stage.news.tell("b")
    wait_for_frames(elsewhere)
    assert frames(here) == []


def test_two_who_ask_the_same_share_a_room_and_one_follower(stage: Stage) -> None:
    first, second = stage.browser(), stage.browser()
    assert join(first)["room"] == join(second)["room"]
    assert len(stage.live._sources) == 1
    stage.news.tell("a")
    assert wait_for_frames(first) == wait_for_frames(second)


def test_nothing_is_followed_when_nobody_looks_any_more(stage: Stage) -> None:
    browser = stage.browser()
    room = join(browser)["room"]
    browser.emit("leave", room)
    until(lambda: not stage.live._sources)
    asked = stage.news.asked
    stage.news.tell("a")
    assert stage.news.asked == asked


def test_a_browser_that_vanishes_leaves_its_rooms(stage: Stage) -> None:
    browser = stage.browser()
    join(browser)
    browser.disconnect()
    until(lambda: not stage.live._sources)


def test_coming_back_brings_what_was_missed_since_the_cursor(stage: Stage) -> None:
    browser = stage.browser()
    before = join(browser)
    browser.emit("leave", before["room"])
    stage.news.tell("a", "b")
    back = join(browser, after=before["cursor"])
    assert [item["text"] for item in back["items"]] == ["a", "b"]
    assert not back["gap"]


def test_two_parts_of_a_page_that_look_at_the_same_leave_one_after_the_other(stage: Stage) -> None:
    browser = stage.browser()
    room = join(browser)["room"]
    join(browser)
    browser.emit("leave", room)
    stage.news.tell("a")
    assert wait_for_frames(browser)
    browser.emit("leave", room)
    until(lambda: not stage.live._sources)


def test_who_leaves_and_comes_back_while_news_pour_in_gets_each_once_and_in_order(stage: Stage) -> None:
    browser, other = stage.browser(), stage.browser()
    join(other)  # so that the source goes on meanwhile
    answer = join(browser)
    stop = threading.Event()

    def pour() -> None:
        for number in range(400):
            stage.news.tell(str(number))
            stop.wait(0.002)

    pouring = threading.Thread(target=pour)
    pouring.start()
    got: dict[int, None] = {}
    cursor = int(answer["cursor"])

    def take(news: dict[str, Any]) -> None:
        nonlocal cursor
        assert not news["gap"]
        assert news["skipped"] == 0
        got.update(dict.fromkeys(item["id"] for item in news["items"]))
        cursor = max(cursor, int(news["cursor"]))

    while pouring.is_alive():
        for frame in frames(browser):
            take(frame)
        browser.emit("leave", answer["room"])
        for frame in frames(browser):
            take(frame)
        stop.wait(0.03)
        answer = join(browser, after=str(cursor))
        take(answer)
    pouring.join()

    def everything() -> bool:
        for frame in frames(browser):
            take(frame)
        return len(got) == 400

    until(everything)
    assert list(got) == list(range(400))


def test_frames_are_numbered_without_a_gap(stage: Stage) -> None:
    browser = stage.browser()
    join(browser)
    numbers = []
    for text in "abc":
        stage.news.tell(text)
        numbers += [frame["seq"] for frame in wait_for_frames(browser)]
    assert numbers == [1, 2, 3]


def test_a_server_that_is_away_is_told_once_and_so_is_its_return(stage: Stage) -> None:
    browser = stage.browser()
    join(browser)
    stage.news.away = True
    stage.news.tell()
    told = until(lambda: [e["args"][0] for e in browser.get_received() if e["name"] == "upstream" and e["args"][0]])
    assert told[-1]["newsroom"]["ok"] is False
    assert told[-1]["newsroom"]["detail"] == "The server is away."
    stage.news.away = False
    told = until(lambda: [e["args"][0] for e in browser.get_received() if e["name"] == "upstream"])
    assert told[-1]["newsroom"]["ok"] is True
    stage.news.tell("a")
    assert wait_for_frames(browser)


@pytest.mark.parametrize("asked", [None, "x", {}, {"kind": 1}, {"kind": "none"}, {"kind": "news", "filters": []},
                                   {"kind": "news", "after": 7}, {"kind": "news", "after": "x"}])  # fmt: skip
def test_nonsense_is_answered_by_a_sentence(stage: Stage, asked: Any) -> None:
    answer = stage.browser().emit("join", asked, callback=True)
    assert answer["error"].endswith(".")


def test_one_tab_cannot_follow_everything(stage: Stage) -> None:
    browser = stage.browser()
    for number in range(MAX_ROOMS_EACH):
        assert "error" not in join(browser, filters={"only": str(number)})
    assert "too many" in join(browser, filters={"only": "more"})["error"]


def test_a_browser_that_does_not_keep_up_is_told_how_much_it_missed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = stage.browser()
    join(browser)
    waiting = [1000]
    monkeypatch.setattr(stage.live, "_waiting", lambda sid: waiting[0])
    stage.news.tell("a", "b")
    room = stage.live._sources["news"].rooms["news?None"]
    until(lambda: room.missed)
    assert room.seq == 1
    waiting[0] = 0
    stage.news.tell("c")
    events: list[dict[str, Any]] = []

    def two_came() -> bool:
        events.extend(each for each in browser.get_received() if each["name"] in ("missed", "frame"))
        return len(events) >= 2

    until(two_came)
    assert events[0]["args"][0] == {"room": "news?None", "seq": 1, "skipped": 2}
    assert events[1]["args"][0]["seq"] == 2


def test_a_frame_keeps_the_newest_and_counts_what_it_leaves_out() -> None:
    items = [{"id": number} for number in range(10)]
    assert cap(items, count=4) == (items[6:], 6)
    assert cap(items, count=100) == (items, 0)
    each = len(json.dumps(items[0]))
    assert cap(items, size=each * 3) == (items[7:], 7)


def test_one_item_larger_than_a_frame_is_sent_all_the_same() -> None:
    items = [{"text": "x" * 1000}]
    assert cap(items, size=10) == (items, 0)


def test_a_server_that_nobody_follows_any_more_is_told_of_no_longer(stage: Stage) -> None:
    browser, other = stage.browser(), stage.browser()
    stage.news.away = True
    room = join(browser)["room"]
    until(lambda: not stage.live.upstreams.all().get("newsroom", {"ok": True})["ok"])
    other.get_received()
    browser.emit("leave", room)
    until(lambda: {"name": "upstream", "args": [{}], "namespace": "/"} in other.get_received())
    assert stage.live.upstreams.all() == {}


@pytest.mark.parametrize("event", ["join", "leave"])
def test_an_event_without_what_belongs_to_it_harms_nothing(
    stage: Stage, event: str, caplog: pytest.LogCaptureFixture
) -> None:
    browser = stage.browser()
    browser.emit(event)
    browser.emit(event, 1, 2)
    assert not [record for record in caplog.records if record.exc_info]
    assert join(browser)["room"]


class _NoSuchRun:
    """The web's way to the nodes: there is none of them."""

    def node(self, name: str) -> Any:
        raise NotFound(f"There is no node '{name}'.")


def test_a_run_that_is_not_there_is_refused_and_nobody_is_told_that_its_node_is_away(stage: Stage) -> None:
    live_runs.mount(stage.live, cast(Any, _NoSuchRun()))
    answer = stage.browser().emit("join", {"kind": "run", "filters": {"node": "../x", "id": "y"}}, callback=True)
    assert answer["error"] == "There is no node '../x'."
    assert stage.live.upstreams.all() == {}
