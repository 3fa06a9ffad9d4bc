"""Runbooks over several nodes: copies, calls, who may, and the zones."""

import hashlib
import json
import os
import socket
import sys
from pathlib import Path

import pytest

from fakes import zonectl as zonectl_program
from fakes.runbook_appliance import RunbookAppliance
from fakes.runbook_node import processes_of
from nodeward.core.client import Client
from nodeward.core.errors import BadInput, Conflict, NotAllowed, NotAuthenticated
from support.ports import free_port
from support.until import until

ROOT = Path(__file__).resolve().parents[3]
BOOKS = """
kind: runbook
name: carry
parameters: {file: {}, from_node: {type: node}, to_node: {type: node}}
steps:
  - copy:
      from: {node: '{{ from_node }}', path: 'FOLDER/{{ file }}'}
      to: {node: '{{ to_node }}', path: 'FOLDER/arrived-{{ file }}'}
      mode: '0640'
    register: c
  - {run: [echo, '{{ c.size }} bytes {{ c.sha256 }}']}
---
kind: runbook
name: carry-little
parameters: {from_node: {type: node}, to_node: {type: node}}
steps:
  - copy:
      from: {node: '{{ from_node }}', path: FOLDER/large}
      to: {node: '{{ to_node }}', path: FOLDER/arrived-large}
      max_size: 1MB
---
kind: runbook
name: greet-all
parameters: {nodes: {type: node, multiple: true}, word: {type: secret}}
steps:
  - call: {runbook: greet-here, nodes: '{{ nodes }}', with: {word: '{{ word }}', who: "{{ join(nodes, '+') }}"}, at_once: 2}
    register: all
  - {run: [echo, '{{ all.output }}']}
---
kind: runbook
name: greet-here
parameters: {word: {type: secret}, who: {}}
steps:
  - shell: 'echo "$WHO on $NODEWARD_NODE says $W"; test ! -e FOLDER/bad-$NODEWARD_NODE'
    env: {W: '{{ word }}', WHO: '{{ who }}'}
---
kind: runbook
name: wait-there
parameters: {nodes: {type: node, multiple: true}}
steps: [{call: {runbook: wait-here, nodes: '{{ nodes }}'}}]
---
kind: runbook
name: wait-here
steps: [{shell: 'echo waiting; sleep 3600'}]
---
kind: runbook
name: nobody-calls-it
steps: [{run: [id]}]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def appliance(tmp_path_factory, folder):
    port = free_port()
    with RunbookAppliance(tmp_path_factory.mktemp("var"), port, ("two", "three")) as started:
        started.apply(BOOKS.replace("FOLDER", str(folder)))
        yield started


def as_node(appliance, asking, asked):
    """Return a client that shows one node's credential to another."""
    return appliance.node(asked, appliance.node_token(asking))


@pytest.mark.parametrize(("source", "target"), [("here", "two"), ("two", "here"), ("two", "three"), ("here", "here")])
def test_a_file_comes_whole_from_any_node_to_any(appliance, folder, source, target):
    content = os.urandom(3_000_000)
    (folder / "it").write_bytes(content)
    row = appliance.run("carry", file="it", from_node=source, to_node=target)
    assert row["state"] == "succeeded", row
    arrived = folder / "arrived-it"
    assert arrived.read_bytes() == content
    assert arrived.stat().st_mode & 0o777 == 0o640
    assert f"{len(content)} bytes {hashlib.sha256(content).hexdigest()}" in row["output"]
    arrived.unlink()


def test_a_file_that_cannot_be_copied_is_told(appliance, folder):
    assert (
        "cannot be read here (No such file"
        in appliance.run("carry", file="none", from_node="two", to_node="here")["detail"]
    )
    for name in ("../etc/passwd", "a/../../x", "sub/it"):
        for source in ("two", "here"):
            row = appliance.run("carry", file=name, from_node=source, to_node="here")
            assert row["state"] == "failed", row
            assert "no absolute path" in row["detail"] or "in another directory than" in row["detail"]
    assert not list(folder.glob(".arrived*"))


@pytest.mark.parametrize(("source", "target"), [("here", "two"), ("two", "here"), ("two", "three"), ("here", "here")])
def test_a_file_that_is_larger_than_the_step_says_goes_nowhere(appliance, folder, source, target):
    (folder / "large").write_bytes(b"x" * 1_000_001)
    row = appliance.run("carry-little", from_node=source, to_node=target)
    assert row["state"] == "failed", row
    assert (
        "larger than a copy may be: 1,000,001 bytes (976.6 KiB), and 1,000,000 (976.6 KiB) are allowed" in row["detail"]
    ), row
    (folder / "large").write_bytes(b"x" * 1_000_000)
    assert appliance.run("carry-little", from_node=source, to_node=target)["state"] == "succeeded"
    (folder / "arrived-large").unlink()
    assert not list(folder.glob(".arrived*"))


