"""`docker compose up --build`, for real: what an operator gets, what containers may do, what happens when a program is lost."""

import json
import re
import time

import pytest

from nodeward.core.errors import NodewardError
from support import audit
from support.appliance import ROOT
from support.composed import VAR, Composed
from support.docker_collection import docker_collection
from support.rolled_fleet import changed
from support.until import until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1200)]  # of the first, building is a part

SERVICES = ["configserver", "logserver", "monitor", "web", "node-a", "node-b"]
PROGRAMS = {service: [service] for service in SERVICES[:4]} | {
    node: ["nodeserver", "tailflog"] for node in SERVICES[4:]
}
STOP_SECONDS = 75  # compose.yaml's stop_grace_period
LOOPBACK = "127.0.0.1"


@pytest.fixture(scope="module", params=["sqlite", pytest.param("mongodb", marks=pytest.mark.mongodb)])
def appliance(request):
    with Composed(request.param) as started:
        yield started


def statuses(appliance, service):
    """What supervisor says of the programs in a container."""
    said = appliance.exec(service, "supervisorctl", "status", check=False)  # it ends with 3 where one is not running
    return [line.split()[:2] for line in said.splitlines()]


def pids(appliance):
    """The processes of the nodes' programs."""
    return {
        node: {name: appliance.exec(node, "supervisorctl", "pid", name).strip() for name in PROGRAMS[node]}
        for node in ("node-a", "node-b")
    }


def test_every_container_is_healthy_and_its_programs_run_under_supervisord_as_pid_1(appliance):
    for service in SERVICES:
        until(lambda service=service: appliance.healthy(service), 120, every=0.5)
        assert "supervisord" in appliance.exec(service, "cat", "/proc/1/cmdline")
        wanted = [[name, "RUNNING"] for name in sorted([*PROGRAMS[service], "listener"])]
        until(lambda service=service, wanted=wanted: statuses(appliance, service) == wanted, every=0.5)


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

    def by_node():
        rows = monitor.get("/api/v1/states", {"limit": 1000})["items"]
        return {node: {row["service"]: row for row in rows if row["node"] == node} for node in ("node-a", "node-b")}

    def with_results():
        return all(
            len(rows) > 10 and all(row["state"] != "PENDING" for row in rows.values()) for rows in by_node().values()
        )

    def reached(node, service):
        return by_node()[node][service]["state"] in ("UP", "OK")  # the first to start may have asked in vain at first

    until(with_results, 240, every=0.5)
    for node, other in (("node-a", "node-b"), ("node-b", "node-a")):
        for service in (None, f"ping-{other}"):
            until(lambda node=node, service=service: reached(node, service), 240, every=0.5)


def test_both_nodes_ship_their_logs(appliance):
    logserver = appliance.client("logserver", 7402)

    def nodes():
        return {row["node"] for row in logserver.get("/api/v1/sources")["items"]}

    assert until(lambda: nodes() >= {"node-a", "node-b"}, 120, every=0.5)


def test_what_supervisorctl_does_in_a_container_is_in_the_audit_list(appliance):
    appliance.exec("node-a", "supervisorctl", "restart", "tailflog")
    wanted = {("stop program", "tailflog on node-a"), ("start program", "tailflog on node-a")}

    def told():
        rows = audit.deeds(appliance.client("configserver", 7401))
        return wanted <= {(row["action"], row["what"]) for row in rows if row["who"] == "supervisorctl or outside"}

    until(told, 120, every=0.5)


def test_a_role_runs_in_the_foreground_of_its_container_and_goes_back_to_supervisor(appliance):
    running = appliance.begin("node-b", "sh", "-c", "echo $$; exec nodeward tailflog debug")
    pid, said, ended = running.stdout.readline().strip(), "", False
    for line in running.stdout:
        said += line
        if "started" in line and not ended:
            ended = True
            appliance.exec("node-b", "sh", "-c", f"kill -s INT -- -{pid}")  # the group, as Ctrl-C does
    running.stdout.close()
    assert running.wait(120) == 0, said
    assert "tailflog is stopped under supervisor while it runs here" in said
    assert "under supervisor again" in said
    until(lambda: "RUNNING" in appliance.exec("node-b", "supervisorctl", "status", "tailflog", check=False), 120)


