"""Every page with a fleet, with trouble, and with servers that are away."""

import pytest

from nodeward.web.security import HEADERS
from support.web import Web, post

PAGES = [
    "/", "/problems", "/problems?show=all", "/nodes", "/nodes?q=web-1&state=UP", "/nodes/web-1", "/nodes/web-1?tab=graphs",
    "/nodes/web-1?tab=logs", "/nodes/web-1?tab=logs&level=all",
    "/nodes/web-1?tab=history", "/nodes/web-1?tab=programs", "/nodes/web-1?tab=information", "/services/web-1/load",
    "/configuration", "/configuration/check", "/configuration/node/web-1", "/configuration/node/+new", "/revisions",
    "/programs", "/rollouts", "/rollouts/2", "/rollouts/preview/web-1", "/notifications", "/audit", "/settings", "/logs",
    "/logs/split?pane=node:web-1&pane=",
]  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_every_page_shows_and_carries_the_headers_that_guard_it(web: Web, path: str) -> None:
    answer = web.visitor("ada").get(path)
    assert answer.status_code == 200, answer.text
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert "<script>" not in answer.text
    assert "style=" not in answer.text
    assert "onclick" not in answer.text


@pytest.mark.parametrize("path", PAGES)
def test_no_page_breaks_while_monitor_is_away(web: Web, path: str) -> None:
    web.fleet.away = True
    answer = web.visitor("ada").get(path)
    assert answer.status_code in (200, 503), answer.text
    if path in ("/", "/problems", "/nodes", "/services/web-1/load"):
        assert "The monitor is being restarted." in answer.text


def test_a_page_that_does_not_exist_says_so_in_the_frame_of_all_pages(web: Web) -> None:
    answer = web.visitor("vera").get("/nothing")
    assert answer.status_code == 404
    assert "There is no such page." in answer.text
    assert 'aria-label="Pages"' in answer.text


def test_only_the_changing_part_is_sent_where_the_browser_refreshes_it(web: Web) -> None:
    answer = web.visitor("vera").get("/problems", headers={"X-Fragment": "1"})
    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert "<h1>Problems</h1>" in answer.text


def test_what_a_check_printed_is_text_and_never_markup(web: Web) -> None:
    web.fleet.set_state("web-1", "load", "CRITICAL", "<img src=x onerror=alert(1)>")
    for path in ("/", "/problems", "/nodes/web-1", "/services/web-1/load"):
        text = web.visitor("vera").get(path).text
        assert "&lt;img src=x" in text
        assert "<img" not in text


def test_a_viewer_is_shown_no_button_that_would_be_refused(web: Web) -> None:
    web.fleet.set_state("web-1", "load", "CRITICAL", "too much")
    assert "data-act" not in web.visitor("vera").get("/problems").text
    assert "data-act" in web.visitor("otto").get("/problems").text
    assert "Audit" not in web.visitor("vera").get("/").text
    assert "Tokens" not in web.visitor("otto").get("/settings").text


def test_an_acknowledgement_reaches_the_monitor_in_the_persons_own_name(web: Web) -> None:
    web.fleet.set_state("web-1", "load", "CRITICAL", "too much")
    body = {"targets": [{"node": "web-1", "service": "load"}], "comment": "on it", "expires": "1h"}
    answer = post(web.visitor("otto"), "/do/acknowledge", body)
    assert answer.json == {"message": "Acknowledged: web-1 · load."}
    [(what, sent)] = web.fleet.asked
    assert what == "POST /api/v1/acknowledgements"
    assert sent["for"] == "otto; role=operator; from=127.0.0.1"
    assert sent["items"] == [{"node": "web-1", "service": "load", "comment": "on it", "expires": "1h"}]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"targets": []},
        {"targets": [{"node": ""}]},
        {"targets": "web-1"},
        {"targets": [{"node": "a"}], "length": "long"},
    ],
)
def test_nonsense_is_answered_by_a_sentence(web: Web, body: dict[str, object]) -> None:
    answer = post(web.visitor("otto"), "/do/downtime", body)
    assert answer.status_code == 422
    assert answer.json["detail"]


@pytest.mark.parametrize("path", ["/do/run", "/do/acknowledge", "/rollouts/start", "/settings/password"])
def test_json_that_is_nested_too_deeply_is_answered_by_a_sentence(web: Web, path: str) -> None:
    visitor = web.visitor("otto")
    headers = {
        "X-CSRF-Token": post(visitor, "/do/downtime", {}).request.headers["X-CSRF-Token"],
        "Accept": "application/json",
    }
    answer = visitor.post(path, data="[" * 100_000, headers=headers, content_type="application/json")
    assert answer.status_code in (400, 422)
    assert answer.json["detail"]


