"""`script/up`, for real, on free ports: this machine is watched, its lines are found, programs may be killed, and all ends."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time

import psutil
import pytest

from nodeward.core.client import Client
from nodeward.core.errors import NodewardError
from nodeward.core.ports import PORTS
from nodeward.core.wallet import NodeClient, Wallet
from nodeward.supervise.client import Programs
from nodeward.supervise.machine import processes
from support import audit
from support.appliance import ROOT
from support.ports import free_port
from support.until import until

pytestmark = [pytest.mark.alone, pytest.mark.timeout(600)]

NAMES = [*PORTS, "tailflog"]
LINES_PER_KILL = 20
KNOWN = {"OK", "WARNING", "CRITICAL", "UNKNOWN", "UP"}
LOG = """
kind: log
name: story
assign: {nodes: [local]}
paths: ["%s"]
format: raw
"""


class Appliance:
    """The appliance of this checkout, with state and ports of its own."""

    def __init__(self, var):
        self.var = var
        self.ports = {role: free_port() for role in PORTS}
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("NODEWARD_")},
            **{f"NODEWARD_{role.upper()}_PORT": str(port) for role, port in self.ports.items()},
            "NODEWARD_LOGSERVER_SYSLOG_PORT": "0",
            "NODEWARD_VAR": str(var),
        }

    def script(self, name, *arguments):
        return subprocess.run(
            [ROOT / "script" / name, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )

    def nodeward(self, *arguments):
        return subprocess.run(
            [sys.executable, "-m", "nodeward.cli.main", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def client(self, role):
        url, token = f"http://127.0.0.1:{self.ports[role]}", (self.var / "secrets/cli/token").read_text().strip()
        return (
            NodeClient("local", url, Wallet(self.client("configserver")), timeout=60.0)
            if role == "nodeserver"
            else Client(url, token, timeout=60.0)
        )

    def pids(self):
        return {program.name: program.pid for program in Programs(self.var).list()}

    def messages(self, word):
        """The stored messages of the story that hold that word, or none while the log server is away."""
        try:
            found = self.client("logserver").get("/api/v1/logs", {"source": "story", "q": word, "limit": 1000})
        except NodewardError:
            return []
        return [row["message"] for row in found["items"]]


@pytest.fixture(scope="module")
def appliance(tmp_path_factory):
    made = Appliance(tmp_path_factory.mktemp("up") / "v")
    try:
        started = made.script("up")
        assert started.returncode == 0, started.stdout + started.stderr
        made.said = started.stdout
        made.first_logs = {path.name: path.read_text() for path in sorted((made.var / "log").iterdir())}
        yield made
    finally:
        made.script("down")
        assert processes.supervisord(made.var) is None
        assert processes.orphans(made.var) == []


@pytest.fixture(scope="module")
def story(appliance, tmp_path_factory):
    """A file that this machine follows since just now."""
    path = tmp_path_factory.mktemp("story") / "story.log"
    path.write_text("prologue\n")
    config = appliance.client("configserver")
    config.request("POST", "/api/v1/apply", body=(LOG % path).encode(), headers={"Content-Type": "application/yaml"})
    until(lambda: appliance.messages("prologue"), 60)
    return path


def test_one_command_and_this_machine_is_watched(appliance):
    services = [row for row in _states(appliance) if row["service"] is not None]
    assert len(services) > 10
    until(lambda: {row["state"] for row in _states(appliance)} <= KNOWN, 120)  # `up` itself waits 45 s for them at most
    assert f"http://127.0.0.1:{appliance.ports['web']}/" in appliance.said
    password = appliance.var / "secrets" / "admin-password"
    assert str(password) in appliance.said
    assert stat.S_IMODE(password.stat().st_mode) == 0o600


def test_a_first_start_has_nothing_to_warn_of(appliance):
    assert {f"{name}.log" for name in NAMES} < appliance.first_logs.keys()
    bad = re.compile(r"\b(WARN|WARNING|ERROR|CRITICAL|Traceback)\b")
    lines = [f"{name}: {line}" for name, text in appliance.first_logs.items() for line in text.splitlines()]
    assert [line for line in lines if bad.search(line)] == []


def test_every_server_shows_supervisors_programs(appliance):
    for role in PORTS:
        rows = appliance.client(role).get("/api/v1/programs")["items"]
        assert {row["name"]: row["state"] for row in rows} == dict.fromkeys([*NAMES, "listener"], "RUNNING")


def test_status_is_supervisorctls(appliance):
    shown = appliance.script("status")
    assert shown.returncode == 0
    assert sorted(line.split()[0] for line in shown.stdout.splitlines()) == sorted([*NAMES, "listener"])


def test_a_line_written_to_a_followed_file_is_found_within_a_second(appliance, story):
    took = []  # the quickest of a few counts: the machine may do something else for a moment
    for word in ("heureka", "again", "oncemore", "atlast"):
        with story.open("a") as file:
            file.write(f"{word}\n")
        began = time.monotonic()
        until(lambda word=word: appliance.messages(word))
        took.append(time.monotonic() - began)
        if took[-1] < 1:
            break
    assert min(took) < 1, took


def test_a_server_answers_the_request_that_restarts_it(appliance):
    first = appliance.pids()["monitor"]
    answer = appliance.client("monitor").post("/api/v1/programs/monitor/restart")
    assert answer["name"] == "monitor"
    until(lambda: appliance.pids()["monitor"] not in (None, first), 60)
    until(lambda: _ready(appliance, "monitor"), 60)


def test_who_did_what_to_a_program_is_in_the_audit_list_whichever_way_it_was_done(appliance):
    config, token = (
        f"http://127.0.0.1:{appliance.ports['configserver']}",
        (appliance.var / "secrets/web/token").read_text(),
    )
    wallet = Wallet(Client(config, token.strip(), timeout=60.0))
    node = NodeClient("local", f"http://127.0.0.1:{appliance.ports['nodeserver']}", wallet, timeout=60.0)
    node.acting_for("admin", "admin", "192.0.2.9").post("/api/v1/programs/tailflog/restart")
    until(lambda: Programs(appliance.var).get("tailflog").state == "RUNNING", 60)
    assert appliance.nodeward("tailflog", "restart").returncode == 0
    until(lambda: Programs(appliance.var).get("tailflog").state == "RUNNING", 60)
    os.utime(appliance.var / "run" / "asked" / "tailflog", (0, 0))  # as if it had been a while ago
    assert appliance.script("status", "restart", "tailflog").returncode == 0
    until(lambda: len(_audit(appliance)) >= 4, 60)
    found = _audit(appliance)[:4]
    assert {row["what"] for row in found} == {"tailflog on local"}
    assert [(row["who"], row["action"], row["address"]) for row in found[-1:]] == [
        ("admin", "restart program", "192.0.2.9")
    ]
    assert [row["via"] for row in found[-1:]] == ["web"]
    assert [row["action"] for row in found] == ["start program", "stop program", "restart program", "restart program"]
    assert {row["who"] for row in found[:2]} == {"supervisorctl or outside"}
    assert "on this machine" in found[2]["who"]


def test_programs_and_checks_are_at_hand_on_the_command_line(appliance):
    rows = json.loads(appliance.nodeward("programs", "-o", "json").stdout)
    assert {(row["where"], row["name"]) for row in rows} == {("local", name) for name in [*NAMES, "listener"]}
    assert "started" in appliance.nodeward("programs", "tail", "local", "monitor").stdout
    assert appliance.nodeward("programs", "restart", "nodeserver", "web").returncode == 1  # no server's name, no node's
    row = json.loads(appliance.nodeward("recheck", "local", "load", "-o", "json").stdout)
    assert (row["node"], row["service"], row["state"] in ("OK", "WARNING", "CRITICAL")) == ("local", "load", True)


def _audit(appliance):
    rows = audit.deeds(appliance.client("configserver"))
    return [row for row in rows if row["action"].endswith(" program") and row["what"].startswith("tailflog")]


def test_every_program_may_be_killed_and_no_line_is_lost_or_doubled(appliance, story):
    written = []
    for name in NAMES:
        killed = until(lambda name=name: appliance.pids()[name])
        os.kill(killed, signal.SIGKILL)
        with story.open("a") as file:
            for number in range(LINES_PER_KILL):
                written.append(f"chapter {len(written)} {name} {number}")
                file.write(written[-1] + "\n")
        until(lambda name=name, killed=killed: appliance.pids()[name] not in (None, killed), 60)
    until(lambda: all(_ready(appliance, role) for role in PORTS), 90)
    until(lambda: len(appliance.messages("chapter")) >= len(written), 120)
    assert sorted(appliance.messages("chapter")) == sorted(written)
    assert not [row for row in _states(appliance) if row["state"] == "PENDING"]


def test_a_second_up_is_quick_and_changes_nothing(appliance):
    until(lambda: {program.state for program in Programs(appliance.var).list()} == {"RUNNING"}, 60)
    before, began = appliance.pids(), time.monotonic()
    again = appliance.script("up")
    assert again.returncode == 0, again.stdout + again.stderr
    assert time.monotonic() - began < 20
    assert appliance.pids() == before


def test_down_ends_everything_and_the_next_up_still_knows_it(appliance, story):
    everything = [psutil.Process(pid) for pid in appliance.pids().values()]
    everything += [child for process in everything for child in process.children(recursive=True)]
    done = appliance.script("down")
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(processes.ended(process) for process in everything)
    assert appliance.script("up").returncode == 0
    assert appliance.messages("heureka") == ["heureka"]


def _states(appliance):
    return appliance.client("monitor").get("/api/v1/states", {"node": "local", "limit": 1000})["items"]


def _ready(appliance, role):
    try:
        appliance.client(role).get("/readyz")
    except NodewardError:
        return False
    return True