def test_what_a_node_sends_that_is_too_large_is_refused_before_it_came(appliance, folder):
    """The sentence arrives, though most of the file is never read, and what sends it is another's program."""
    client, sent = as_node(appliance, "here", "two"), 0
    query = {
        "path": f"{folder}/arrived-large",
        "run": "r",
        "runbook": "carry-little",
        "sha256": "0" * 64,
        "mode": "600",
    }

    def pieces():
        nonlocal sent
        for _ in range(300):
            sent += 1
            yield b"x" * 1_000_000

    for headers in ({"Content-Length": "300000000"}, {}):
        with pytest.raises(BadInput, match="larger than a copy may be"):
            client.request("PUT", "/api/v1/files", body=pieces(), query=query, headers=headers)
    assert sent < 200
    assert not list(folder.glob("*arrived*"))


def test_what_arrives_otherwise_than_it_was_sent_is_not_taken(appliance, folder):
    client = as_node(appliance, "here", "two")
    query = {"path": f"{folder}/arrived-x", "run": "r", "runbook": "carry", "sha256": "0" * 64, "mode": "600"}
    with pytest.raises(Conflict, match="is not what was sent"):
        client.request("PUT", "/api/v1/files", body=b"something", query=query)
    assert not (folder / "arrived-x").exists()


def test_a_runbook_is_called_on_several_nodes_and_followed(appliance, folder):
    row = appliance.run("greet-all", nodes=["here", "two", "three"], word="Sesam-42")
    assert row["state"] == "succeeded", row
    for node in ("here", "two", "three"):
        assert f"here+two+three on {node} says •••••" in row["output"]
    assert "three succeeded" in row["output"]
    assert "Sesam-42" not in json.dumps(row)
    called = appliance.node("two").get("/api/v1/runs", {"runbook": "greet-here"})["items"][0]
    assert (called["by"], called["caller"]["run"]) == ("node here", row["id"])
    (folder / "bad-two").touch()
    row = appliance.run("greet-all", nodes=["here", "two", "three"], word="Sesam-42")
    assert row["state"] == "failed"
    assert "two: failed" in row["detail"]
    (folder / "bad-two").unlink()


def test_stopping_a_run_stops_those_that_it_called(appliance):
    client = appliance.node()
    run = client.post("/api/v1/runs", {"runbook": "wait-there", "parameters": {"nodes": ["two"]}})["id"]
    called = until(
        lambda: appliance.node("two").get("/api/v1/runs", {"runbook": "wait-here", "state": "running"})["items"]
    )[0]
    until(lambda: processes_of(called["id"]))
    client.post(f"/api/v1/runs/{run}/stop", {})
    assert appliance.over(run)["state"] == "stopped"
    assert appliance.over(called["id"], "two")["state"] == "stopped"
    assert processes_of(called["id"]) == []


def test_a_node_may_do_on_another_what_a_runbook_says_and_nothing_else(appliance, folder):
    (folder / "it").write_bytes(b"x")
    client = as_node(appliance, "two", "three")
    caller = {"node": "two", "run": "r", "runbook": "greet-all"}
    refused = [
        lambda: client.post("/api/v1/runs", {"runbook": "greet-here", "parameters": {}}),
        lambda: client.post("/api/v1/runs", {"runbook": "nobody-calls-it", "caller": caller}),
        lambda: client.post("/api/v1/runs", {"runbook": "greet-here", "caller": {**caller, "node": "here"}}),
        lambda: client.post("/api/v1/runs", {"runbook": "greet-here", "caller": {**caller, "runbook": "carry"}}),
        lambda: client.post("/api/v1/runs", {"runbook": "greet-here", "caller": {**caller, "runbook": "none"}}),
        lambda: client.get("/api/v1/runs"),
        lambda: client.get("/api/v1/files", {"path": "/etc/shadow", "run": "r", "runbook": "carry"}),
        lambda: client.get("/api/v1/files", {"path": f"{folder}/../shadow", "run": "r", "runbook": "carry"}),
        lambda: client.get("/api/v1/files", {"path": f"{folder}/sub/it", "run": "r", "runbook": "carry"}),
        lambda: client.get("/api/v1/files", {"path": f"{folder}/it", "run": "r", "runbook": "greet-all"}),
        lambda: client.request("PUT", "/api/v1/files", body=b"", query={
            "path": "/etc/cron.d/x", "run": "r", "runbook": "carry", "sha256": "0" * 64, "mode": "600"}),
        lambda: appliance.node("three").get("/api/v1/files", {"path": f"{folder}/it", "run": "r", "runbook": "carry"}),
    ]  # fmt: skip
    for ask in refused:
        with pytest.raises(NotAllowed):
            ask()
    run = appliance.run("greet-all", nodes=["three"], word="Sesam-42")
    called = appliance.node("three").get("/api/v1/runs", {"runbook": "greet-here"})["items"][0]["id"]
    assert run["state"] == "succeeded"
    for path in (f"/api/v1/runs/{called}", f"/api/v1/runs/{called}/output"):
        with pytest.raises(NotAllowed):
            client.get(path)  # it was called by `here`, not by `two`
    with pytest.raises(NotAuthenticated):
        Client(client.url, "nw_000000000000_wrong").get("/api/v1/files", {"path": "/x", "run": "r", "runbook": "carry"})


