"""What a node server tells stands beside what others tell only if it is what it should be."""

import json
from typing import Any

import pytest
import yaml

from fakes import nonsense
from nodeward.core import openapi, told, told_forms
from nodeward.core.errors import BadInput, NotOurs, Problem, Unavailable

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


EXAMPLES = openapi.examples("nodeserver")


def told_of(method: str, path: str, answer: Any, after: int = 0) -> Any:
    return told.answer("web-1", method, path, {"after": after}, json.dumps(answer).encode())


def call_of(pattern: str) -> tuple[str, str]:
    method, _, path = pattern.partition(" ")
    return method, path.replace("[^/]+", RUN["id"])


@pytest.mark.parametrize("call", sorted(call for call in EXAMPLES if "openapi" not in call and "/api/v1" in call))
def test_what_our_own_node_server_answers_is_ours(call: str) -> None:
    method, _, path = call.partition(" ")
    for name, value in EXAMPLES[call].get("path", {}).items():
        path = path.replace(f"{{{name}}}", value)
    assert told_of(method, path, EXAMPLES[call]["answer"]) == EXAMPLES[call]["answer"]


@pytest.mark.parametrize("pattern", list(nonsense.GOOD))
def test_each_answer_has_a_form_of_its_own_that_a_good_one_has(pattern: str) -> None:
    method, path = call_of(pattern)
    assert told_forms.answer_to(method, path) is not told_forms.OTHER or path.endswith("openapi.json")
    answer = nonsense.good(method, path)
    assert told_of(method, path, answer) == answer
    assert told_of(method, path, {**answer, "more": {"keys": ["are welcome"]}})["more"]


def _outcome(method: str, path: str, data: bytes) -> tuple[Any, str]:
    """Return what came, or the sentence."""
    try:
        return told.answer("web-1", method, path, None, data), ""
    except NotOurs as error:
        return None, error.detail


@pytest.mark.parametrize("kind", list(nonsense.KINDS))
def test_nonsense_is_one_sentence_with_the_nodes_name_or_harmless(kind: str) -> None:
    for pattern in nonsense.GOOD:
        method, path = call_of(pattern)
        data = nonsense.KINDS[kind](nonsense.good(method, path))
        found, said = _outcome(method, path, data)
        assert not said or said.startswith("'web-1' answers what is none of ours: "), (pattern, said)
        assert said.isprintable() and len(said) < 600, (pattern, said)
        json.dumps(found, allow_nan=False, indent=1).encode()
        yaml.safe_dump(found)


@pytest.mark.parametrize("pattern", list(nonsense.GOOD))
def test_an_answer_with_one_value_that_is_another_is_nonsense_or_harmless(pattern: str) -> None:
    method, path = call_of(pattern)
    refused = 0
    for answer in nonsense.mutations(nonsense.good(method, path)):
        try:
            told_of(method, path, answer)
        except NotOurs:
            refused += 1
    assert refused > 5 or path.endswith("openapi.json")


def test_whoever_reads_a_run_gets_on_or_is_told() -> None:
    path = "/api/v1/runs/r/output"
    page = {"items": [], "cursor": "7", "state": "running"}
    assert told_of("GET", path, page, after=7) == page
    item = {"at": 1, "type": "note", "text": "x"}
    assert told_of("GET", path, {**page, "items": [item]}, after=6)["cursor"] == "7"
    for odd, after in (({**page, "items": [item]}, 7), (page, 8)):
        with pytest.raises(NotOurs, match=f"its run goes on at 7, and {after} was read already"):
            told_of("GET", path, odd, after)


def test_what_is_wrong_is_said_of_the_node_and_not_of_somebody_who_typed_it() -> None:
    for info, says in (
        ({"system": {"hostname": 5}}, "At 'system.hostname': must be text. See"),
        ({"cpu": []}, "At 'cpu': must have keys and values. See"),
        ({"network": [{"up": "no"}]}, "At 'network[0].up': "),
    ):
        with pytest.raises(NotOurs) as told_so:
            told_of("GET", "/api/v1/info", info)
        assert f"'web-1' answers what is none of ours: {says}" in told_so.value.detail
    with pytest.raises(NotOurs, match=r"At 'log': is missing\. See"):
        told_of("GET", "/api/v1/programs/tailflog/log", {})


def test_a_run_is_the_one_that_was_asked_for() -> None:
    with pytest.raises(NotOurs, match="it was asked for run other, and tells of 20260101-000000-ab"):
        told_of("GET", "/api/v1/runs/other", nonsense.RUN)
    assert told.answer("db-7", "POST", "/api/v1/runs", None, json.dumps(nonsense.RUN).encode())["node"] == "db-7"


def test_an_answer_that_is_longer_than_any_of_its_kind_is_none() -> None:
    with pytest.raises(NotOurs, match="bytes to GET /api/v1/peers/hello"):
        told_of("GET", "/api/v1/peers/hello", {"node": "web-1", "more": "x" * 2_000_000})


def test_the_words_of_an_error_cannot_reach_beyond_a_terminal_and_have_an_end() -> None:
    found = told.harmless_failure(BadInput("\x1b]0;x\x07 no\nyes", [Problem("a\x9b", "b" * 10_000)] * 500))
    assert str(found).startswith("\\x1b]0;x\\x07 no\nyes\n  At 'a\\x9b': bbb")
    assert len(found.problems) == 100 and len(found.problems[0].message) == 4000
