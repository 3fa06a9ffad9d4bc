"""The monitor as a process, over HTTP."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.config import FakeConfig
from fakes.monitor_process import MonitorProcess, Reporter, until
from nodeward.core.errors import BadInput, NotAllowed


def define(config: FakeConfig, *services: str, **more: object) -> None:
    """Let the fleet be node web-1 with these services."""
    config.monitoring = {
        **config.monitoring,
        "revision": config.monitoring["revision"] + 1,
        "nodes": [{"name": "web-1", "address": "10.0.0.11", "agent": True, "contacts": ["ann"]}],
        "services": [
            {"node": "web-1", "service": each, "interval": 60, "retry": 15, "attempts": 2, "timeout": 10, **more}
            for each in services
        ],
    }


@pytest.fixture
def monitor(
    config: FakeConfig, tmp_path: Path, free_port: Callable[[], int], request: pytest.FixtureRequest
) -> Iterator[MonitorProcess]:
    define(config, "disk", "load")
    process = MonitorProcess(tmp_path, config, free_port(), NODEWARD_MONITOR_GATHER="0")
    process.start()
    yield process
    process.stop()


def rows(monitor: MonitorProcess, **query: object) -> dict[tuple[str, str | None], dict[str, object]]:
    answer = monitor.viewer.get("/api/v1/states", query)
    return {(each["node"], each["service"]): each for each in answer["items"]}


def test_what_is_defined_is_pending_until_its_first_result(monitor: MonitorProcess) -> None:
    assert {key: row["state"] for key, row in rows(monitor).items()} == {
        ("web-1", None): "PENDING", ("web-1", "disk"): "PENDING", ("web-1", "load"): "PENDING",
    }  # fmt: skip
    web = Reporter(monitor, "web-1")
    assert web.send(web.result("disk", 0, "all well")) == {"accepted": 1, "repeated": 0, "undefined": 0, "wanted": []}
    found = rows(monitor)
    assert found["web-1", "disk"]["state"] == "OK"
    assert found["web-1", None]["state"] == "UP"
    assert found["web-1", "load"]["state"] == "PENDING"


def test_what_was_acknowledged_survives_sigkill_and_a_repeat_changes_nothing(monitor: MonitorProcess) -> None:
    web = Reporter(monitor, "web-1")
    web.send(web.result("disk", 2, "full"))
    report = web.report(web.result("disk", 2, "still full"), web.result("load", 0))
    assert web.post(report)["accepted"] == 2
    before = rows(monitor)
    events = monitor.viewer.get("/api/v1/events", {"type": "state"})["items"]
    monitor.kill()
    monitor.start()
    assert {key: row["state"] for key, row in rows(monitor).items()} == {
        key: row["state"] for key, row in before.items()
    }
    assert rows(monitor)["web-1", "disk"]["state_type"] == "hard"
    assert web.post(report) == {"accepted": 0, "repeated": 2, "undefined": 0, "wanted": []}
    assert rows(monitor)["web-1", "disk"]["attempt"] == 2
    assert monitor.viewer.get("/api/v1/events", {"type": "state"})["items"] == events


def test_a_node_speaks_for_itself_alone(monitor: MonitorProcess) -> None:
    other = Reporter(monitor, "db-1")
    with pytest.raises(NotAllowed, match="cannot speak for node 'web-1'"):
        other.post({**other.report(), "reporter": "web-1"})


@pytest.mark.parametrize("generation", ["", "\ud800", "g" * 1000])
def test_a_generation_that_cannot_be_kept_is_refused(monitor: MonitorProcess, generation: str) -> None:
    web = Reporter(monitor, "web-1")
    with pytest.raises(BadInput) as told:
        web.post({**web.report(web.result("disk", 0)), "generation": generation})
    assert [problem.path for problem in told.value.problems] == ["generation"]
    assert rows(monitor)["web-1", "disk"]["state"] == "PENDING"


def test_results_of_checks_that_are_not_defined_are_counted_and_do_not_block(monitor: MonitorProcess) -> None:
    web = Reporter(monitor, "web-1")
    answer = web.send(web.result("gone", 2), web.result("disk", 0))
    assert answer == {"accepted": 1, "repeated": 0, "undefined": 1, "wanted": []}
    assert ("web-1", "gone") not in rows(monitor)


def test_the_first_result_of_a_check_that_is_new_counts_at_once(monitor: MonitorProcess, config: FakeConfig) -> None:
    web = Reporter(monitor, "web-1")
    for name in (
        "swap",
        "homepage",
        "uptime",
    ):  # each defined, and reported, a moment after the monitor looked for changes
        define(config, "disk", name)
        answer = web.send(web.result(name, 2, "refused"), revision=config.monitoring["revision"])
        assert (answer["accepted"], answer["undefined"]) == (1, 0)
        assert rows(monitor)["web-1", name]["attempt"] == 1


def test_a_follower_is_woken_by_a_result(monitor: MonitorProcess) -> None:
    seq = monitor.viewer.get("/api/v1/states")["seq"]
    web = Reporter(monitor, "web-1")
    web.send(web.result("disk", 1, "80 %"))
    answer = monitor.viewer.get("/api/v1/states", {"after": seq, "wait": 5})
    assert {(row["service"], row["state"]) for row in answer["items"]} >= {("disk", "WARNING"), (None, "UP")}
    assert monitor.viewer.get("/api/v1/states", {"after": answer["seq"], "wait": 0})["items"] == []


def test_a_removed_check_leaves_the_list_and_keeps_its_history(monitor: MonitorProcess, config: FakeConfig) -> None:
    web = Reporter(monitor, "web-1")
    web.send(web.result("disk", 2, "full"))
    seq = monitor.viewer.get("/api/v1/states")["seq"]
    define(config, "load", "swap")
    until(lambda: ("web-1", "swap") in rows(monitor))
    assert ("web-1", "disk") not in rows(monitor)
    changed = monitor.viewer.get("/api/v1/states", {"after": seq})["items"]
    assert {"node": "web-1", "service": "disk", "removed": True} in changed
    assert monitor.viewer.get("/api/v1/events", {"service": "disk"})["items"][0]["state"] == "CRITICAL"


def test_check_config_names_what_is_wrong(config: FakeConfig, tmp_path: Path, free_port: Callable[[], int]) -> None:
    broken = MonitorProcess(
        tmp_path, config, free_port(), NODEWARD_MONITOR_SLACK="soon", NODEWARD_MONITOR_SMTP_PORT="x"
    )
    ended = broken.run("--check-config")
    assert ended.returncode == 78
    assert "NODEWARD_MONITOR_SLACK" in ended.stderr and "NODEWARD_MONITOR_SMTP_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_second_monitor_on_the_same_data_is_refused(monitor: MonitorProcess) -> None:
    ended = monitor.run()
    assert ended.returncode == 78
    assert "Another monitor runs" in ended.stderr
