"""However a run ends, nothing of it is left, and its record tells the truth."""

import os
import signal
import sys

import psutil

from fakes.runbook_node import processes_of
from nodeward.nodeserver.runbooks.drain import Drain
from nodeward.supervise.machine import processes
from support.until import until

# A program with children, one in a session of its own, a daemon that was forked twice, and one that is deaf.
FAMILY = """
import os, signal, subprocess, sys, time
for extra in ({}, {"start_new_session": True}):
    subprocess.Popen(["sleep", "7654"], **extra)
subprocess.Popen(["sh", "-c", "trap '' TERM HUP INT; while :; do sleep 7655; done"])
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for fd in range(3):
            os.close(fd)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(7656)
    os._exit(0)
print("all are here", flush=True)
time.sleep(7657)
"""
MEMBERS = 6
SESSION = "nodeward.nodeserver.runbooks.session"


def begun(node, tmp_path):
    script = tmp_path / "family.py"
    script.write_text(FAMILY)
    node.has(f"steps: [{{run: [{sys.executable}, {script}], timeout: 1h}}]\nalways: [{{run: [echo, cleaned up]}}]")
    run = node.begin()
    node.until_printed(run, "all are here")
    until(lambda: len(processes_of(run)) >= MEMBERS)
    return run


def test_stop_ends_the_whole_tree_and_does_what_is_done_always(node, tmp_path):
    run = begun(node, tmp_path)
    assert node.post(f"runs/{run}/stop", {}, "viewer")[0] == 403
    assert node.post(f"runs/{run}/stop", {})[0] == 200
    row = node.over(run)
    assert (row["state"], row["detail"]) == ("stopped", "Stopped by operator.")
    assert [step["state"] for step in row["steps"]] == ["stopped", "ok"]
    assert "cleaned up" in node.output(run)
    assert processes_of(run) == []
    until(lambda: [deed for deed in node.config.deeds if deed["action"] == "stop run" and run in deed["what"]])


def test_a_question_can_be_stopped(node):
    node.has("steps: [{ask: {question: q}}]")
    run = node.begin()
    node.until_state(run, "asking")
    node.post(f"runs/{run}/stop", {})
    assert node.over(run)["state"] == "stopped"


def test_a_killed_node_server_leaves_no_process_and_a_true_record(fresh, tmp_path):
    run = begun(fresh, tmp_path)
    own = processes_of(run)
    fresh.process.kill()
    fresh.process.wait(60)
    until(lambda: not processes_of(run), 90)
    assert all(processes.ended(each) for each in own)
    fresh.start()
    fresh.wait_until_ready()
    row = fresh.row(run)
    assert row["state"] == "interrupted"
    assert "node server ended while it ran" in row["detail"]
    assert row["steps"][0]["state"] == "stopped"
    assert "all are here" in fresh.output(run)


def test_a_node_server_killed_together_with_the_runs_own_process_finds_what_is_left(fresh, tmp_path):
    run = begun(fresh, tmp_path)
    session = next(each for each in psutil.Process(fresh.process.pid).children() if SESSION in each.cmdline())
    session.suspend()
    fresh.process.kill()
    fresh.process.wait(60)
    session.kill()
    assert processes_of(run)
    fresh.start()
    fresh.wait_until_ready()
    assert processes_of(run) == []
    row = fresh.row(run)
    assert row["state"] == "interrupted"
    assert "killed or restarted while it ran" in row["detail"]


def test_a_runs_own_process_that_is_killed_is_told(fresh, tmp_path):
    run = begun(fresh, tmp_path)
    for each in psutil.Process(fresh.process.pid).children():
        if SESSION in each.cmdline():
            each.kill()
    row = fresh.over(run)
    assert (row["state"], processes_of(run)) == ("failed", [])
    assert "ended unexpectedly" in row["detail"]


def test_a_node_server_that_is_asked_to_end_ends_its_runs(fresh, tmp_path):
    run = begun(fresh, tmp_path)
    assert fresh.stop(signal.SIGTERM) == 0
    assert processes_of(run) == []
    fresh.start()
    fresh.wait_until_ready()
    assert fresh.row(run)["state"] == "interrupted"


def test_while_a_rollout_is_about_to_start_the_node_server_anew_no_run_begins_and_none_is_recorded(node):
    node.has("steps: [{run: [echo, hello]}]")
    drain, records = Drain(node.var / "nodeserver"), node.var / "nodeserver" / "runs"
    before = sorted(records.glob("*/record.json"))
    drain.look(force=True)
    try:
        status, answer = node.post("runs", {"runbook": "book"})
    finally:
        drain.lift()
    assert (status, "so no new run begins here: try again when it is over" in answer["detail"]) == (503, True)
    assert sorted(records.glob("*/record.json")) == before
    assert node.run()["state"] == "succeeded"


def test_a_daemon_that_a_step_started_stays_when_the_run_is_over(node, tmp_path):
    pid_file = tmp_path / "pid"
    node.says(f"""
steps:
  - shell: |
      setsid sh -c 'echo $$ > {pid_file}; exec sleep 600' < /dev/null > /dev/null 2>&1 &
      while [ ! -s {pid_file} ]; do sleep 0.1; done
""")
    daemon = psutil.Process(int(until(pid_file.read_text)))
    assert daemon.is_running()
    os.kill(daemon.pid, signal.SIGKILL)


def test_old_records_are_given_up(config, tmp_path):
    from fakes.monitor import FakeMonitor
    from fakes.runbook_node import RunbookNode

    with FakeMonitor() as monitor, RunbookNode(config, monitor, tmp_path, NODEWARD_NODESERVER_RUNS_KEPT="2") as node:
        node.give([])
        node.wait_until_ready()
        node.has("steps: [{run: ['true']}]")
        runs = [node.run()["id"] for _ in range(4)]
        until(lambda: [row["id"] for row in node.ask("/api/v1/runs", "viewer")[1]["items"]] == runs[:1:-1])
        until(lambda: not (tmp_path / "nodeserver" / "runs" / runs[0]).exists())
