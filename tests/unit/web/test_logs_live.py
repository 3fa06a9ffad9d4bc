import pytest

from nodeward.core.errors import BadInput, Unavailable
from nodeward.web import live_logs
from nodeward.web.live_logs import Follower, normalised, room
from nodeward.web.log_lines import FRAME_LINES


def _record(number):
    return {
        "id": str(number), "time": f"2026-11-24T12:00:00.{number:06}Z", "node": "web-1", "source": "app", "host": None,
        "ident": None, "pid": None, "level": "info", "message": f"line {number}", "raw": f"line {number}", "parse_error": None,
    }  # fmt: skip


class LogServer:
    """Answers `follow` from a list of records, as the log server does."""

    def __init__(self, count, skip=0):
        self.records = [_record(number) for number in range(count)]
        self.skip = skip
        self.asked = []

    def get(self, _path, query, timeout=None):
        self.asked.append(query)
        if query.get("after") is None:
            return {"items": self.records[-query["limit"] :], "cursor": len(self.records), "skipped": 0}
        start = int(query["after"])
        skipped, self.skip = self.skip, 0
        items = self.records[start + skipped :][: query["limit"]]
        return {"items": items, "cursor": start + skipped + len(items), "skipped": skipped}


def _follower(server, filters=None):
    return Follower(lambda: server, filters or {}, monotonic=lambda: 0.0)


def _ids(page):
    return [item["line"][0] for item in page.items if "line" in item]


def test_without_a_cursor_it_begins_with_the_newest_lines():
    page = _follower(LogServer(1000))(None, 0)
    assert _ids(page) == [str(number) for number in range(1000 - live_logs.NEWEST, 1000)]
    assert page.cursor == "1000"


def test_after_a_cursor_it_goes_on_with_the_next_line():
    page = _follower(LogServer(50))("40", 20)
    assert _ids(page) == [str(number) for number in range(40, 50)]
    assert page.cursor == "50"


def test_a_burst_gives_its_newest_lines_with_a_gap_for_the_others():
    server = LogServer(3500)
    page = _follower(server)("0", 20)
    assert page.cursor == "3500"
    gap = page.items[0]["gap"]
    assert gap["skipped"] == 3500 - FRAME_LINES
    assert (gap["from"], gap["to"]) == ("2026-11-24T12:00:00.000000Z", f"2026-11-24T12:00:00.{3500 - FRAME_LINES:06}Z")
    assert _ids(page) == [str(number) for number in range(3500 - FRAME_LINES, 3500)]


def test_what_the_log_server_passed_over_is_in_the_gap():
    page = _follower(LogServer(100, skip=90))("0", 20)
    assert page.items[0]["gap"]["skipped"] == 90
    assert len(_ids(page)) == 10


def test_skipped_without_a_line_behind_is_told_too():
    page = _follower(LogServer(10, skip=10))("0", 20)
    assert [list(item) for item in page.items] == [["gap"]]


def test_a_long_poll_is_short_enough_for_a_room_that_is_left():
    server = LogServer(1)
    _follower(server)("0", 20)
    assert server.asked[0]["wait"] == live_logs.WAIT_SECONDS


def test_the_same_question_is_the_same_room_however_it_is_asked():
    assert room(normalised({"node": "a", "q": " x "})) == room(normalised({"q": "x", "node": "a", "host": ""}))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"node": "a"}, {"node": "b"}),
        ({"node": "a"}, {"host": "a"}),
        ({"node": "x&source=y"}, {"node": "x", "source": "y"}),
    ],
)
def test_different_questions_never_share_a_room(one, other):
    assert room(normalised(one)) != room(normalised(other))


@pytest.mark.parametrize("given", [{"nodes": "a"}, {"q": "x" * 5000}])
def test_filters_that_are_none_are_refused_with_a_sentence(given):
    with pytest.raises(BadInput, match=r"\.$"):
        normalised(given)


def test_a_question_is_asked_before_it_gets_a_room_and_an_absent_server_does_not_matter():
    class Away:
        def get(self, *_args, **_more):
            raise Unavailable("It is away.")

    live_logs.check(lambda: Away(), {"regex": "a"})
