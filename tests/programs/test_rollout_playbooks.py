"""The playbooks, against real nodes: the right programs start anew, a second run changes nothing, a hand edit is found.

What is wrong stops at the first node, and is taken back from it.
"""

import getpass
import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from nodeward.core.errors import Unavailable
from support.ports import free_port
from support.rolled_fleet import NODES, UNSTARTABLE, RolledFleet, changed, said_by, settle
from support.until import until

pytestmark = [pytest.mark.alone, pytest.mark.timeout(300)]

QUICK = ("-e", "nodeward_well_seconds=8")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RolledFleet]:
    with RolledFleet(tmp_path_factory.mktemp("fleet")) as started:
        yield started


def test_a_changed_check_of_one_group_starts_one_program_of_its_nodes_anew_and_nothing_else(fleet: RolledFleet) -> None:
    before = settle(fleet)
    fleet.apply("{kind: check, name: swap, assign: {groups: [second]}, plugin: swap, interval: 11s}")
    looked = fleet.play("rollout", "--check", "--diff")
    assert looked.returncode == 0, looked.stdout
    assert '+    {"node": "node-b"' in looked.stdout and '"service": "swap"' in looked.stdout
    assert fleet.files("node-b") != fleet.newest("node-b")
    done = fleet.play("rollout")
    assert done.returncode == 0, done.stdout + done.stderr
    assert changed(done) == {"node-a": 0, "node-b": 2}
    after = {name: fleet.pids(name) for name in NODES}
    assert after["node-a"] == before["node-a"]
    assert {name for name, pid in after["node-b"].items() if pid != before["node-b"][name]} == {"nodeserver"}
    assert all(fleet.files(name) == fleet.newest(name) for name in NODES)  # the preview is what is on the disk
    again = fleet.play("rollout")
    assert (again.returncode, changed(again)) == (0, {"node-a": 0, "node-b": 0})
    assert {name: fleet.pids(name) for name in NODES} == after


def test_a_poisoned_template_stops_at_the_first_node_and_changes_nothing(fleet: RolledFleet) -> None:
    before = settle(fleet)
    files = {name: fleet.files(name) for name in NODES}
    fleet.template("nodeserver", '"heartbeat": {{ heartbeat }}', '"heartbeat": "soon"')
    fleet.restart_config()
    fleet.change(31)
    done = fleet.play("rollout")
    fleet.templates_as_they_were()
    fleet.restart_config()
    assert done.returncode == 2
    assert "heartbeat" in said_by(done) and "Nothing was changed on it." in said_by(done)
    assert "NO MORE HOSTS LEFT" in said_by(done), done.stdout
    assert {name: fleet.files(name) for name in NODES} == files
    assert {name: fleet.pids(name) for name in NODES} == before


def test_a_node_that_is_not_well_with_it_gets_its_previous_bundle_back_and_the_rollout_stops_there(
    fleet: RolledFleet,
) -> None:
    settle(fleet)
    files = {name: fleet.files(name) for name in NODES}
    fleet.apply("- {kind: group, name: first, delivery: pull}")  # it has the change before the rollout comes to it
    fleet.apply(f"{{kind: log, name: {UNSTARTABLE}, assign: {{groups: [all-of-them]}}, paths: [/nowhere/*.log]}}")
    fleet.change(53)
    until(lambda: UNSTARTABLE in fleet.files("node-a")["tailflog.json"] and fleet.interval("node-a") == 53, 60)
    with closings(fleet, "node-a") as closed:
        done = fleet.play("rollout", *QUICK)
    assert done.returncode == 2, done.stdout
    assert "not well within 8 s: tailflog is" in said_by(done)
    assert "It has its previous bundle back." in said_by(done) and "NO MORE HOSTS LEFT" in said_by(done), done.stdout
    assert {name: fleet.files(name) for name in NODES} == files
    assert len(closed) == 2  # before it was changed, and once more before its node server started anew with what it had
    standing = {row["node"]: row for row in fleet.admin.get("/api/v1/delivery")["items"]}
    assert "tailflog is" in standing["node-a"]["refused"] and standing["node-b"]["waiting"]
    until(lambda: fleet.admin.get("/api/v1/nodes/node-a/health")["well"], 90, every=0.3)
    assert {name: fleet.files(name) for name in NODES} == files  # it was not handed the other one again
    fleet.apply("- {kind: group, name: first, delivery: rollout}")
    fleet.admin.delete(f"/api/v1/objects/log/{UNSTARTABLE}")


