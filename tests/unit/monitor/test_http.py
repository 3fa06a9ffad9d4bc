"""The monitor's routes, over real HTTP, with a real shelf and writer."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from fakes.monitor_api import Api
from nodeward.core import clock
from nodeward.core.errors import BadInput, Conflict, NotAllowed, NotFound, Unavailable


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with Api(tmp_path) as opened:
        yield opened


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [f"{row['node']}/{row['service']}" if row["service"] else row["node"] for row in rows]


def test_the_worst_comes_first_and_what_is_handled_after_what_is_not(api: Api) -> None:
    api.send("web-1", disk=0, load=1)
    api.send("web-2", disk=2, load=3)
    api.send("web-3", disk=2)
    api.operator.post("/api/v1/acknowledgements", {"node": "web-2", "service": "disk"})
    assert names(api.rows(problems=True)) == ["web-3/disk", "web-2/load", "web-1/load", "web-2/disk"]
    assert names(api.rows(handled=True)) == ["web-2/disk"]


@pytest.mark.parametrize("order", ["worst", "node", "service", "since", "last_check"])
def test_pages_hold_every_row_once(api: Api, order: str) -> None:
    api.send("web-1", disk=0, load=1)
    whole = names(api.rows(sort=order))
    paged: list[str] = []
    cursor = None
    while True:
        answer = api.viewer.get("/api/v1/states", {"sort": order, "limit": 2, "cursor": cursor})
        paged += names(answer["items"])
        cursor = answer["next"]
        if cursor is None:
            break
    assert paged == whole and len(set(whole)) == 9


def test_rows_are_filtered(api: Api) -> None:
    api.send("web-1", disk=0, load=1)
    assert names(api.rows(node="web-1", kind="node")) == ["web-1"]
    assert names(api.rows(state="warning,critical")) == ["web-1/load"]
    assert names(api.rows(q="LOAD SAYS")) == ["web-1/load"]
    assert len(api.rows(group="web")) == 9 and api.rows(group="db") == []


def test_a_long_poll_is_answered_when_something_happens_and_not_before(api: Api) -> None:
    seq = api.viewer.get("/api/v1/states")["seq"]
    found: list[Any] = []
    follower = threading.Thread(
        target=lambda: found.append(api.viewer.get("/api/v1/states", {"after": seq, "wait": 30}, timeout=90))
    )
    follower.start()
    began = time.monotonic()
    api.send("web-1", disk=2)
    follower.join(90)
    assert time.monotonic() - began < 25  # and not when its patience ends
    assert set(names(found[0]["items"])) == {"web-1", "web-1/disk"}
    assert api.viewer.get("/api/v1/states", {"after": found[0]["seq"], "wait": 0.1})["items"] == []


def test_changes_come_in_pieces_without_a_gap(api: Api) -> None:
    api.send("web-1", disk=2, load=2)
    seq, seen = 0, set()
    for _ in range(20):
        answer = api.viewer.get("/api/v1/states", {"after": seq, "limit": 2})
        seen |= set(names(answer["items"]))
        seq = answer["seq"]
        if not answer["items"]:
            break
    assert len(seen) == 9


def test_a_follower_that_knows_another_past_is_told_to_begin_anew(api: Api) -> None:
    assert api.viewer.get("/api/v1/states", {"after": 10**9})["reset"] is True


def test_events_can_be_followed(api: Api) -> None:
    cursor = api.viewer.get("/api/v1/events")["cursor"]
    api.send("web-1", disk=2)
    answer = api.viewer.get("/api/v1/events", {"after": cursor, "wait": 5, "service": "disk"})
    assert [(event["type"], event["state"]) for event in answer["items"]] == [("state", "CRITICAL")]
    assert api.viewer.get("/api/v1/events", {"after": answer["cursor"]})["items"] == []
    assert api.viewer.get("/api/v1/events", {"after": 0, "limit": 1})["items"][0]["id"] == 1


def test_the_summary_says_it_in_a_sentence(api: Api) -> None:
    nothing = "Nothing has been heard yet of 3 nodes with 6 services."
    assert api.viewer.get("/api/v1/summary")["sentence"] == nothing
    api.send("web-1", disk=2, load=1)
    summary = api.viewer.get("/api/v1/summary")
    assert summary["sentence"] == "2 problems on 1 of 3 nodes."
    assert summary["services"] == {"total": 6, "OK": 0, "WARNING": 1, "CRITICAL": 1, "UNKNOWN": 0, "PENDING": 4}


def test_acknowledging_many_is_all_or_nothing(api: Api) -> None:
    api.send("web-1", disk=2, load=0)
    wishes = [
        {"node": "web-1", "service": "disk"},
        {"node": "web-1", "service": "load"},
        {"node": "web-1", "service": "gone"},
    ]
    with pytest.raises(NotFound) as caught:
        api.operator.post("/api/v1/acknowledgements", wishes)
    assert [fault.path for fault in caught.value.problems] == ["[2]"]
    with pytest.raises(Conflict) as refused:
        api.operator.post("/api/v1/acknowledgements", wishes[:2])
    assert "service load on node web-1 has no problem" in str(refused.value)
    assert api.rows(acknowledged=True) == []
    api.operator.post("/api/v1/acknowledgements", {**wishes[0], "expires": "never"})
    assert api.rows(acknowledged=True)[0]["acknowledgement"]["expires"] is None


def test_a_list_of_acknowledgements_is_taken_back_at_once(api: Api) -> None:
    api.send("web-1", disk=2, load=2)
    both = [{"node": "web-1", "service": "disk"}, {"node": "web-1", "service": "load"}]
    api.operator.post("/api/v1/acknowledgements", both)
    answer = api.operator.request(
        "DELETE",
        "/api/v1/acknowledgements",
        body=json.dumps(both).encode(),
        headers={"Content-Type": "application/json"},
    )
    assert json.loads(answer.data) == {"withdrawn": 2}


def test_a_downtime_is_planned_listed_and_ended(api: Api) -> None:
    made = api.operator.post("/api/v1/downtimes", [{"node": "web-1", "to": "2h", "comment": "disks"}])["items"][0]
    assert made["in_force"] and made["author"] == "operator"
    assert {row["in_downtime"] for row in api.rows(node="web-1")} == {True}
    assert [each["id"] for each in api.viewer.get("/api/v1/downtimes")["items"]] == [made["id"]]
    api.operator.delete(f"/api/v1/downtimes/{made['id']}")
    assert api.viewer.get("/api/v1/downtimes")["items"] == []
    assert {row["in_downtime"] for row in api.rows(node="web-1")} == {False}


def test_perfdata_comes_back_as_a_series(api: Api) -> None:
    api.send("web-1", disk=0)
    (series,) = api.viewer.get("/api/v1/perfdata", {"node": "web-1", "service": "disk", "from": "1h"})["series"]
    assert series["label"] == "x" and series["points"][0][1] == 1.0


def test_availability_is_given_for_a_node_and_its_services(api: Api) -> None:
    api.send("web-1", disk=2)
    items = api.viewer.get("/api/v1/availability", {"node": "web-1", "from": "1h"})["items"]
    assert {each["service"]: each["available"] for each in items} == {None: 1.0, "disk": 0.0, "load": None}


BAD: list[tuple[str, str, Any, type[Exception], str]] = [
    ("GET", "/api/v1/states?sort=nice", None, BadInput, "sort"),
    ("GET", "/api/v1/states?state=BROKEN", None, BadInput, "BROKEN is no state"),
    ("GET", "/api/v1/states?limit=0&wait=99&bogus=1", None, BadInput, "bogus"),
    ("GET", "/api/v1/states?cursor=%FF", None, BadInput, "cursor"),
    ("GET", "/api/v1/states?cursor=eyJhIjoxfQ==", None, BadInput, "cursor"),
    ("GET", "/api/v1/events?since=tomorrow", None, BadInput, "is not a time"),
    ("GET", "/api/v1/events?after=1&before=2", None, BadInput, "not both"),
    ("GET", "/api/v1/events?after=99999999999999999999999", None, BadInput, ""),
    ("GET", "/api/v1/perfdata", None, BadInput, "node"),
    ("GET", "/api/v1/perfdata?node=web-1&from=99999999d", None, BadInput, ""),
    ("GET", "/api/v1/availability?service=disk", None, BadInput, "add `node`"),
    ("GET", "/api/v1/availability?node=gone", None, NotFound, "no node gone"),
    ("GET", "/api/v1/availability?from=1h&to=2h", None, BadInput, "before"),
    ("POST", "/api/v1/acknowledgements", None, BadInput, ""),
    ("POST", "/api/v1/acknowledgements", [], BadInput, ""),
    (
        "POST",
        "/api/v1/acknowledgements",
        {"node": "web-1", "expires": "soon", "colour": "red"},
        BadInput,
        "is not a time",
    ),
    ("POST", "/api/v1/acknowledgements", {"node": "web-1", "expires": "99999999999d"}, BadInput, ""),
    ("POST", "/api/v1/downtimes", {"node": "web-1"}, BadInput, "to"),
    ("POST", "/api/v1/downtimes", {"node": "web-1", "from": "2h", "to": "1h"}, BadInput, "behind"),
    ("POST", "/api/v1/downtimes", {"node": "web-1", "to": "2020-01-01T00:00:00Z"}, BadInput, "future"),
    ("POST", "/api/v1/downtimes", {"node": "gone", "to": "2h"}, NotFound, "no node gone"),
    ("DELETE", "/api/v1/downtimes/77", None, NotFound, "no downtime 77"),
    ("DELETE", "/api/v1/downtimes/99999999999999999999999", None, BadInput, "id"),
    ("DELETE", "/api/v1/acknowledgements", None, BadInput, "Name what is meant"),
]


@pytest.mark.parametrize(("method", "path", "body", "error", "text"), BAD)
def test_bad_input_is_answered_with_a_sentence(
    api: Api, method: str, path: str, body: Any, error: type[Exception], text: str
) -> None:
    data = None if body is None else json.dumps(body).encode()
    bare, _, asked = path.partition("?")
    with pytest.raises(error) as caught:
        api.operator.request(
            method, bare, query=dict(parse_qsl(asked)), body=data, headers={"Content-Type": "application/json"}
        )
    assert text in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"reporter": 7},
        {"first": -1},
        {"results": [{"node": "web-1", "code": 9, "started": 0}]},
        {"results": [{"node": "web-1", "code": 0}]},
        {"results": {"a": 1}},
        {"extra": 1},
        {"sent": 10**40},
        {"first": 2**70},
    ],
)
def test_a_report_that_is_not_one_is_refused(api: Api, changes: dict[str, Any]) -> None:
    report = {"reporter": "web-1", "generation": "g", "first": 0, "sent": clock.now(), "results": []}
    with pytest.raises(BadInput):
        api.nodes["web-1"].post("/api/v1/results", {**report, **changes})


@pytest.mark.parametrize(
    "result",
    [
        {"output": "\ud800 half a character"},
        {"output": "nul \u0000 inside", "perfdata": "\u0000=1"},
        {"output": "x" * 1_000_000},
        {"started": 0},
        {"started": 2**62},
        {"started": -(2**62)},
        {"duration": 1e308},
        {"next_check": 2**62},
        {"latency": -5.0},
    ],
)
def test_an_odd_result_breaks_nothing(api: Api, result: dict[str, Any]) -> None:
    row = {"node": "web-1", "service": "disk", "code": 2, "started": clock.now(), **result}
    report = {"reporter": "web-1", "generation": "odd", "first": 0, "sent": clock.now(), "results": [row]}
    try:
        api.nodes["web-1"].post("/api/v1/results", report)
    except BadInput:
        pass  # refused with a sentence
    assert len(api.rows()) == 9
    assert api.send("web-1", load=0)["accepted"] == 1


def test_results_wait_until_the_definitions_are_known(api: Api) -> None:
    api.definitions.loaded = False
    with pytest.raises(Unavailable, match="does not know its definitions"):
        api.send("web-1", disk=0)


def test_viewers_change_nothing_and_nodes_read_nothing(api: Api) -> None:
    with pytest.raises(NotAllowed):
        api.viewer.post("/api/v1/downtimes", {"node": "web-1", "to": "1h"})
    with pytest.raises(NotAllowed):
        api.nodes["web-1"].get("/api/v1/states")
    with pytest.raises(NotAllowed):
        api.operator.post("/api/v1/results", {})


def test_every_route_is_described(api: Api) -> None:
    paths = api.viewer.get("/api/v1/openapi.json")["paths"]
    assert {"/api/v1/results", "/api/v1/states", "/api/v1/downtimes/{id}"} <= set(paths)


def test_the_figures_count_what_came(api: Api) -> None:
    api.send("web-1", disk=2, gone=0)
    text = api.viewer.request("GET", "/metrics").data.decode()
    assert 'nodeward_monitor_results_total{fate="accepted"} 1.0' in text
    assert 'nodeward_monitor_results_total{fate="undefined"} 1.0' in text
    assert 'nodeward_monitor_states{state="CRITICAL"} 1.0' in text