SHIPPED = ROOT / "config" / "runbooks"
SECRET = "open-sesame-4711"
RUNBOOKS = """
kind: runbook
name: type-secret
parameters: {word: {type: secret}}
steps:
  - shell: |
      printf 'word: '; read -r word; echo "it has ${#word} characters and is $word"
      until [ -e /tmp/enough ]; do sleep 0.2; done
    expect: [{pattern: 'word: $', send: '{{ word }}'}]
---
kind: runbook
name: carry
parameters: {file: {pattern: '[a-z]+'}, to: {type: node}}
steps: [{copy: {from: {node: node-a, path: '/tmp/{{ file }}'}, to: {node: '{{ to }}', path: '/tmp/{{ file }}'}}}]
---
kind: runbook
name: go-on-for-long
steps: [{shell: "setsid sleep 7001 & sleep 7002 & echo here they are; sleep 7003", timeout: 1h}]
"""


def commands(appliance, service):
    """The arguments of every process in a container, as `ps` shows them to everybody there."""
    each = "for it in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $it; echo; done 2>/dev/null"
    return [line.strip() for line in appliance.exec(service, "sh", "-c", each, check=False).splitlines()]


def begun(appliance, runbook, *words, given=""):
    """Start a run on node-a and do not follow it; return its id."""
    answer = appliance.nodeward("run", runbook, "--node", "node-a", "-o", "json", *words, given=given)
    return json.loads(answer.stdout)["id"]


def printed(appliance, run):
    """What a run has printed so far, as people see it."""
    return appliance.nodeward("runs", "show", run, "--node", "node-a").stdout


def test_a_shipped_runbook_runs_on_a_node_and_is_followed(appliance):
    appliance.nodeward("apply", "-f", "-", given=(SHIPPED / "collect-diagnostics.yaml").read_text())
    followed = appliance.nodeward("run", "collect-diagnostics", "--node", "node-a", "--follow")
    assert "Linux node-a" in followed.stdout
    assert re.search("nodeserver +RUNNING", followed.stdout)
    assert followed.stderr.strip().endswith("succeeded")
    assert "Exception ignored" not in appliance.compose("logs", "node-a").stdout


def test_a_secret_typed_in_a_run_is_found_nowhere(appliance):
    appliance.nodeward("apply", "-f", "-", given=RUNBOOKS)
    run = begun(appliance, "type-secret", "--from-file", "word=-", given=SECRET)
    blotted = (
        f"it has {len(SECRET)} characters and is •••••"  # printed by the program; the step's own title has ${#word}
    )
    told = until(lambda: said if blotted in (said := printed(appliance, run)) else None, 120, every=0.2)
    assert SECRET not in told
    for service in ("node-a", "configserver"):
        assert not any(SECRET in line for line in commands(appliance, service))
    appliance.exec("node-a", "touch", "/tmp/enough")
    ended = appliance.nodeward("runs", "show", run, "--node", "node-a", "--follow")
    assert SECRET not in ended.stdout + ended.stderr
    assert "succeeded" in ended.stderr
    for service in (
        "node-a",
        "node-b",
        "configserver",
        "logserver",
        "monitor",
        "web",
    ):  # the pattern comes on standard input
        found = appliance.exec(service, "grep", "-rlF", "-D", "skip", "-f", "-", VAR, "/tmp", given=SECRET, check=False)
        assert found == "", service
    assert SECRET not in appliance.compose("logs").stdout
    assert appliance.client("logserver", 7402).get("/api/v1/logs", {"q": f'"{SECRET}"'})["items"] == []


