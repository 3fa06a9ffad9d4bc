"""How a rollout is told on the command line."""

from typing import Any

import pytest
from click.testing import CliRunner

from nodeward.cli import session
from nodeward.cli.rollouts import rollout

WHY = "not well within 90 s: tailflog is FATAL."
EVENTS = [
    {"type": "started", "who": "ada"},
    {"type": "node", "node": "web-1", "state": "staged", "detail": ""},
    {"type": "node", "node": "web-1", "state": "failed", "detail": WHY},
    {"type": "node", "node": "web-1", "state": "rolled back", "detail": f"{WHY} It has its previous bundle back."},
]


class Server:
    """Answers as the config server does of a rollout that has ended."""

    def __init__(self, reason: str) -> None:
        self._events, self._reason = [*EVENTS], reason

    def post(self, path: str, body: Any) -> dict[str, Any]:
        return {"id": 7}

    def get(self, path: str, query: Any = None, **more: Any) -> dict[str, Any]:
        if path.endswith("/events"):
            items, self._events = self._events, []
            return {"items": items, "cursor": 4, "state": "failed"}
        nodes = {"web-1": {"state": "rolled back"}}
        return {
            "id": 7,
            "action": "rollout",
            "who": "ada",
            "state": "failed",
            "nodes": nodes,
            "reason": self._reason,
        }


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (f"web-1: {WHY} It has its previous bundle back.", "failed: 1 rolled back."),
        ("Ansible could not be started.", "failed: 1 rolled back. Ansible could not be started."),
    ],
)
def test_why_it_failed_is_told_once(monkeypatch: pytest.MonkeyPatch, reason: str, told: str) -> None:
    monkeypatch.setattr(session, "config", lambda: Server(reason))
    done = CliRunner().invoke(rollout, [])
    assert [line.split(maxsplit=1)[1] for line in done.stdout.splitlines()] == [
        "staged",
        f"failed       {WHY}",
        "rolled back  It has its previous bundle back.",
    ]
    assert done.stderr.splitlines()[-1] == f"Rollout 7 by ada, {told}"
