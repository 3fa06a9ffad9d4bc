"""What a node server tells stands beside what others tell only if it is what it should be."""

from typing import Any

import pytest

from nodeward.core import told
from nodeward.core.errors import Unavailable

RUN = {"id": "20260101-000000-ab", "runbook": "look", "by": "ada", "state": "succeeded", "started": "2026-01-01T00:00:00Z",
       "node": "db-1", "seconds": 1.5}  # fmt: skip
PROGRAM = {"name": "tailflog", "state": "RUNNING", "pid": 7, "since": "2026-01-01T00:00:00Z", "spawn_error": "",
           "exit_status": None}  # fmt: skip
NO_LISTS: list[Any] = [None, [], 7, "x", {}, {"items": None}, {"items": {}}, {"items": [None]}, {"items": ["x"]},
                       {"items": [{}]}]  # fmt: skip


def test_what_is_told_comes_back_whole_and_a_run_is_of_the_node_that_was_asked() -> None:
    assert told.runs("web-1", {"items": [RUN], "next": "x"}) == {"items": [{**RUN, "node": "web-1"}], "next": "x"}
    assert told.programs("web-1", {"items": [PROGRAM]}) == {"items": [PROGRAM]}


@pytest.mark.parametrize("answer", NO_LISTS)
def test_what_is_no_list_is_said(answer: Any) -> None:
    for ask in (told.runs, told.programs):
        with pytest.raises(Unavailable, match="'web-1' answers what is none of ours: "):
            ask("web-1", answer)


@pytest.mark.parametrize(
    "change",
    [{"id": None}, {"id": "../x"}, {"id": ""}, {"id": 5}, {"runbook": "a/b"}, {"by": None}, {"state": []}, {"started": "soon"},
     {"started": 5}, {"parameters": []}, {"detail": {}}],
)  # fmt: skip
def test_a_run_that_is_none_is_said(change: dict[str, Any]) -> None:
    with pytest.raises(Unavailable):
        told.runs("web-1", {"items": [RUN, RUN | change]})


@pytest.mark.parametrize(
    "change", [{"pid": "7"}, {"pid": {}}, {"name": []}, {"since": "x"}, {"spawn_error": None}, {"state": 1}]
)
def test_a_program_that_is_none_is_said(change: dict[str, Any]) -> None:
    with pytest.raises(Unavailable):
        told.programs("web-1", {"items": [PROGRAM, PROGRAM | change]})


def test_a_supervisor_is_named_by_a_text_or_not_at_all() -> None:
    for supervisor in (None, 7, []):
        with pytest.raises(Unavailable):
            told.programs("web-1", {"items": [PROGRAM], "supervisor": supervisor})
