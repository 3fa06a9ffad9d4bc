"""`nodeward run` and `nodeward runs`, as people and scripts use them, against a real config server and node server."""

import json
import os
import pty
import re
import signal
import subprocess
import sys

import pytest

from fakes.runbook_appliance import RunbookAppliance
from support import audit
from support.ports import free_port
from support.until import until

BOOKS = """
kind: runbook
name: greet
parameters: {who: {description: whom}, often: {type: int, default: 1}}
steps: [{run: [echo, 'hello {{ who }} {{ often }}'], name: greet them}]
---
kind: runbook
name: ask
parameters: {word: {type: secret}}
steps:
  - {ask: {question: Go on?, go_on: ['yes']}}
  - {shell: 'test "$P" = open-sesame && echo it is "$P"', env: {P: '{{ word }}'}}
---
kind: runbook
name: wait
steps: [{run: [sleep, '600']}]
"""


@pytest.fixture(scope="module")
def appliance(tmp_path_factory):
    port = free_port()
    with RunbookAppliance(tmp_path_factory.mktemp("var"), port) as started:
        started.apply(BOOKS)
        yield started


def said(ended, code=0):
    assert "Traceback" not in ended.stderr
    assert ended.returncode == code, (ended.stdout, ended.stderr)
    return ended.stdout if code == 0 else ended.stderr


def test_a_run_is_started_followed_shown_listed_and_played_again(appliance):
    ended = appliance.nodeward("run", "greet", "-p", "who=wörld", "-p", "often=3", "--follow")
    assert "hello wörld 3" in said(ended)
    assert "✓ greet them  ok" in ended.stderr
    assert ended.stderr.strip().endswith("succeeded")
    (row,) = json.loads(said(appliance.nodeward("runs", "--runbook", "greet", "-o", "json")))
    assert (row["state"], row["parameters"]) == ("succeeded", {"who": "wörld", "often": 3})
    shown = said(appliance.nodeward("runs", "show", row["id"]))
    assert "who = wörld" in shown and "✓ greet them  ok" in shown and "hello wörld 3" in shown
    assert (
        json.loads(said(appliance.nodeward("runs", "show", row["id"], "-o", "json")))["output"] == "hello wörld 3\r\n"
    )
    assert row["id"] in said(appliance.nodeward("runs", "-q", "wörld"))
    assert "hello wörld 3" in said(appliance.nodeward("runs", "replay", row["id"], "--speed", "0"))
    cast = said(appliance.nodeward("runs", "replay", row["id"], "-o", "asciicast")).splitlines()
    assert json.loads(cast[0])["version"] == 2


def test_what_is_wrong_is_told(appliance):
    assert "parameters.who': is missing" in said(appliance.nodeward("run", "greet"), 1)
    assert "There is no runbook 'no'" in said(appliance.nodeward("run", "no"), 1)
    assert "There is no node 'nowhere'" in said(appliance.nodeward("run", "greet", "--node", "nowhere"), 1)
    assert "is not NAME=VALUE" in said(appliance.nodeward("run", "greet", "-p", "who"), 2)
    assert "No node has a run 'no-such'" in said(appliance.nodeward("runs", "show", "no-such"), 1)
    assert "No node has a run 'no-such'" in said(appliance.nodeward("runs", "stop", "no-such"), 1)


def test_a_question_is_answered_and_a_secret_comes_from_a_file(appliance, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("open-sesame\n")
    row = json.loads(said(appliance.nodeward("run", "ask", "--from-file", f"word={secret}", "-o", "json")))
    until(lambda: "asking" in said(appliance.nodeward("runs", "--runbook", "ask")))
    shown = appliance.nodeward("runs", "show", row["id"])
    assert "It asks: Go on? (yes|no)" in shown.stderr
    assert "it is none of yes, no" in said(appliance.nodeward("runs", "answer", row["id"], "perhaps"), 1)
    said(appliance.nodeward("runs", "answer", row["id"], "yes"))
    followed = appliance.nodeward("runs", "show", row["id"], "--follow")
    assert "it is •••••" in said(followed)
    assert "open-sesame" not in followed.stdout + followed.stderr


def test_on_a_terminal_secrets_and_questions_are_asked_for(appliance):
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(appliance.environment)
        os.execv(sys.executable, [sys.executable, "-m", "nodeward.cli.main", "run", "ask", "--follow"])
    seen = b""

    def read_until(pattern):
        nonlocal seen
        while not re.search(pattern, seen):
            seen += os.read(fd, 4096)

    read_until(rb"word: ")
    os.write(fd, b"open-sesame\n")
    read_until(rb"Go on\?.*: ")
    os.write(fd, b"yes\n")
    read_until(rb"succeeded")
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    assert os.waitstatus_to_exitcode(status) == 0
    assert b"open-sesame" not in seen


def test_ctrl_c_only_stops_looking_and_says_how_to_stop_the_run(appliance):
    process = subprocess.Popen(
        [sys.executable, "-m", "nodeward.cli.main", "run", "wait", "--follow"],
        env=appliance.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert "sleep 600" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=100)
    assert process.returncode == 130
    run = re.search(r"`nodeward runs stop (\S+)` stops it", stderr)[1]
    assert run in said(appliance.nodeward("runs", "--state", "running"))
    assert "is being stopped" in said(appliance.nodeward("runs", "stop", run))
    assert "stopped: Stopped by cli" in said(appliance.nodeward("runs", "show", run, "--follow"), 1)
    assert "has ended: stopped" in said(appliance.nodeward("runs", "stop", run), 1)
    wanted = {("run", "here"), ("stop run", "here")}  # the node server tells the second of them when it comes to it
    until(lambda: wanted <= {(deed["action"], deed["via"]) for deed in audit.deeds(appliance.admin)}, 60)
