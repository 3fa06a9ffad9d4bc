"""Where a source stands, what somebody missed, and what counts as a gap."""

from typing import Any

import pytest

from nodeward.core.errors import Unavailable
from nodeward.web import live_logs
from nodeward.web.following import CATCH_UP_PAGES, Page, Source, cap


class BusyServer:
    """A server whose news never end: each question finds `pace` more of them. It gives at most `limit` at a time."""

    def __init__(self, pace: int = 3, limit: int = 10) -> None:
        self.count = 100
        self.pace, self.limit = pace, limit
        self.away = False
        self.asked = 0

    def follow(self, after: str | None, wait: float) -> Page:
        """Return what came after a cursor."""
        self.asked += 1
        if self.away:
            raise Unavailable("The server is away.")
        self.count += self.pace
        if after is None:
            return Page([], str(self.count))
        end = min(self.count, int(after) + self.limit)
        return Page([{"id": number} for number in range(int(after) + 1, end + 1)], str(end))


@pytest.fixture
def server() -> BusyServer:
    return BusyServer()


def source(server: BusyServer) -> Source:
    return Source("news", "newsroom", server.follow)


def begun(server: BusyServer) -> Source:
    made = source(server)
    made.begin(None)
    return made


def ids(page: Page | None) -> list[int]:
    return [item["id"] for item in page.items] if page else []


def test_under_a_busy_log_what_comes_after_the_join_is_no_gap(server: BusyServer) -> None:
    here = begun(server)
    missed = here.since(str(int(here.cursor or 0) - 25))
    assert not missed.reset
    assert missed.skipped == 0
    assert ids(missed)[:25] == list(range(79, 104))
    assert server.asked == 4  # it ends at the moment of the join, though there is always more


def test_a_log_faster_than_it_can_be_read_is_no_gap_either(server: BusyServer) -> None:
    server.pace = server.limit * 5
    here = begun(server)
    missed = here.since(str(int(here.cursor or 0) - 12))
    assert not missed.reset
    assert ids(missed)[0] == int(here.cursor or 0) - 11


def test_what_is_missed_and_what_is_followed_next_meet_without_a_hole(server: BusyServer) -> None:
    here = begun(server)
    told = here.cursor
    missed = here.since(str(int(told or 0) - 5))
    following = here.next(0)
    assert following is not None
    assert set(ids(missed)) | set(ids(following)) >= set(range(int(told or 0) - 4, int(following.cursor) + 1))


def test_more_than_can_be_read_is_a_gap_and_the_cursor_goes_on_where_the_rooms_are(server: BusyServer) -> None:
    here = begun(server)
    far = int(here.cursor or 0)
    here.cursor = str(far + server.limit * CATCH_UP_PAGES + 1)
    missed = here.since(str(far))
    assert missed == Page([], here.cursor, reset=True)


def test_a_server_that_goes_away_in_the_middle_is_a_gap(server: BusyServer) -> None:
    here = begun(server)
    server.away = True
    assert here.since("3").reset
    assert not here.since(here.cursor or "").reset  # nothing was missed


def test_who_comes_while_the_server_is_away_misses_nothing_once_it_is_back(server: BusyServer) -> None:
    here = source(server)
    server.away = True
    assert here.begin("60") is None
    assert here.since("60") == Page([], "60")
    assert here.begin("50") is None
    assert server.asked == 1  # the others do not wait for it as well
    server.away = False
    assert ids(here.next(0)) == list(range(51, 61))


def test_who_comes_while_a_question_is_under_way_and_is_further_behind_is_not_passed_over(server: BusyServer) -> None:
    here = source(server)
    server.away = True
    here.begin("60")
    server.away = False
    asked = here.follow

    def meanwhile(after: str | None, wait: float) -> Page:
        here.follow = asked
        here.begin("40")
        return asked(after, wait)

    here.follow = meanwhile
    assert here.next(0) is None
    assert ids(here.next(0))[0] == 41


def test_where_things_stand_is_asked_once(server: BusyServer) -> None:
    here = source(server)
    assert here.begin(None) == Page([], "103")
    assert here.begin("7") is None
    assert here.cursor == "103"


def test_a_gap_that_does_not_fit_counts_for_the_lines_in_its_place() -> None:
    items: list[dict[str, Any]] = [{"gap": {"skipped": 5000}}, *({"line": [number]} for number in range(500))]
    kept, left_out = cap(items, live_logs.amount)
    assert (len(kept), left_out) == (500, 5000)
