"""The node server as a real process: enrolment, bundle, results, faults of its neighbours, its own death."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from fakes.monitor import FakeMonitor
from fakes.nodeserver import NodeserverProcess, check
from nodeward.core import clock, tokens
from nodeward.core.spool import Spool
from nodeward.supervise.machine import processes

RARELY = 1e6  # seconds: no slot of such a check falls into the test


@pytest.fixture
def monitor():
    with FakeMonitor() as fake:
        yield fake


@pytest.fixture
def node(config, monitor, tmp_path):
    process = NodeserverProcess(config, monitor, tmp_path)
    with process:
        yield process


@pytest.fixture
def asleep(config, monitor, tmp_path):
    """A node server that is not started yet."""
    process = NodeserverProcess(config, monitor, tmp_path)
    yield process
    if process.process is not None:
        process.__exit__(None, None, None)


def _processes_with(mark: str) -> list[psutil.Process]:
    return [one for one in psutil.process_iter(["cmdline"]) if mark in " ".join(one.info["cmdline"] or [])]


def test_a_node_enrols_fetches_its_bundle_and_reports_its_checks(node, monitor, config):
    node.give(
        [check(None, plugin="alive"), check("load", plugin="uptime"), check("echo", command=["/bin/echo", "fine|x=1s"])]
    )
    node.wait_until_ready()
    monitor.wait_for(lambda: len({result.service for result in monitor.results}) == 3)
    assert config.enrolled == ["web-1"]
    token = node.var / "secrets" / "nodeserver" / "token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    (alive,) = monitor.of(None)[:1]
    assert (alive.node, alive.code) == ("web-1", 0)
    assert alive.output.startswith("ALIVE OK - node server at work for")
    (echo,) = monitor.of("echo")[:1]
    assert (echo.code, echo.output, echo.perfdata) == (0, "fine", "x=1s")
    assert echo.next_check > echo.started
    assert monitor.reports[-1].revision == 1


def test_a_sign_of_life_comes_every_heartbeat_without_results(node, monitor):
    node.give([], heartbeat=0.3)
    node.wait_until_ready()
    monitor.wait_for(lambda: len([report for report in monitor.reports if not report.results]) >= 4)


def test_a_bad_bundle_keeps_the_old_one_and_is_told_with_every_fault(node, monitor):
    node.give([check(None, plugin="alive", interval=0.5), check("load", plugin="uptime", interval=0.5)])
    node.wait_until_ready()
    bad = [check("load", plugin="loadd"), check("disk", plugin="disk", args={"warning": "x"}, interval="60s")]
    node.give(bad, revision=2)
    told = monitor.wait_for(lambda: [result for result in monitor.of(None) if result.code == 1])
    assert "Revision 2 of this node's bundle is not valid" in told[0].output
    assert "interval" in told[0].long_output
    before = len(monitor.of("load"))
    monitor.wait_for(lambda: len(monitor.of("load")) > before + 1)
    assert json.loads((node.var / "nodeserver/bundle/nodeserver.json").read_text())["revision"] == 1
    node.give([check(None, plugin="alive", interval=0.5)], revision=3)
    monitor.wait_for(lambda: monitor.reports[-1].revision == 3 and monitor.of(None)[-1].code == 0)


def test_results_wait_on_disk_while_the_monitor_is_away_and_come_once_each(node, monitor):
    monitor.status = 503
    node.give([check("load", plugin="uptime", interval=0.2)])
    node.wait_until_ready()
    monitor.wait_for(lambda: node.ask("/api/v1/checks")[1]["nodeserver"]["spool"]["pending"] >= 5)
    assert monitor.results == []
    monitor.status = 200
    monitor.wait_for(lambda: len(monitor.of("load")) >= 8)
    begun = [result.started for result in monitor.of("load")]
    assert begun == sorted(set(begun))


def test_a_killed_node_server_loses_no_result_and_repeats_none(node, monitor):
    """It is killed when the monitor has kept a report and before the node server knows: the worst moment."""
    node.give([check("load", plugin="uptime", interval=0.05), check("echo", command=["/bin/echo", "x"], interval=0.1)])
    node.wait_until_ready()
    monitor.wait_for(lambda: len(monitor.results) >= 5)
    monitor.status = 503
    monitor.wait_for(lambda: node.ask("/api/v1/checks")[1]["nodeserver"]["spool"]["pending"] >= 20)
    killed = []
    monitor.between = lambda: killed or killed.append(node.process.kill())
    monitor.status = 200
    node.process.wait(timeout=60)
    kept = len(monitor.results)
    spool = Spool(node.var / "nodeserver" / "spool")
    pending = spool.figures.pending
    spool.close()
    monitor.between = lambda: None
    node.start()
    monitor.wait_for(lambda: len(monitor.results) >= kept + 10)
    assert monitor.repeated > 0 or pending == 0
    begun = [(result.service, result.started) for result in monitor.results]
    assert len(begun) == len(set(begun))


def test_one_result_that_the_monitor_refuses_does_not_hold_up_the_others(node, monitor):
    monitor.refuse = lambda result: result.service == "bad"
    node.give([check(name, plugin="uptime", interval=0.2) for name in ("bad", "good")])
    node.wait_until_ready()
    monitor.wait_for(lambda: len(monitor.of("good")) >= 5)
    monitor.wait_for(lambda: "The monitor refused a result, it is given up" in node.said())
    assert monitor.of("bad") == []


def test_a_node_works_on_with_its_last_bundle_while_the_config_server_is_away(asleep, monitor, config):
    asleep.give([check("load", plugin="uptime", interval=0.3)])
    asleep.start()
    asleep.wait_until_ready()
    monitor.wait_for(lambda: monitor.of("load"))
    assert asleep.stop() == 0
    asleep.environment["NODEWARD_CONFIGSERVER_URL"] = "http://127.0.0.1:9"
    before = len(monitor.results)
    asleep.start()
    asleep.wait_until_ready()
    monitor.wait_for(lambda: len(monitor.results) > before + 2)
    monitor.wait_for(lambda: "The bundle could not be fetched; the last one stays" in asleep.said())


def test_a_changed_bundle_runs_what_is_new_and_leaves_the_others_their_time(node, monitor):
    steady = [check(f"steady-{number}", plugin="uptime", interval=RARELY) for number in range(20)]
    node.give(steady)
    node.wait_until_ready()
    monitor.wait_for(lambda: len({result.service for result in monitor.results}) == 20)
    planned = {row["service"]: row["next_check"] for row in node.ask("/api/v1/checks")[1]["items"]}
    node.give([*steady, check("new", plugin="uptime")], revision=2)
    monitor.wait_for(lambda: monitor.of("new"))
    now = {row["service"]: row["next_check"] for row in node.ask("/api/v1/checks")[1]["items"]}
    for name, moment in planned.items():
        assert abs(clock.parse_rfc3339(now[name]) - clock.parse_rfc3339(moment)) < 1_000_000
    assert len(monitor.results) == 21


def test_a_restart_neither_bursts_nor_forgets(node, monitor):
    node.give([check(f"s{number}", plugin="uptime", interval=RARELY) for number in range(20)])
    node.wait_until_ready()
    monitor.wait_for(lambda: len({result.service for result in monitor.results}) == 20)
    assert node.stop() == 0
    node.start()
    node.wait_until_ready()
    rows = node.ask("/api/v1/checks")[1]["items"]
    assert {row["state"] for row in rows} <= {"OK", "WARNING", "CRITICAL"}  # remembered, so none of them is PENDING
    assert len([row for row in rows if row["running"]]) == 0
    assert len(monitor.results) == 20


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_plugin_outlives_the_node_server(node, monitor, number):
    mark = f"9{node.port}.654"  # seconds that nobody else sleeps, the same test in another worker included
    node.give([check(f"slow-{one}", command=["/bin/sleep", mark], timeout=600.0) for one in range(5)])
    node.wait_until_ready()
    monitor.wait_for(lambda: len(_processes_with(mark)) == 5)
    node.stop(number)
    monitor.wait_for(lambda: not _processes_with(mark))


def test_a_killed_worker_takes_its_plugins_with_it_and_their_checks_run_again(node, monitor):
    script, sleep = node.var / "once", f"sleep 8{node.port}.543"
    script.write_text(f'#!/bin/sh\nif mkdir "$1" 2>/dev/null; then exec {sleep}; fi\necho second time\n')
    script.chmod(0o755)
    node.give([check("once", command=[str(script), str(node.var / "mark")], timeout=600.0)])
    node.wait_until_ready()
    (sleeper,) = monitor.wait_for(lambda: _processes_with(sleep))
    sleeper.parent().kill()
    assert monitor.wait_for(lambda: monitor.of("once"))[0].output == "second time"
    monitor.wait_for(lambda: processes.ended(sleeper))
    assert node.ask("/api/v1/checks")[1]["nodeserver"]["workers_lost"] == 1


def test_a_check_runs_on_request_and_its_result_counts(node, monitor):
    node.give([check("load", plugin="uptime", interval=RARELY), check(None, plugin="alive", interval=600.0)])
    node.wait_until_ready()
    monitor.wait_for(lambda: len(monitor.results) == 2)
    status, row = node.ask("/api/v1/checks/load/run", "operator", "POST")
    assert (status, row["service"]) == (200, "load")
    assert row["state"] in ("OK", "WARNING", "CRITICAL")
    assert node.ask("/api/v1/checks/-/run", "operator", "POST")[1]["state"] == "UP"
    monitor.wait_for(lambda: len(monitor.of("load")) == 2)
    status, problem = node.ask("/api/v1/checks/nix/run?node=web-9", "operator", "POST")
    assert (status, problem["detail"]) == (404, "This node server runs no check 'nix' of node 'web-9'.")
    assert node.ask("/api/v1/checks/load/run", "viewer", "POST")[0] == 403


@pytest.mark.parametrize("body", [{"node": "db-1"}, {"nix": 1}, [], "x"])
def test_a_check_is_not_run_with_what_it_does_not_take(node, monitor, body):
    node.give([check("load", plugin="uptime", interval=RARELY)])
    node.wait_until_ready()
    monitor.wait_for(lambda: monitor.of("load"))
    status, problem = node.ask("/api/v1/checks/load/run", "operator", "POST", body)
    assert (status, "takes no body" in problem["detail"]) == (422, True)
    assert len(monitor.of("load")) == 1


def test_a_check_that_the_monitor_wants_runs_now(node, monitor):
    node.give([check("load", plugin="uptime", interval=RARELY)])
    node.wait_until_ready()
    monitor.wait_for(lambda: monitor.of("load"))
    monitor.wanted = [{"node": "web-1", "service": "load"}, {"node": "nix", "service": None}]
    monitor.wait_for(lambda: len(monitor.of("load")) > 1)  # and again with every further answer


def test_it_tells_about_its_machine_and_about_itself(node):
    node.give([check("load", plugin="uptime")])
    node.wait_until_ready()
    status, known = node.ask("/api/v1/info", "viewer")
    assert status == 200
    assert known["memory"]["total"] > known["memory"]["used"] > 0
    assert any(disk["path"] == "/" for disk in known["disks"])
    assert any("127.0.0.1" in one["addresses"] for one in known["network"])
    assert known["processes"]["top"][0]["memory"] >= known["processes"]["top"][-1]["memory"]
    assert known["system"]["kernel"] == os.uname().release
    status, answer = node.ask("/api/v1/programs", "viewer")
    assert status == 503
    assert "No supervisor answers" in answer["detail"]


def test_a_peer_is_pinged_at_the_address_that_the_config_server_knows(node, config):
    node.give([])
    node.wait_until_ready()
    status, answer = node.ask("/api/v1/peers/web-2/ping", "operator")
    assert status == 404
    config.nodes = [{"name": "web-2", "address": "127.0.0.1"}]
    status, answer = node.ask("/api/v1/peers/web-2/ping?count=1", "operator")
    assert (status, answer["address"], answer["reachable"]) == (200, "127.0.0.1", True)
    assert (answer["answers"], answer["port"]) == (False, node.port)
    assert answer["error"] == "answer: web-2 refuses web-1: The ticket is for node 'web-2'; this is 'web-1'."


def test_a_ping_says_how_far_it_came(node, config):
    node.give([])
    node.wait_until_ready()
    config.nodes = [
        {"name": "web-1", "address": "127.0.0.1"},
        {"name": "gone", "address": "127.0.0.9"},
        {"name": "printer", "address": "127.0.0.1", "agent": False},
    ]
    status, answer = node.ask("/api/v1/peers/web-1/ping?count=1", "operator")
    assert (status, answer["answers"], answer["error"]) == (200, True, None)
    assert [step["step"] for step in answer["steps"]] == ["echo", "answer"] and answer["steps"][1]["seconds"] > 0
    _, answer = node.ask("/api/v1/peers/gone/ping?count=1", "operator")
    assert answer["answers"] is False and "no node server answers at 127.0.0.9" in answer["error"]
    _, answer = node.ask("/api/v1/peers/printer/ping?count=1", "operator")
    assert (answer["answers"], answer["port"], len(answer["steps"])) == (None, None, 1)


def test_a_node_s_ticket_is_for_what_nodes_may_do_on_another(node, config):
    node.give([])
    node.wait_until_ready()
    config.tokens["peer"] = config.node_token("web-2")
    status, answer = node.ask("/api/v1/peers/hello", "peer")
    assert (status, answer) == (200, {"node": "web-1", "caller": "web-2"})
    for method, path in (
        ("GET", "info"),
        ("GET", "checks"),
        ("POST", "token/rotate"),
        ("POST", "programs/nodeserver/restart"),
    ):
        assert node.ask(f"/api/v1/{path}", "peer", method)[0] == 403


def test_a_new_credential_takes_the_old_one_s_place_without_a_restart(node, config, monitor):
    node.give([check("load", plugin="uptime", interval=0.2)])
    node.wait_until_ready()
    file = node.var / "secrets" / "nodeserver" / "token"
    old = file.read_text()
    assert node.ask("/api/v1/token/rotate", "operator", "POST")[0] == 403
    status, answer = node.ask("/api/v1/token/rotate", "admin", "POST")
    assert status == 200 and answer["token"] in file.read_text() and file.read_text() != old
    assert file.stat().st_mode & 0o777 == 0o600
    config.revoke(old)
    before = len(monitor.of("load"))
    monitor.wait_for(lambda: len(monitor.of("load")) > before + 2)


def test_a_credential_is_rotated_in_time_before_it_ends(tmp_path):
    from nodeward.core.auth import Credential
    from nodeward.nodeserver.rotate import Rotation

    class Asked:
        url, posted = "http://config", 0

        def post(self, path):
            Asked.posted += 1
            return {"token": tokens.mint()[0]}

        def get(self, path):
            return {}

    class Known:
        def __init__(self, lasts):
            self.lasts = lasts

        def find(self, identifier):
            now = clock.now()
            return Credential(
                id=identifier,
                name="web-1",
                role="node",
                hash="",
                created=now - 8_000_000,
                expires=self.lasts and now + self.lasts,
            )

    path = tmp_path / "token"
    path.write_text(tokens.mint()[0])
    assert not Rotation(Asked(), Known(None), path).unit()
    assert not Rotation(Asked(), Known(8_000_000), path).unit()
    assert Rotation(Asked(), Known(3_000_000), path).unit()
    assert Asked.posted == 1


def test_files_left_to_somebody_else_are_read_when_they_change(asleep, monitor):
    asleep.environment["NODEWARD_NODESERVER_PULL"] = "false"
    asleep.give([])
    bundle = asleep.var / "nodeserver" / "bundle"
    bundle.mkdir(parents=True)
    asleep.start()
    file = json.loads(asleep.config.bundles["web-1"]["files"]["nodeserver.json"])
    (bundle / "nodeserver.json").write_text(json.dumps({**file, "checks": [check("load", plugin="uptime")]}))
    monitor.wait_for(lambda: monitor.of("load"))
    (bundle / "nodeserver.json").write_text("{")
    monitor.wait_for(lambda: "The last configuration stays in force" in asleep.said())
    assert asleep.ask("/readyz")[0] == 200


def test_without_a_key_it_says_what_is_missing_and_goes_on_when_it_is_there(asleep, monitor):
    key = asleep.var / "secrets" / "node" / "enrol"
    key.unlink()
    asleep.give([check("load", plugin="uptime")])
    asleep.start()
    monitor.wait_for(lambda: "no enrolment key in" in asleep.said())
    key.write_text(asleep.config.enrol_key)
    asleep.wait_until_ready()


def test_a_wrong_key_is_told_in_the_config_servers_own_words(asleep, monitor):
    asleep.environment["NODEWARD_NODESERVER_ENROL_KEY"] = "guessed"
    asleep.start()
    monitor.wait_for(lambda: "That enrolment key is not known." in asleep.said())
    assert asleep.stop() == 0


def _check_config(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nodeward.nodeserver.main", "--check-config", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


def test_a_configuration_can_be_looked_at_without_running_it(asleep, tmp_path, config):
    asleep.give([check("load", plugin="uptime")])
    path = tmp_path / "nodeserver.json"
    path.write_text(config.bundles["web-1"]["files"]["nodeserver.json"])
    done = _check_config(path)
    assert done.returncode == 0
    assert "revision 1, 1 check of node 'web-1'" in done.stdout
    asleep.give(
        [check("load"), check("disk", plugin="disk", args={"warning": "x", "zzz": 1}), check("disk", plugin="disk")]
    )
    path.write_text(config.bundles["web-1"]["files"]["nodeserver.json"])
    done = _check_config(path)
    assert done.returncode == 78
    assert "either a plugin or a command" in done.stderr
    path.write_text(
        path.read_text().replace('"service": "load", "plugin": null', '"service": "load", "plugin": "load"')
    )
    done = _check_config(path)
    for fault in ("checks[1].args.warning", "checks[1].args.zzz", "'disk' of node 'web-1' is there twice"):
        assert fault in done.stderr
    assert _check_config(tmp_path / "nothing").returncode == 78
    assert "Traceback" not in done.stderr


def test_settings_that_are_wrong_are_all_told(asleep):
    asleep.environment |= {"NODEWARD_NODESERVER_WORKERS": "many", "NODEWARD_NODESERVER_THREADS": "0"}
    asleep.start()
    assert asleep.process.wait(timeout=60) == 78
    for name in asleep.environment:
        assert name in asleep.said()


def test_the_clock_of_a_check_is_kept_in_seconds_since_1970(node, monitor):
    node.give([check("load", plugin="uptime")])
    result = monitor.wait_for(lambda: monitor.of("load"))[0]
    assert abs(result.started / 1e6 - time.time()) < 60
    assert result.duration < 60