@pytest.fixture(scope="module")
def zones(appliance, tmp_path_factory):
    """The zones' service on each node, and the shipped runbooks for it."""
    place = tmp_path_factory.mktemp("zones")
    console = place / "zonectl"
    console.write_text(f"#!/bin/sh\nexec {sys.executable} {Path(zonectl_program.__file__)} {place}\n")
    console.chmod(0o755)
    for name in ("open-zone", "merge-zones"):
        text = (ROOT / "config" / "runbooks" / f"{name}.yaml").read_text()
        appliance.apply(text.replace("[zonectl]", f"[{console}]").replace("/var/lib/zones", str(place)))
    yield place
    for each in place.glob("*/*.zone"):
        try:
            os.kill(json.loads(each.read_text())["pid"], 15)
        except ProcessLookupError:
            pass


def zone(place, node, name):
    return json.loads((place / node / f"{name}.zone").read_text())


def test_a_zone_is_opened_over_several_nodes_and_two_are_merged(appliance, zones):
    for name, nodes in (("north", ["two", "three"]), ("south", ["here"])):
        row = appliance.run("open-zone", zone=name, nodes=nodes)
        assert row["state"] == "succeeded", (row["detail"], row["output"])
        for node in nodes:
            assert zone(zones, node, name)["members"] == nodes
            socket.create_connection(("127.0.0.1", zone(zones, node, name)["port"]), 60).close()
    for node, name, players in (("two", "north", ["ann", "bob"]), ("here", "south", ["cid"])):
        kept = zone(zones, node, name)
        (zones / node / f"{name}.zone").write_text(json.dumps(kept | {"players": players}))
    client = appliance.node()
    given = {"source": "north", "source_node": "two", "target": "south", "target_node": "here"}
    run = client.post("/api/v1/runs", {"runbook": "merge-zones", "parameters": given})["id"]
    until(lambda: client.get(f"/api/v1/runs/{run}")["state"] == "asking")
    client.post(f"/api/v1/runs/{run}/answers", {"answer": "yes"})
    row = appliance.over(run)
    assert row["state"] == "succeeded", (row["detail"], row["output"])
    assert zone(zones, "here", "south")["players"] == ["cid", "ann", "bob"]
    assert not (zones / "two" / "north.zone").exists()
    assert "imported, 3 players now" in row["output"]


def test_a_zone_that_one_node_refuses_is_opened_on_none(appliance, zones):
    (zones / "three").mkdir(exist_ok=True)
    (zones / "three" / "full").touch()
    row = appliance.run("open-zone", zone="west", nodes=["two", "three"])
    assert row["state"] == "failed"
    assert "three: failed" in row["detail"]
    assert not list(zones.glob("*/west.zone"))


def test_a_run_whose_peer_goes_away_fails_and_says_so(appliance):
    client = appliance.node()
    run = client.post("/api/v1/runs", {"runbook": "wait-there", "parameters": {"nodes": ["three"]}})["id"]
    until(lambda: "waiting" in json.dumps(client.get(f"/api/v1/runs/{run}/output")))
    appliance.end_node("three", kill=True)
    appliance.start_node("three")
    appliance.wait_for_node("three")
    row = appliance.over(run)
    assert row["state"] == "failed"
    assert "three: interrupted" in row["detail"]
