"""`docker compose up --build`, for real: what an operator gets, what containers may do, what happens when a program is lost."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nodeward.core.client import Client
from nodeward.core.errors import NodewardError
from support.appliance import ROOT
from support.docker_collection import docker_collection
from support.rolled_fleet import changed
from support.until import until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

SERVICES = ["configserver", "logserver", "monitor", "web", "node-a", "node-b"]
PROGRAMS = {service: [service] for service in SERVICES[:4]} | {
    node: ["nodeserver", "tailflog"] for node in SERVICES[4:]
}
STOP_SECONDS = 75  # compose.yaml's stop_grace_period
LOOPBACK = "127.0.0.1"


class Appliance:
    """The composed appliance, under a project name of its own and on ports that Docker chooses."""

    def __init__(self, store: str) -> None:
        self.project = f"nodeward-test-{os.getpid()}-{store}"
        self.store = store
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("NODEWARD_", "COMPOSE_"))}
        chosen = {
            f"NODEWARD_{role}_PORT": "0" for role in ("WEB", "CONFIGSERVER", "LOGSERVER", "MONITOR", "LOGSERVER_SYSLOG")
        }
        if store == "mongodb":
            chosen |= {"NODEWARD_STORE": "mongodb://mongodb/nodeward", "COMPOSE_PROFILES": "mongodb"}
        self.environment = {**kept, **chosen, "BUILDKIT_PROGRESS": "plain"}

    def compose(self, *arguments, check=True):
        done = subprocess.run(
            ["docker", "compose", "--project-name", self.project, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=550,
            check=False,
        )
        assert done.returncode == 0 or not check, f"{arguments}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done

    def exec(self, service, *command, check=True):
        return self.compose("exec", "-T", service, *command, check=check).stdout

    def begin(self, service, *command):
        """Start a command in a container and do not wait for it; what it says on both streams comes on one."""
        return subprocess.Popen(
            ["docker", "compose", "--project-name", self.project, "exec", "-T", service, *command],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def container(self, service):
        """What Docker knows of the container, running or not."""
        identifier = self.compose("ps", "--all", "--quiet", service).stdout.strip()
        return json.loads(subprocess.run(["docker", "inspect", identifier], check=True, capture_output=True).stdout)[0]

    def healthy(self, service):
        state = self.container(service)["State"]
        return state["Running"] and state["Health"]["Status"] == "healthy"

    def client(self, service, port):
        """A client of a server, from this machine, as the administrator that the command line is."""
        address = self.compose("port", service, str(port)).stdout.strip()
        return Client(
            f"http://{address}", self.exec("configserver", "cat", "/var/lib/nodeward/secrets/cli/token").strip()
        )


@pytest.fixture(scope="module", params=["sqlite", pytest.param("mongodb", marks=pytest.mark.mongodb)])
def appliance(request):
    made = Appliance(request.param)
    try:
        made.compose("up", "--build", "--detach", "--wait", "--wait-timeout", "300")
        yield made
    finally:
        made.compose("down", "--volumes", "--timeout", "20")
        assert made.compose("ps", "--all", "--quiet").stdout == ""


def test_every_container_is_healthy_and_its_programs_run_under_supervisord_as_pid_1(appliance):
    for service in SERVICES:
        assert appliance.healthy(service)
        assert "supervisord" in appliance.exec(service, "cat", "/proc/1/cmdline")
        status = [line.split()[:2] for line in appliance.exec(service, "supervisorctl", "status").splitlines()]
        assert status == [[name, "RUNNING"] for name in sorted([*PROGRAMS[service], "listener"])]


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_may_do_nothing_it_does_not_need(appliance, service):
    status = dict(
        line.split(":\t", 1) for line in appliance.exec(service, "cat", "/proc/1/status").splitlines() if ":\t" in line
    )
    assert set(status["Uid"].split()) == {"7400"}
    assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == "1"
    refused = appliance.compose("exec", "-T", service, "touch", "/opt/nodeward/new", check=False)
    assert refused.returncode != 0
    assert "Read-only file system" in refused.stderr


def test_ports_are_published_on_loopback_alone(appliance):
    bindings = [
        binding["HostIp"]
        for service in SERVICES
        for published in appliance.container(service)["NetworkSettings"]["Ports"].values()
        for binding in published or []
    ]
    assert len(bindings) >= 5
    assert set(bindings) == {LOOPBACK}


def test_a_role_sees_no_secret_of_another(appliance):
    for service in ("logserver", "monitor", "web"):
        found = appliance.exec(service, "find", "/var/lib/nodeward/secrets", "-name", "token").split()
        assert found == [f"/var/lib/nodeward/secrets/{service}/token"]


def test_both_nodes_check_themselves_each_other_and_the_appliance(appliance):
    monitor = appliance.client("monitor", 7403)

    def with_results():
        rows = monitor.get("/api/v1/states", {"limit": 1000})["items"]
        return rows if rows and all(row["state"] != "PENDING" for row in rows) else None

    rows = until(with_results, 90, every=0.5)
    for node, other in (("node-a", "node-b"), ("node-b", "node-a")):
        mine = {row["service"]: row for row in rows if row["node"] == node}
        assert len(mine) > 10
        assert mine[None]["state"] == "UP"
        assert mine[f"ping-{other}"]["state"] == "OK", mine[f"ping-{other}"]["output"]


def test_both_nodes_ship_their_logs(appliance):
    logserver = appliance.client("logserver", 7402)

    def nodes():
        return {row["node"] for row in logserver.get("/api/v1/sources")["items"]}

    assert until(lambda: nodes() >= {"node-a", "node-b"}, 60, every=0.5)


def test_what_supervisorctl_does_in_a_container_is_in_the_audit_list(appliance):
    appliance.exec("node-a", "supervisorctl", "restart", "tailflog")
    wanted = {("stop program", "tailflog on node-a"), ("start program", "tailflog on node-a")}

    def told():
        rows = appliance.client("configserver", 7401).get("/api/v1/audit")["items"]
        return wanted <= {(row["action"], row["what"]) for row in rows if row["who"] == "supervisorctl or outside"}

    until(told, 60, every=0.5)


def test_a_role_runs_in_the_foreground_of_its_container_and_goes_back_to_supervisor(appliance):
    running = appliance.begin("node-b", "sh", "-c", "echo $$; exec nodeward tailflog debug")
    pid, said = running.stdout.readline().strip(), ""
    for line in running.stdout:
        said += line
        if "started" in line:
            appliance.exec("node-b", "sh", "-c", f"kill -s INT -- -{pid}")  # the group, as Ctrl-C does
    running.stdout.close()
    assert running.wait(60) == 0, said
    assert "tailflog is stopped under supervisor while it runs here" in said
    assert "under supervisor again" in said
    until(lambda: "RUNNING" in appliance.exec("node-b", "supervisorctl", "status", "tailflog", check=False), 60)


def play(appliance, playbook, *words, **environment):
    """Run a playbook on this machine, as an operator with a token does; the nodes' ports are not published."""
    config = appliance.client("configserver", 7401)
    token = appliance.exec("configserver", "cat", "/var/lib/nodeward/secrets/cli/token").strip()
    named = {"NODEWARD_URL": config.url, "NODEWARD_TOKEN": token}
    return subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), f"playbooks/{playbook}.yml", *words],
        cwd=ROOT / "ansible",
        env={**appliance.environment, **named, "ANSIBLE_NOCOLOR": "1", **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def pids(appliance):
    """The processes of the nodes' programs."""
    return {
        node: {name: appliance.exec(node, "supervisorctl", "pid", name).strip() for name in PROGRAMS[node]}
        for node in ("node-a", "node-b")
    }


def test_a_changed_check_is_rolled_out_a_hand_edit_is_found_and_the_second_run_changes_nothing(appliance):
    config = appliance.client("configserver", 7401)
    settled = play(appliance, "rollout")
    assert settled.returncode == 0, settled.stdout + settled.stderr
    before = pids(appliance)
    check = {
        "kind": "check",
        "name": "ping-node-a",
        "assign": {"nodes": ["node-b"]},
        "plugin": "ping",
        "interval": "20s",
    }
    config.put("/api/v1/objects/check/ping-node-a", {**check, "args": {"host": "node-a"}})
    done = play(appliance, "rollout")
    assert done.returncode == 0, done.stdout + done.stderr
    assert changed(done)["node-a"] == 0 and changed(done)["node-b"] > 0
    after = pids(appliance)
    assert after["node-a"] == before["node-a"]
    assert {name for name, pid in after["node-b"].items() if pid != before["node-b"][name]} == {"nodeserver"}
    again = play(appliance, "rollout")
    assert (again.returncode, changed(again)) == (0, {"node-a": 0, "node-b": 0})
    file = "/var/lib/nodeward/nodeserver/bundle/nodeserver.json"
    appliance.exec("node-b", "sed", "-i", 's/"host": "node-a"/"host": "node-b"/', file)
    drift = play(appliance, "drift")
    assert (drift.returncode, changed(drift)) == (2, {"node-a": 0, "node-b": 1})
    rolled = appliance.compose("exec", "-T", "configserver", "nodeward", "rollout", check=False)
    assert rolled.returncode == 0, rolled.stdout + rolled.stderr
    assert play(appliance, "drift").returncode == 0


@pytest.mark.parametrize("appliance", ["sqlite"], indirect=True)  # the same with either store
def test_the_same_over_a_connection_to_a_container(appliance):
    collections = {"ANSIBLE_COLLECTIONS_PATH": f"{ROOT / 'ansible'}:{docker_collection()}"}
    config = appliance.client("configserver", 7401)
    config.put(
        "/api/v1/objects/check/uptime",
        {"kind": "check", "assign": {"groups": ["linux"]}, "plugin": "uptime", "interval": "4m"},
    )
    reach = {
        "nodeward_reach": "connection",
        "ansible_connection": "community.docker.docker",
        "ansible_host": f"{appliance.project}-{{{{ nodeward_node }}}}-1",
    }
    words = ("--limit", "node-b", "-e", json.dumps(reach))
    done = play(appliance, "rollout", *words, **collections)
    assert done.returncode == 0, done.stdout + done.stderr
    assert changed(done)["node-b"] > 0
    again = play(appliance, "rollout", *words, **collections)
    assert (again.returncode, changed(again)) == (0, {"node-b": 0})


def test_a_program_that_is_killed_is_healed_without_the_container(appliance):
    before = appliance.container("logserver")["State"]["StartedAt"]
    first = appliance.exec("logserver", "supervisorctl", "pid", "logserver")
    appliance.exec("logserver", "supervisorctl", "signal", "KILL", "logserver")
    until(
        lambda: appliance.exec("logserver", "supervisorctl", "pid", "logserver").strip() not in ("0", first.strip()), 30
    )
    until(lambda: appliance.healthy("logserver"), 60, every=0.5)
    assert appliance.container("logserver")["State"]["StartedAt"] == before


def test_a_critical_program_killed_to_fatal_restarts_the_container_and_nothing_is_lost(appliance):
    monitor = appliance.client("monitor", 7403)
    before = {json.dumps(event, sort_keys=True) for event in monitor.get("/api/v1/events", {"limit": 500})["items"]}
    restarts = appliance.container("monitor")["RestartCount"]

    def killed():
        appliance.compose("exec", "-T", "monitor", "supervisorctl", "signal", "KILL", "monitor", check=False)
        return appliance.container("monitor")["RestartCount"] > restarts

    until(killed, 120, every=0.2)
    until(lambda: appliance.healthy("monitor"), 120, every=0.5)
    log = appliance.compose("logs", "--no-log-prefix", "monitor").stdout
    assert "monitor is lost: supervisor gave it up (FATAL); ending the container" in log
    assert "the container had been ended: " in log

    def after():
        try:
            monitor = appliance.client("monitor", 7403)  # Docker chose another port
            return {
                json.dumps(event, sort_keys=True) for event in monitor.get("/api/v1/events", {"limit": 1000})["items"]
            }
        except NodewardError:
            return None

    assert before <= until(after, 30, every=0.5)


def test_what_was_acknowledged_outlives_the_store_and_meanwhile_the_roles_say_what_they_miss(appliance):
    if appliance.store != "mongodb":
        pytest.skip("the embedded store is no container of its own: there is none to kill")
    logserver, monitor = appliance.client("logserver", 7402), appliance.client("monitor", 7403)
    wanted = {"node": "node-a", "source": "nodeward", "limit": 1000, "order": "asc"}
    before = [row["id"] for row in logserver.get("/api/v1/logs", wanted)["items"]]
    events = {row["id"] for row in monitor.get("/api/v1/events", {"limit": 1000})["items"]}
    assert before

    appliance.compose("kill", "mongodb")

    def missing(client):
        try:
            client.get("/readyz")
        except NodewardError as error:
            return str(error)
        return None

    for client in (logserver, monitor, appliance.client("configserver", 7401)):
        assert until(lambda client=client: missing(client), 60, every=0.5)
    for service in ("logserver", "monitor", "configserver"):
        health = appliance.exec(service, "python", "-m", "nodeward.supervise.health", check=False)
        assert "MongoDB at mongodb:27017, database nodeward, does not answer" in health

    meanwhile = "written while the database was away"
    appliance.exec("node-a", "sh", "-c", f"echo {meanwhile} >> /var/lib/nodeward/log/supervisord.log")
    appliance.compose("start", "mongodb")
    for service in SERVICES:
        until(lambda service=service: appliance.healthy(service), 120, every=0.5)
    found = [row["id"] for row in logserver.get("/api/v1/logs", wanted)["items"]]
    assert found[: len(before)] == before
    assert {row["id"] for row in monitor.get("/api/v1/events", {"limit": 1000})["items"]} >= events
    came = until(lambda: logserver.get("/api/v1/logs", {"q": f'"{meanwhile}"'})["items"], 90, every=0.5)
    assert [(row["node"], row["source"], row["raw"]) for row in came] == [("node-a", "supervisor", meanwhile)]


def test_everything_stops_gracefully_and_in_time(appliance):
    began = time.monotonic()
    appliance.compose("stop")
    assert time.monotonic() - began < STOP_SECONDS
    states = {service: appliance.container(service)["State"] for service in SERVICES}
    assert {service: state["ExitCode"] for service, state in states.items()} == dict.fromkeys(SERVICES, 0)
    assert not any(state["OOMKilled"] for state in states.values())