def test_a_hand_edit_is_found_and_put_right(fleet: RolledFleet) -> None:
    settle(fleet)
    clean = fleet.play("drift")
    assert (clean.returncode, changed(clean)) == (0, {"node-a": 0, "node-b": 0}), clean.stdout
    path = fleet.var("node-b") / "nodeserver" / "bundle" / "nodeserver.json"
    edited = path.read_text().replace('"plugin": "memory"', '"plugin": "uptime"')
    path.write_text(edited)
    found = fleet.play("drift")
    assert (found.returncode, changed(found)) == (2, {"node-a": 0, "node-b": 1})
    assert '-    {"node": "node-b"' in found.stdout and '"plugin": "uptime"' in found.stdout
    assert path.read_text() == edited
    until(lambda: _standing(fleet, "node-b")["drift"], 60)
    done = fleet.play("rollout")
    assert done.returncode == 0 and fleet.files("node-b") == fleet.newest("node-b")
    assert fleet.play("drift").returncode == 0


def test_a_rollback_gives_back_what_was_before_once_and_a_rollout_goes_forward_again(fleet: RolledFleet) -> None:
    settle(fleet)
    before = {name: fleet.files(name) for name in NODES}
    fleet.change(51)
    assert fleet.play("rollout").returncode == 0
    back = fleet.play("rollback")
    assert (back.returncode, changed(back)) == (0, {"node-a": 2, "node-b": 2}), back.stdout
    assert {name: fleet.files(name) for name in NODES} == before
    again = fleet.play("rollback")
    assert (again.returncode, changed(again)) == (0, {"node-a": 0, "node-b": 0})
    assert fleet.play("drift").returncode == 0  # it is what the nodes are to have now
    forward = fleet.play("rollout", "--limit", "node-a")
    assert forward.returncode == 0, forward.stdout
    assert (fleet.interval("node-a"), fleet.interval("node-b") != 51) == (51, True)


def test_no_fleet_is_an_error_and_not_a_rollout_to_nobody(fleet: RolledFleet) -> None:
    done = fleet.play("rollout", NODEWARD_TOKEN="nw_000000000000_" + "x" * 43)
    assert done.returncode != 0 and "That token is not known here" in said_by(done)
    done = fleet.play("rollout", NODEWARD_URL="http://127.0.0.1:1")
    assert done.returncode != 0 and "does not answer" in said_by(done)


# --- rollouts that the config server runs ---


def test_the_config_server_rolls_out_itself_and_tells_how_it_goes(fleet: RolledFleet) -> None:
    settle(fleet)
    revision = fleet.change(91)
    done = fleet.nodeward("rollout")
    assert done.returncode == 0, done.stdout + done.stderr
    states = [line.split()[:2] for line in done.stdout.splitlines()]
    for name in NODES:
        assert [state for node, state in states if node == name] == ["due", "staged", "applied", "healthy"]
    assert states.index(["node-a", "healthy"]) < states.index(["node-b", "staged"])
    assert all(fleet.files(name) == fleet.newest(name) for name in NODES)
    row = fleet.admin.get("/api/v1/rollouts")["items"][0]
    assert (row["state"], row["who"], row["nodes"]) == ("done", "cli", {"healthy": 2})
    diffs = [row["diff"] for row in fleet.admin.get(f"/api/v1/rollouts/{row['id']}/events")["items"] if row.get("diff")]
    assert len(diffs) == 2 and '"interval": 91.0' in diffs[0]
    back = fleet.nodeward("rollback", "--limit", "node-b")
    assert back.returncode == 0, back.stdout + back.stderr
    assert (fleet.interval("node-a"), fleet.interval("node-b") != 91) == (91, True)
    rows = fleet.admin.get("/api/v1/rollouts")["items"][:2]
    assert [(row["action"], row["revision"]) for row in rows] == [("rollback", None), ("rollout", revision)]


@contextmanager
def by_hand(fleet: RolledFleet) -> Iterator[int]:
    """Somebody rolls out, and gives a sign of life every second; yields the rollout's number."""
    number, ending = int(fleet.admin.post("/api/v1/rollouts", {"by_hand": True})["id"]), threading.Event()

    def live() -> None:
        while not ending.wait(1.0):
            fleet.admin.post(f"/api/v1/rollouts/{number}/events", {"events": []})

    living = threading.Thread(target=live)
    living.start()
    try:
        yield number
    finally:
        ending.set()
        living.join()
        fleet.admin.post(f"/api/v1/rollouts/{number}/events", {"events": [{"ended": True}]})


