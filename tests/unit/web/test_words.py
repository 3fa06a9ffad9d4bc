"""Times, sizes, causes, changes: what pages are made of, decided by pure functions."""

from typing import Any

import pytest

from nodeward.web.fleet import causes, squares
from nodeward.web.main import command
from nodeward.web.pages.configuration import as_yaml, diff, line_of
from nodeward.web.pages.programs import together
from nodeward.web.settings import WebSettings
from nodeward.web.words import ago, bars, size

SECOND = 1_000_000


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s ago"), (59, "59 s ago"), (60, "1 m ago"), (3600, "1 h ago"), (4800, "1 h 20 m ago"), (90000, "1 d 1 h ago"),
     (86400 * 12 + 3600, "12 d ago"), (-30, "in 30 s")],
)  # fmt: skip
def test_a_time_is_told_in_its_two_largest_units(seconds: int, words: str) -> None:
    assert ago(0, seconds * SECOND) == words


def test_a_size_carries_its_unit() -> None:
    assert [size(0), size(1023), size(1536), size(5 * 1024**3), size(None)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "5.0 GiB",
        "0 B",
    ]


def row(node: str, service: str | None, state: str = "CRITICAL", **more: Any) -> dict[str, Any]:
    return {"node": node, "service": service, "state": state, "masked_by": [], **more}


def test_what_hangs_on_a_node_that_is_down_is_one_problem() -> None:
    rows = [row("a", "ssh"), row("b", "load"), row("a", None, "DOWN"), row("c", None, "UNREACHABLE", masked_by=["a"])]
    first, second = causes(rows)
    assert (first.row["node"], first.row["service"], len(first.others)) == ("a", None, 2)
    assert (second.row["node"], second.others) == ("b", ())


def test_one_service_on_several_nodes_is_one_problem() -> None:
    [cause] = causes([row("a", "disk"), row("b", "disk"), row("c", "disk")])
    assert cause.same_service
    assert cause.nodes == 3


def test_the_map_has_every_node_once_by_group() -> None:
    nodes = [{"node": "b", "groups": ["web"]}, {"node": "a", "groups": []}, {"node": "c", "groups": ["db"]}]
    made = squares(nodes, [row("b", "load", "WARNING")])
    assert [(each.node, each.group, each.state) for each in made] == [
        ("a", "", "OK"),
        ("c", "db", "OK"),
        ("b", "web", "WARNING"),
    ]


def test_a_drawing_of_the_log_rate_never_hides_an_error() -> None:
    one = {"from": "x", "to": "y", "total": 100_000, "levels": {"error": 1, "info": 99_999}}
    drawn = bars({"bins": [one]})
    assert drawn["bars"][0]["errors"] >= 2
    assert bars({"bins": []})["total"] == 0


def test_a_fault_is_shown_at_its_line() -> None:
    text = "kind: check\nname: disk\nargs:\n  warning: many\n"
    assert line_of(text, "check disk: args.warning") == 4
    assert line_of(text, "documents[0].name") == 2
    assert line_of(text, "line 3") == 3
    assert line_of(text, "nothing") is None


def test_a_change_is_shown_line_by_line() -> None:
    lines = diff({"name": "a", "groups": ["x"]}, {"name": "a", "groups": ["x", "y"]})
    assert lines == [("same", "name: a"), ("removed", "groups: [x]"), ("added", "groups: [x, y]")]
    assert diff(None, {"name": "a"}) == [("added", "name: a")]


def test_yaml_is_written_as_people_write_it() -> None:
    assert as_yaml({"kind": "node", "groups": ["linux", "web"]}) == "kind: node\ngroups: [linux, web]\n"


def test_places_under_one_supervisor_are_shown_as_one() -> None:
    class Answer:
        def __init__(self, value: dict[str, Any], error: str = "") -> None:
            self.value, self.error = value, error

    same = [{"name": "nodeserver", "pid": 7, "since": "2026-11-27T02:17:40.000000Z"}]
    given = {
        "monitor": Answer({"items": same, "supervisor": "one"}),
        "web": Answer({"items": list(same), "supervisor": "one"}),
        "logserver": Answer({}, "away"),
        "node:a": Answer({}, "away"),
        "node:b": Answer({"items": same, "supervisor": "another, in a container with the same pids"}),
    }
    shown = together(given)
    assert [each["places"] for each in shown] == [["monitor", "web"], ["logserver"], ["node:a"], ["node:b"]]
    assert [each["programs"] for each in shown] == [same, [], [], same]


def test_gunicorn_gets_one_eventlet_worker_or_many_threads() -> None:
    green = command(WebSettings(bind="::1"), 7400)
    assert "--worker-class=nodeward.web.worker.EventletWorker" in green
    assert "--bind=[::1]:7400" in green
    threads = command(WebSettings(async_="threading", connections=50), 7400)
    assert {"--worker-class=gthread", "--threads=50"} <= set(threads)