def test_a_file_is_carried_from_one_node_to_another(appliance):
    appliance.nodeward("apply", "-f", "-", given=RUNBOOKS)
    appliance.exec("node-a", "sh", "-c", "head -c 700000 /dev/urandom > /tmp/cargo")
    carried = appliance.nodeward("run", "carry", "-p", "file=cargo", "-p", "to=node-b", "--node", "node-a", "--follow")
    sums = {appliance.exec(node, "sha256sum", "/tmp/cargo").split()[0] for node in ("node-a", "node-b")}
    assert len(sums) == 1
    assert f"700000 bytes, sha256 {sums.pop()}" in carried.stdout
    refused = appliance.nodeward(
        "run", "carry", "-p", "file=none", "-p", "to=node-b", "--node", "node-a", "--follow", check=False
    )
    assert (refused.returncode, "/tmp/none" in refused.stderr) == (1, True)


def test_a_run_that_is_stopped_leaves_no_process_and_a_true_record(appliance):
    appliance.nodeward("apply", "-f", "-", given=RUNBOOKS)
    run = begun(appliance, "go-on-for-long")
    started = {"sleep 7001", "sleep 7002", "sleep 7003"}
    until(lambda: started <= set(commands(appliance, "node-a")), 120, every=0.2)
    appliance.nodeward("runs", "stop", run, "--node", "node-a")
    followed = appliance.nodeward("runs", "show", run, "--node", "node-a", "--follow", check=False)
    assert followed.returncode == 1
    assert not started & set(commands(appliance, "node-a"))
    record = json.loads(appliance.nodeward("runs", "show", run, "--node", "node-a", "-o", "json").stdout)
    assert (record["state"], record["detail"], record["steps"][0]["state"]) == ("stopped", "Stopped by cli.", "stopped")
    assert "here they are" in followed.stdout


def test_a_changed_check_is_rolled_out_a_hand_edit_is_found_and_the_second_run_changes_nothing(appliance):
    config = appliance.client("configserver", 7401)
    settled = appliance.play("rollout")
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
    done = appliance.play("rollout")
    assert done.returncode == 0, done.stdout + done.stderr
    assert changed(done)["node-a"] == 0 and changed(done)["node-b"] > 0
    after = pids(appliance)
    assert after["node-a"] == before["node-a"]
    assert {name for name, pid in after["node-b"].items() if pid != before["node-b"][name]} == {"nodeserver"}
    again = appliance.play("rollout")
    assert (again.returncode, changed(again)) == (0, {"node-a": 0, "node-b": 0})
    file = "/var/lib/nodeward/nodeserver/bundle/nodeserver.json"
    appliance.exec("node-b", "sed", "-i", 's/"host": "node-a"/"host": "node-b"/', file)
    drift = appliance.play("drift")
    assert (drift.returncode, changed(drift)) == (2, {"node-a": 0, "node-b": 1})
    rolled = appliance.compose("exec", "-T", "configserver", "nodeward", "rollout", check=False)
    assert rolled.returncode == 0, rolled.stdout + rolled.stderr
    assert appliance.play("drift").returncode == 0


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
    done = appliance.play("rollout", *words, **collections)
    assert done.returncode == 0, done.stdout + done.stderr
    assert changed(done)["node-b"] > 0
    again = appliance.play("rollout", *words, **collections)
    assert (again.returncode, changed(again)) == (0, {"node-b": 0})


def test_a_program_that_is_killed_is_healed_without_the_container(appliance):
    before = appliance.container("logserver")["State"]["StartedAt"]
    first = appliance.exec("logserver", "supervisorctl", "pid", "logserver")
    appliance.exec("logserver", "supervisorctl", "signal", "KILL", "logserver")

    def again():  # supervisorctl ends with 7 while it does not run
        pid = appliance.exec("logserver", "supervisorctl", "pid", "logserver", check=False).strip()
        return pid.isdecimal() and pid not in ("0", first.strip())

    until(again, 120, every=0.2)
    until(lambda: appliance.healthy("logserver"), 240, every=0.5)
    assert appliance.container("logserver")["State"]["StartedAt"] == before


