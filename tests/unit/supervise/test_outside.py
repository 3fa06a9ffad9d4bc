"""Which of supervisor's events are somebody's deeds."""

import pytest

from nodeward.supervise.client import Program
from nodeward.supervise.marks import FRESH_SECONDS, mark, marked
from nodeward.supervise.outside import Outside


def program(name, state, since=1):
    return Program(name, name, state, None, since, None, None, "", "", "")


def said(outside, *events):
    """Feed (event, program, state before) and return what was done."""
    return [
        outside.action(name, {"processname": which, "groupname": which, "from_state": before, "tries": "0"})
        for name, which, before in events
    ]


STOPPING, STARTING = "PROCESS_STATE_STOPPING", "PROCESS_STATE_STARTING"


def test_what_supervisor_starts_at_its_own_start_and_ends_at_its_own_end_is_nobodys_deed():
    outside = Outside([program("web", "STARTING"), program("monitor", "STOPPED", None)])
    assert said(outside, (STARTING, "web", "STOPPED"), (STARTING, "monitor", "STOPPED")) == [None, None]
    outside.action("SUPERVISOR_STATE_CHANGE_STOPPING", {})
    assert said(outside, (STOPPING, "web", "RUNNING"), (STOPPING, "monitor", "RUNNING")) == [None, None]


@pytest.mark.parametrize("before", ["EXITED", "BACKOFF"])
def test_what_supervisor_starts_again_by_itself_is_nobodys_deed(before):
    assert said(Outside(), (STARTING, "web", before)) == [None]


def test_a_stop_and_the_start_after_it_are_deeds_and_so_is_the_start_of_what_was_given_up():
    outside = Outside()
    events = [(STOPPING, "web", "RUNNING"), (STARTING, "web", "STOPPED"), (STARTING, "tail", "FATAL")]
    assert said(outside, *events) == ["stop program", "start program", "start program"]
    assert said(outside, (STARTING, "web", "STOPPED")) == [None]  # of a group that was taken out and in again


def test_what_was_stopped_before_it_listened_is_started_by_somebody():
    assert said(Outside([program("web", "STOPPED")]), (STARTING, "web", "STOPPED")) == ["start program"]


def test_other_events_are_nothing():
    assert Outside().action("TICK_5", {"when": "5"}) is None
    assert Outside().action("PROCESS_STATE_FATAL", {"processname": "web", "from_state": "BACKOFF"}) is None


def test_a_mark_counts_for_its_own_program_and_not_for_long(tmp_path, monkeypatch):
    assert not marked(tmp_path, "web")
    mark(tmp_path, "web")
    now = [(tmp_path / "run" / "asked" / "web").stat().st_mtime]
    monkeypatch.setattr("nodeward.supervise.marks.time.time", lambda: now[0])
    assert marked(tmp_path, "web")
    assert marked(tmp_path, "web:web")
    assert not marked(tmp_path, "monitor")
    now[0] += FRESH_SECONDS + 1
    assert not marked(tmp_path, "web")


def test_where_no_mark_can_be_left_the_program_is_acted_on_all_the_same(tmp_path):
    (tmp_path / "run").write_text("no directory")
    mark(tmp_path, "web")
    assert not marked(tmp_path, "web")
