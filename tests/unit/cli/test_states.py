"""The monitor's commands, against its real routes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fakes.config import FakeConfig
from fakes.monitor_api import Api
from nodeward.cli.main import nodeward


class Shell:
    """Runs `nodeward …` as an operator."""

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(nodeward, arguments)

    def says(self, *arguments: str) -> str:
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output
        return result.output


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with Api(tmp_path) as opened:
        yield opened


@pytest.fixture
def shell(api: Api, config: FakeConfig, monkeypatch: pytest.MonkeyPatch) -> Shell:
    config.servers["monitor"] = api.operator.url
    monkeypatch.setenv("NODEWARD_URL", config.url)
    monkeypatch.setenv("NODEWARD_TOKEN", api.operator_token)
    api.send("web-1", disk=2, load=0)
    return Shell()


def test_states_come_the_worst_first(shell: Shell) -> None:
    lines = shell.says("states", "--node", "web-1").splitlines()
    assert lines[0].split() == ["NODE", "SERVICE", "STATE", "TRY", "SINCE", "OUTPUT"]
    assert lines[1].split()[:3] == ["web-1", "disk", "CRITICAL"] and "disk says 2" in lines[1]
    assert len(lines) == 4


def test_json_is_an_array_and_nothing_else(shell: Shell) -> None:
    rows = json.loads(shell.says("states", "--problems", "-o", "json"))
    assert [(row["node"], row["service"], row["state"]) for row in rows] == [("web-1", "disk", "CRITICAL")]


def test_a_problem_is_acknowledged_and_taken_back(shell: Shell) -> None:
    assert "until 20" in shell.says("ack", "web-1", "disk", "--comment", "on it", "--expires", "8h")
    assert "[acknowledged]" in shell.says("states", "--problems")
    assert "no" in shell.says("ack", "web-1", "--all", "--remove")
    assert "[acknowledged]" not in shell.says("states", "--problems")
    assert "until it is over" in shell.says("ack", "web-1", "--all", "--expires", "never")
    refused = shell.run("ack", "web-2", "--all")
    assert refused.exit_code == 1 and "Node web-2 has no problem that nobody has acknowledged." in str(
        refused.exception
    )


def test_a_downtime_is_planned_listed_and_cancelled(shell: Shell) -> None:
    assert "new disks" in shell.says("downtime", "add", "web-1", "--for", "2h", "--comment", "new disks")
    (row,) = json.loads(shell.says("downtime", "list", "-o", "json"))
    shell.says("downtime", "cancel", str(row["id"]))
    assert json.loads(shell.says("downtime", "list", "-o", "json")) == []
    assert shell.run("downtime", "add", "web-1").exit_code == 2
    assert shell.run("downtime", "add", "web-1", "--for", "2h", "--from", "1h").exit_code == 2


def test_events_say_what_happened(shell: Shell) -> None:
    assert "PENDING → CRITICAL hard 1/1" in shell.says("events", "--service", "disk")
    assert "still" not in shell.says("events")
    shell.says("ack", "web-1", "disk", "--comment", "on it")
    assert "set · operator · on it" in shell.says("events", "--type", "acknowledgement")


def test_notifications_are_listed(shell: Shell) -> None:
    listed = shell.says("notifications", "--node", "web-1")
    assert "waiting" in listed
    assert listed.split()[:5] == ["SENT", "NODE", "SERVICE", "STATE", "SINCE"]
    assert listed.splitlines()[1].startswith("- ")


def test_what_a_plugin_wrote_cannot_move_the_cursor(api: Api, shell: Shell) -> None:
    api.send("web-2", said="\x1b[2J\rgone", disk=2)
    assert "\x1b" not in shell.says("states", "--node", "web-2")
