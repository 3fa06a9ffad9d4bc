"""`nodeward programs`: every supervisor's programs once, whoever of its servers is asked."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from nodeward.cli import programs, session
from nodeward.cli.main import nodeward

SAME = [{"name": "nodeserver", "state": "RUNNING", "pid": 8, "since": None, "spawn_error": "", "exit_status": None}]
ANSWERS: dict[str, dict[str, Any]] = {
    "node:node-a": {"items": SAME, "supervisor": "of container a"},
    "node:node-b": {"items": SAME, "supervisor": "of container b"},
    "monitor": {"items": SAME, "supervisor": "of container a"},
    "web": {"items": SAME},
}


class Place:
    def __init__(self, name: str) -> None:
        self._name = name

    def get(self, path: str) -> dict[str, Any]:
        assert path == "/api/v1/programs"
        return ANSWERS[self._name]


def test_containers_with_the_same_pids_are_all_listed_and_one_supervisor_is_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(programs, "_everywhere", lambda: list(ANSWERS))
    monkeypatch.setattr(session, "place", lambda name, seconds: Place(name))
    result = CliRunner().invoke(nodeward, ["programs", "-o", "json"])
    assert result.exit_code == 0, result.output
    assert [row["where"] for row in json.loads(result.output)] == ["node-a", "node-b", "web"]
