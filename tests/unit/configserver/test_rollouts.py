"""Rollouts on record, and the lease: one at a time, seen through, and none left behind by whoever is gone."""

import os
import sys
import threading
from pathlib import Path

import pytest

from nodeward.configserver.rollout import room as rooms
from nodeward.configserver.rollout.records import Records
from nodeward.configserver.rollout.room import Room
from nodeward.core.errors import Conflict, NotFound, Unavailable
from support.clock import Clock
from support.until import until


@pytest.fixture
def clock():
    return Clock(0.0)


@pytest.fixture
def room(tmp_path, clock):
    made = Room(Records(tmp_path / "rollouts"), tmp_path, tmp_path, "http://127.0.0.1:1", "token", clock)
    yield made
    made.stop()


def by_hand(room, who="ada"):
    return room.begin(who, "rollout", "", 1, 7)["id"]


def fake_ansible(tmp_path, monkeypatch, text):
    """Let the room find that instead of ansible-playbook."""
    (tmp_path / "ansible").mkdir(exist_ok=True)
    program = tmp_path / "bin" / "ansible-playbook"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program.with_name("python")))


def start(room, **more):
    order = {"who": "ada", "role": "operator", "action": "rollout", "limit": "", "canary": 1, "revision": 7, **more}
    return room.start(**order)["id"]


def test_there_is_one_at_a_time_and_the_next_once_it_has_ended(room):
    first = by_hand(room)
    with pytest.raises(Conflict, match=f"Rollout {first} by ada runs since"):
        by_hand(room, "otto")
    room.hear(first, [{"node": "a", "state": "healthy"}, {"ended": True}])
    assert room.records.get(first)["state"] == "done"
    assert by_hand(room, "otto") == first + 1


def test_one_of_whom_nothing_is_heard_any_more_loses_the_lease(room, clock):
    first = by_hand(room)
    clock.now = 25
    room.hear(first, [])
    clock.now = 50
    room.unit()
    assert room.records.get(first)["state"] == "running"
    clock.now = 56
    room.unit()
    assert room.records.get(first)["state"] == "lost"
    with pytest.raises(Conflict, match="has ended: lost"):
        room.hear(first, [{"node": "a", "state": "healthy"}])
    by_hand(room)


def test_a_config_server_that_was_killed_gives_the_lease_up_when_nothing_is_heard(room, clock, tmp_path):
    first = by_hand(room)
    later = Room(Records(tmp_path / "rollouts"), tmp_path, tmp_path, "", "", clock)
    with pytest.raises(Conflict):
        by_hand(later)
    clock.now = 31
    later.unit()
    assert later.records.get(first)["state"] == "lost"
    assert by_hand(later) == first + 1


def test_a_node_that_failed_makes_it_failed_and_says_why(room):
    number = by_hand(room)
    room.hear(
        number, [{"node": "a", "state": "rolled back", "detail": "not well"}, {"ended": False, "reason": "failed on a"}]
    )
    row = room.records.get(number)
    assert (row["state"], row["reason"]) == ("failed", "a: not well")


def test_an_aborted_one_says_by_whom_and_only_once(room):
    number = by_hand(room)
    assert room.abort(number, "otto")["aborted_by"] == "otto"
    assert room.abort(number, "ada")["aborted_by"] == "otto"
    room.hear(number, [{"ended": False, "reason": "failed on b"}])
    assert room.records.get(number)["state"] == "aborted"
    with pytest.raises(Conflict, match="has ended already"):
        room.abort(number, "ada")
    with pytest.raises(NotFound):
        room.abort(99, "ada")


def test_a_rollout_here_is_an_ansible_playbook_with_the_order_and_the_persons_name(room, tmp_path, monkeypatch):
    fake_ansible(tmp_path, monkeypatch, 'echo "$@"; echo "$NODEWARD_ON_BEHALF $NODEWARD_ROLLOUT"; pwd')
    monkeypatch.setenv("NODEWARD_ADMIN_PASSWORD", "not for children")
    number = start(room, limit="web,!db", canary=3, variables={"nodeward_now": True})
    until(lambda: room.unit() or room.records.get(number)["state"] != "running")
    assert room.records.get(number)["state"] == "done"
    said = room.records.output(number).splitlines()
    assert said[0] == 'playbooks/rollout.yml --diff -e {"nodeward_canary": 3, "nodeward_now": true} --limit=web,!db'
    assert said[1] == f"ada; role=operator {number}"
    assert said[2] == os.path.realpath(tmp_path / "ansible")


def test_one_that_cannot_begin_fails_with_ansibles_last_words(room, tmp_path, monkeypatch):
    fake_ansible(tmp_path, monkeypatch, "echo '[ERROR]: no hosts to target'; echo; exit 4")
    number = start(room)
    until(lambda: room.unit() or room.records.get(number)["state"] != "running")
    assert room.records.get(number)["reason"] == "no hosts to target"


def test_where_ansible_is_not_installed_that_is_said_and_nothing_is_locked(room, tmp_path, monkeypatch):
    (tmp_path / "ansible").mkdir()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    for _ in range(2):
        with pytest.raises(Unavailable, match="installed without it"):
            start(room)


def test_a_config_server_that_stops_ends_what_runs_here(room, tmp_path, monkeypatch):
    fake_ansible(tmp_path, monkeypatch, "sleep 600 & echo $!; wait")
    number = start(room)
    until(lambda: room.records.output(number).strip())
    child = int(room.records.output(number))
    room.stop()
    assert room.records.get(number)["state"] == "lost"
    until(lambda: not _runs(child))


def _runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_events_are_numbered_over_all_rollouts_and_whoever_waits_is_woken(room):
    first = by_hand(room)
    _, cursor, _ = room.records.since(None, 0)
    waiting = threading.Timer(0.2, lambda: room.hear(first, [{"node": "a", "state": "due"}]))
    waiting.start()
    rows, _, reset = room.records.since(cursor, 90)
    waiting.join()
    assert [(row["node"], row["state"]) for row in rows] == [("a", "due")] and not reset
    assert [row["type"] for row in room.records.events(first)] == ["started", "node"]
    assert room.records.events(first, after=rows[0]["seq"]) == []


def test_records_are_remembered_through_a_restart_and_half_a_line_does_no_harm(room, tmp_path):
    number = by_hand(room)
    room.hear(number, [{"node": "a", "state": "healthy", "diff": "+1"}, {"ended": True}])
    with room.records.path(number, "events").open("a") as file:
        file.write('{"seq": 9')
    (tmp_path / "rollouts" / "00000009.json").write_text("{")
    again = Records(tmp_path / "rollouts")
    assert again.get(number) == room.records.get(number)
    assert "diff" not in again.get(number)["nodes"]["a"]
    assert [row["seq"] for row in again.events(number)] == [1, 2, 3]
    assert again.since(None, 0)[1] == 3
    assert again.since(77, 0)[2]  # a cursor of another life


def test_only_so_many_are_kept(room, monkeypatch, tmp_path):
    monkeypatch.setattr("nodeward.configserver.rollout.records.KEPT", 2)
    for _ in range(4):
        room.hear(by_hand(room), [{"ended": True}])
    assert [row["id"] for row in room.records.all()] == [4, 3]
    assert len(list((tmp_path / "rollouts").glob("*.events"))) == 2
    assert rooms.LEASE_SECONDS > 10