def test_the_search_finds_nodes_and_services(web: Web) -> None:
    found = web.visitor("vera").get("/search?q=web-1", headers={"Accept": "application/json"}).json["items"]
    assert found[0] == {"url": "/nodes/web-1", "name": "web-1", "what": "127.0.0.1", "state": "UP"}


def test_the_map_tells_each_nodes_worst_state(web: Web) -> None:
    web.fleet.set_state("web-2", "load", "WARNING", "much")
    web.fleet.set_state("web-2", "ssh", "CRITICAL", "refused")
    nodes = web.visitor("vera").get("/fleet").json["nodes"]
    assert ["web-2", "linux", "critical", 2] in nodes
    assert ["web-1", "linux", "ok", 0] in nodes


def test_no_page_says_that_a_state_became_itself_and_one_is_one(web: Web) -> None:
    web.fleet.set_state("web-1", "load", "WARNING", "much", state_type="soft", attempt=1)
    web.fleet._note("state", {**web.fleet.states["web-1", "load"], "attempt": 2}, before="WARNING")
    text = web.visitor("vera").get("/services/web-1/load").text
    assert "WARNING → " not in text
    assert "still, attempt 2 of 3" in text
    assert "OK → <strong>WARNING</strong>" in text


def test_the_overview_says_what_was_told_to_whom_and_whether(web: Web) -> None:
    row = web.fleet.states["web-1", "load"] | {"state": "CRITICAL", "output": ""}
    to = {"contact": "ann", "channel": "email", "target": "ann@example.org", "kind": "problem"}
    web.fleet._note("notification", row, **to, status="sent", error="")
    web.fleet._note("notification", row, **to, status="failed", error="550 no such person")
    text = web.visitor("vera").get("/").text
    assert "<strong>CRITICAL</strong> problem told to ann by email (ann@example.org)" in text
    assert "problem could not be told to ann by email (ann@example.org)" in text
    assert "550 no such person" in text


def test_a_notification_is_listed_with_when_it_was_sent_and_since_when_the_state_is(web: Web) -> None:
    began, sent = "2026-01-02T03:04:05Z", "2026-01-02T03:09:05Z"
    delivery = {
        "contact": "ann",
        "channel": "email",
        "target": "ann@example.org",
        "status": "sent",
        "sent": sent,
        "error": "",
    }
    flip = {
        "id": 2,
        "at": began,
        "node": "web-1",
        "service": "load",
        "kind": "problem",
        "state": "CRITICAL",
        "reason": "",
    }
    held = {**flip, "id": 1, "status": "held", "reason": "It is flapping.", "sent": None, "deliveries": []}
    web.fleet.notifications = [{**flip, "status": "told", "sent": sent, "deliveries": [delivery]}, held]
    first, second = web.visitor("vera").get("/notifications").text.split("<li>")[-2:]
    assert first.index("03:09:05 UTC") < first.index("since") < first.index("03:04:05 UTC")
    assert "not sent" in second and "03:09:05 UTC" not in second and "held: It is flapping." in second


def test_a_nodes_logs_are_its_last_errors_live_and_its_sources_with_links_to_their_lines(web: Web) -> None:
    first, last = "2026-01-02T03:04:05Z", "2026-01-02T03:09:05Z"
    row = {
        "node": "web-1",
        "source": "auth",
        "records": 1200,
        "bytes": 64_000,
        "first": first,
        "last": last,
        "parse_errors": 3,
    }
    other = {**row, "node": "web-2", "source": "elsewhere"}
    web.fleet.sources = [row, {**row, "source": "nginx", "records": 1, "parse_errors": 0, "last": first}, other]
    text = web.visitor("vera").get("/nodes/web-1?tab=logs").text
    assert 'data-tail data-level="error"' in text and "2 sources, 1,201 lines" in text
    assert text.index(">auth</a>") < text.index(">nginx</a>") and "elsewhere" not in text
    assert 'href="/logs?node=web-1&amp;source=auth"' in text and "3 unparsed" in text
    every = web.visitor("vera").get("/nodes/web-1?tab=logs&level=all").text
    assert 'data-level=""' in every and 'href="/logs?node=web-1"' in every
    assert web.visitor("vera").get("/nodes/web-1?tab=logs&level=nonsense").status_code == 404


def test_a_node_that_cannot_come_in_is_told_what_to_do_on_every_tab(web: Web) -> None:
    web.config.standing[0]["credential"] = "The credential of node 'web-1' ended; <remove> it."
    for tab in ("services", "logs", "information"):
        text = web.visitor("vera").get(f"/nodes/web-1?tab={tab}").text
        assert text.count("The credential of node &#39;web-1&#39; ended; &lt;remove&gt; it.") == 1
    assert "The credential of node" not in web.visitor("vera").get("/nodes/web-2").text
    web.config.objects["node"]["web-1"]["agent"] = False
    assert "The credential of node" not in web.visitor("vera").get("/nodes/web-1").text