def test_a_critical_program_killed_to_fatal_restarts_the_container_and_nothing_is_lost(appliance):
    monitor = appliance.client("monitor", 7403)
    before = {json.dumps(event, sort_keys=True) for event in monitor.get("/api/v1/events", {"limit": 500})["items"]}
    restarts = appliance.container("monitor")["RestartCount"]

    def killed():
        appliance.compose("exec", "-T", "monitor", "supervisorctl", "signal", "KILL", "monitor", check=False)
        return appliance.container("monitor")["RestartCount"] > restarts

    until(killed, 240, every=0.2)
    until(lambda: appliance.healthy("monitor"), 240, every=0.5)
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

    assert before <= until(after, 120, every=0.5)


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

    clients = (logserver, monitor, appliance.client("configserver", 7401))
    for client in clients:
        assert until(lambda client=client: missing(client), 120, every=0.5)
    for service in ("logserver", "monitor", "configserver"):
        health = appliance.exec(service, "python", "-m", "nodeward.supervise.health", check=False)
        assert "MongoDB at mongodb:27017, database nodeward, does not answer" in health

    meanwhile = "written while the database was away"
    appliance.exec("node-a", "sh", "-c", f"echo {meanwhile} >> /var/lib/nodeward/log/supervisord.log")
    appliance.compose("start", "mongodb")
    for client in clients:
        until(lambda client=client: missing(client) is None, 120, every=0.5)  # Docker may not have looked meanwhile
    for service in SERVICES:
        until(lambda service=service: appliance.healthy(service), 240, every=0.5)
    found = [row["id"] for row in logserver.get("/api/v1/logs", wanted)["items"]]
    assert [each for each in found if each in set(before)] == before
    assert {row["id"] for row in monitor.get("/api/v1/events", {"limit": 1000})["items"]} >= events
    came = until(lambda: logserver.get("/api/v1/logs", {"q": f'"{meanwhile}"'})["items"], 240, every=0.5)
    assert [(row["node"], row["source"], row["raw"]) for row in came] == [("node-a", "supervisor", meanwhile)]


def test_what_was_backed_up_comes_back_and_what_came_since_is_gone(appliance, tmp_path):
    logserver, config = appliance.client("logserver", 7402), appliance.client("configserver", 7401)
    file = f"{VAR}/kept.nodeward"

    def stored(text):
        return len(logserver.get("/api/v1/logs", {"q": f'"{text}"'})["items"])

    def happens_on_node_a(text):
        appliance.exec("node-a", "sh", "-c", f"echo {text} >> {VAR}/log/supervisord.log")
        until(lambda: stored(text), 120, every=0.3)

    happens_on_node_a("written before the backup")
    revisions = config.get("/api/v1/revisions")["items"]
    appliance.nodeward("backup", file)
    appliance.compose("cp", f"configserver:{file}", str(tmp_path))
    appliance.exec("configserver", "rm", file)
    config.delete("/api/v1/objects/check/uptime")
    happens_on_node_a("written since the backup")

    content = (tmp_path / "kept.nodeward").read_bytes()
    appliance.exec("configserver", "sh", "-c", f"umask 077; cat > {file}", given=content)
    refused = appliance.nodeward("restore", file, check=False)
    assert (refused.returncode, "is not empty" in refused.stderr) == (1, True)
    restored = appliance.nodeward("restore", "--force", file)
    rows = [re.split(" {2,}", line.strip()) for line in restored.stdout.splitlines()[1:4]]
    assert [row[0] for row in rows] == ["registry", "states", "logs"]
    assert all(row[1] == row[2] for row in rows)
    assert config.get("/api/v1/revisions")["items"] == revisions
    assert config.get("/api/v1/objects/check/uptime")["plugin"] == "uptime"
    assert (stored("written before the backup"), stored("written since the backup")) == (1, 0)
    for service in SERVICES:
        until(lambda service=service: appliance.healthy(service), 240, every=0.5)
    happens_on_node_a("written after the restore")


def test_everything_stops_gracefully_and_in_time(appliance):
    began = time.monotonic()
    appliance.compose("stop")
    assert time.monotonic() - began < STOP_SECONDS
    states = {service: appliance.container(service)["State"] for service in SERVICES}
    assert {service: state["ExitCode"] for service, state in states.items()} == dict.fromkeys(SERVICES, 0)
    assert not any(state["OOMKilled"] for state in states.values())