def test_there_is_one_at_a_time_by_hand_or_not(fleet: RolledFleet) -> None:
    with by_hand(fleet) as number:
        played = fleet.play("rollout")
        assert played.returncode == 2 and f"Rollout {number} by cli runs since" in said_by(played)
        refused = fleet.nodeward("rollout")
        assert refused.returncode == 1 and "wait for it, or abort it" in refused.stderr


# --- beside runs of runbooks ---


class Hold:
    """Runs on node-b, which last until they are let go."""

    def __init__(self, fleet: RolledFleet, file: Path) -> None:
        self.server, self._file = fleet.node_server("node-b"), file
        file.touch()
        fleet.apply(
            f"{{kind: runbook, name: hold, steps: [{{shell: 'while [ -e {file} ]; do sleep 0.1; done', timeout: 1h}}]}}"
        )

    def begin(self) -> str:
        return str(self.server.post("/api/v1/runs", {"runbook": "hold"})["id"])

    def state(self, run: str) -> str:
        return str(self.server.get(f"/api/v1/runs/{run}")["state"])

    def let_go(self) -> None:
        self._file.unlink()


@pytest.fixture
def hold(fleet: RolledFleet, tmp_path: Path) -> Iterator[Hold]:
    held = Hold(fleet, tmp_path / "hold")
    yield held
    (tmp_path / "hold").unlink(missing_ok=True)
    until(lambda: not held.server.get("/api/v1/runs", {"state": "running"})["items"], 60)


def test_a_run_that_it_would_cut_off_is_waited_for_and_meanwhile_none_begins(fleet: RolledFleet, hold: Hold) -> None:
    before, run = fleet.pids("node-b"), hold.begin()
    fleet.change(41)
    with fleet.begin("rollout", "--limit", "node-b", "--wait", "10m") as rolling:
        waiting = until(lambda: row if (row := _under_way(fleet, "node-b")).get("state") == "waiting" else None, 60)
        assert waiting["detail"] == f"for run {run} of hold by cli"
        with pytest.raises(Unavailable, match="no new run begins here: try again when it is over"):
            hold.begin()
        assert fleet.interval("node-b") != 41 and fleet.pids("node-b") == before
        hold.let_go()
        said = rolling.communicate(timeout=200)[0]
    assert rolling.returncode == 0, said
    states = [line.split()[1] for line in said.splitlines() if line.startswith("node-b")]
    assert (states[0], set(states[1:-3]), states[-3:]) == ("due", {"waiting"}, ["staged", "applied", "healthy"])
    assert (fleet.interval("node-b"), hold.state(run)) == (41, "succeeded")
    assert fleet.pids("node-b")["nodeserver"] != before["nodeserver"]
    another = hold.begin()  # it takes runs again
    until(lambda: hold.state(another) == "succeeded", 60)


def test_it_stops_at_a_node_whose_run_does_not_end_in_time_and_cuts_it_off_only_where_it_is_told_to(
    fleet: RolledFleet, hold: Hold
) -> None:
    run, files = hold.begin(), fleet.files("node-b")
    fleet.change(43, "second")
    here = {
        "nodeward_reach": "connection", "ansible_connection": "local", "nodeward_python": sys.executable,
        "nodeward_var": str(fleet.var("node-b")), "nodeward_wait_seconds": 1,
    }  # fmt: skip
    late = fleet.play("rollout", "--limit", "node-b", "-e", json.dumps(here))
    assert (late.returncode, f"waiting for run {run} of hold by cli on node-b" in said_by(late)) == (2, True), (
        late.stdout
    )
    why = f"node-b: run {run} of hold by cli is still under way after 1 s, and starting its node server anew would cut it off"
    assert why in said_by(late) and "Nothing was changed on it." in said_by(late)
    assert fleet.files("node-b") == files
    newest = fleet.admin.get("/api/v1/rollouts", {"limit": 1})["items"][0]
    assert newest["reason"].startswith(why)  # the node is named once
    other = hold.begin()  # it takes runs again
    assert (hold.state(run), hold.state(other)) == ("running", "running")
    done = fleet.play("rollout", "--limit", "node-b", "-e", json.dumps({**here, "nodeward_now": True}))
    assert done.returncode == 0, done.stdout
    assert f"cutting off run {run} of hold by cli; run {other} of hold by cli on node-b" in said_by(done)
    assert (hold.state(run), hold.state(other), fleet.interval("node-b")) == ("interrupted", "interrupted", 43)


