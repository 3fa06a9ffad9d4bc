"""The page of rollouts: batches, tiles, differences; starting and aborting; who may."""

from nodeward.core import clock
from nodeward.web.live_rollouts import rollouts_after
from nodeward.web.pages.rollouts import batches, compared, in_sight, lines
from support.web import Web, post


def test_nodes_stand_in_their_batches_canary_first_and_those_without_last():
    nodes = {
        "a": {"state": "due"}, "b": {"state": "healthy", "batch": 1}, "c": {"state": "current"},
        "d": {"state": "staged", "batch": 2}, "e": {"state": "failed"},
    }  # fmt: skip
    found = [(batch["title"], [each["node"] for each in batch["nodes"]]) for batch in batches(nodes)]
    assert found == [("Canary", ["b"]), ("Batch 2", ["d"]), ("Waiting", ["a", "e"]), ("Up to date", ["c"])]


def test_files_are_compared_line_by_line_and_one_that_is_the_same_has_no_lines():
    before, after = {"files": {"a": "1\n2\n", "b": "x"}}, {"files": {"a": "1\n3\n", "b": "x", "c": "new"}}
    assert compared(before, after) == [
        ("a", [("title", "@@ -1,2 +1,2 @@"), ("same", "1"), ("removed", "2"), ("added", "3")]),
        ("b", []),
        ("c", [("title", "@@ -0,0 +1 @@"), ("added", "new")]),
    ]
    assert lines("+++ b\n") == [("title", "+++ b")]


def test_the_page_shows_the_one_that_runs_and_how_every_node_stands(web: Web) -> None:
    text = web.visitor("otto").get("/rollouts").text
    assert 'data-tile="web-2" data-state="rolled back"' in text and "it was &lt;not&gt; well" in text
    assert "1 of 3 nodes wait for one" in text and "changed by hand" in text
    assert "/rollouts/preview/web-1" in text
    one = web.visitor("otto").get("/rollouts/2").text
    assert '<span class="added">+ 2</span>' in one and "PLAY [Roll out]" in one
    assert web.visitor("otto").get("/rollouts/99").status_code == 404


def test_one_that_has_ended_stays_in_sight_for_a_while_unless_another_runs() -> None:
    ended = {"id": 2, "state": "done", "ended": "2026-01-01T12:00:00Z"}
    now = clock.parse_rfc3339("2026-01-01T12:09:00Z")
    assert in_sight([ended], now) == ended
    assert in_sight([ended], now + 60 * 1_000_000) is None
    assert in_sight([], now) is None
    running = {"id": 1, "state": "running", "ended": None}
    assert in_sight([ended, running], now) == running


def test_an_operator_starts_and_aborts_one_and_a_viewer_sees_nothing_of_it(web: Web) -> None:
    otto = web.visitor("otto")
    answer = post(otto, "/rollouts/start", {"action": "rollout", "limit": "web", "canary": 2, "now": True})
    assert answer.get_json()["message"] == "Rollout 3 has started."
    assert post(otto, "/rollouts/2/abort", {}).status_code == 200
    assert web.config.ordered == [{"action": "rollout", "limit": "web", "canary": 2, "now": True}, {"abort": 2}]
    assert post(otto, "/rollouts/start", {"action": "dance"}).status_code == 422
    vera = web.visitor("vera")
    assert "/rollouts" not in vera.get("/").text
    assert vera.get("/rollouts").status_code == 403
    assert post(vera, "/rollouts/start", {}).status_code == 403
    assert len(web.config.ordered) == 2


def test_the_room_follows_by_cursor_and_leaves_long_texts_to_the_page(web: Web) -> None:
    follow = rollouts_after(lambda: web.app.extensions["backends"].server("configserver"))
    assert (follow(None, 0).items, follow(None, 0).cursor) == ([], "2")
    assert [(item["seq"], "diff" in item) for item in follow("0", 0).items] == [(1, False), (2, False)]