# --- over Ansible's own connections ---


@pytest.fixture
def sshd(fleet: RolledFleet, tmp_path: Path) -> Iterator[list[str]]:
    """A real sshd on this machine; yields what a playbook needs to use it."""
    server = shutil.which("sshd", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if server is None:
        pytest.skip("no sshd (Debian: openssh-server)")
    for name in ("host", "own"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    (tmp_path / "authorized").write_text((tmp_path / "own.pub").read_text())
    port = free_port()
    key = (tmp_path / "host.pub").read_text().split()
    (tmp_path / "known").write_text("".join(f"[{at}]:{port} {key[0]} {key[1]}\n" for at in NODES.values()))
    (tmp_path / "config").write_text(
        f"Port {port}\nListenAddress 0.0.0.0\nHostKey {tmp_path}/host\nAuthorizedKeysFile {tmp_path}/authorized\n"
        f"StrictModes no\nUsePAM no\nPasswordAuthentication no\nPidFile {tmp_path}/pid\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    log = (tmp_path / "log").open("wb")
    with log, subprocess.Popen([server, "-D", "-e", "-f", tmp_path / "config"], stderr=log) as process:
        until(lambda: _answers(port), 60)
        variables = {
            "nodeward_reach": "connection", "ansible_connection": "ssh", "ansible_port": port,
            "ansible_user": getpass.getuser(), "ansible_ssh_private_key_file": str(tmp_path / "own"),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={tmp_path}/known -o ControlPath=none -o ControlMaster=no",
            "nodeward_python": sys.executable, "nodeward_var": f"{fleet.directory}/{{{{ nodeward_node }}}}",
        }  # fmt: skip
        yield ["-e", json.dumps(variables)]
        process.terminate()


def test_the_same_over_ssh(fleet: RolledFleet, sshd: list[str]) -> None:
    before = settle(fleet)
    fleet.change(61)
    done = fleet.play("rollout", *sshd)
    assert (done.returncode, changed(done)) == (0, {"node-a": 2, "node-b": 2}), done.stdout + done.stderr
    assert all(fleet.files(name) == fleet.newest(name) for name in NODES)
    for name in NODES:
        assert {each for each, pid in fleet.pids(name).items() if pid != before[name][each]} == {"nodeserver"}
    again = fleet.play("rollout", *sshd)
    assert (again.returncode, changed(again)) == (0, {"node-a": 0, "node-b": 0})


def test_a_connection_that_leads_to_another_node_is_noticed(fleet: RolledFleet, sshd: list[str]) -> None:
    wrong = ("-e", f"nodeward_var={fleet.var('node-a')}")
    done = fleet.play("rollout", "--limit", "node-b", *sshd, *wrong)
    assert done.returncode == 2 and "the connection leads to node 'node-a'" in said_by(done)


def test_the_same_on_this_very_machine(fleet: RolledFleet) -> None:
    settle(fleet)
    fleet.change(81)
    here = {
        "nodeward_reach": "connection", "ansible_connection": "local", "nodeward_python": sys.executable,
        "nodeward_var": str(fleet.var("node-a")),
    }  # fmt: skip
    done = fleet.play("rollout", "--limit", "node-a", "-e", json.dumps(here))
    assert (done.returncode, changed(done)) == (0, {"node-a": 2}), done.stdout + done.stderr
    assert fleet.interval("node-a") == 81


def _under_way(fleet: RolledFleet, node: str) -> dict[str, Any]:
    """How far a node is in the rollout that is under way."""
    newest = fleet.admin.get("/api/v1/rollouts", {"limit": 1})["items"]
    if not newest or newest[0]["state"] != "running":
        return {}
    found: dict[str, Any] = fleet.admin.get(f"/api/v1/rollouts/{newest[0]['id']}")["nodes"].get(node, {})
    return found


@contextmanager
def closings(fleet: RolledFleet, node: str) -> Iterator[set[int]]:
    """Gather until when a node was told to take no runs, each time that it was."""
    path, seen, over = fleet.var(node) / "nodeserver" / "drain.json", set(), threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            with suppress(OSError):
                seen.add(int(json.loads(path.read_text())["until"]))

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        try:
            yield seen
        finally:
            over.set()
        looking.result()


def _standing(fleet: RolledFleet, node: str) -> dict[str, object]:
    row: dict[str, object] = fleet.admin.get(f"/api/v1/nodes/{node}/delivery")
    return row


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
