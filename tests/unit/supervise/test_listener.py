import io

import pytest

from nodeward.core.errors import Conflict, Unavailable
from nodeward.supervise import listener
from nodeward.supervise.client import Program
from nodeward.supervise.listener import RETRY_SECONDS, Event, Loss, Watch

TICK = Event("TICK_5", {"when": "5"})


def program(name, state, exit_status=None):
    return Program(name, name, state, None, 1, None, exit_status, "", "", "")


def fatal(name):
    return Event("PROCESS_STATE_FATAL", {"processname": name, "groupname": name, "from_state": "BACKOFF"})


def test_a_critical_program_given_up_is_lost_at_once():
    watch = Watch(frozenset({"web"}), list)
    assert [loss.program for loss in watch.lost(fatal("web"))] == ["web"]


def test_another_program_given_up_is_not():
    assert Watch(frozenset({"web"}), list).lost(fatal("helper")) == []


@pytest.mark.parametrize("state", ["RUNNING", "STARTING", "BACKOFF", "STOPPED", "STOPPING"])
def test_a_program_that_runs_is_being_started_or_was_stopped_is_not_lost(state):
    watch = Watch(frozenset({"web"}), lambda: [program("web", state)])
    assert [watch.lost(TICK) for _ in range(3)] == [[], [], []]


def test_a_loss_whose_event_was_dropped_is_seen_at_the_next_tick():
    watch = Watch(frozenset({"web"}), lambda: [program("web", "FATAL"), program("helper", "FATAL")])
    assert [loss.program for loss in watch.lost(TICK)] == ["web"]


def test_one_that_ended_is_lost_once_nothing_has_started_it_until_the_next_look():
    watch = Watch(frozenset({"web"}), lambda: [program("web", "EXITED", 3)])
    assert watch.lost(TICK) == []
    assert watch.lost(TICK) == [Loss("web", "it ended with status 3, and nothing starts it again")]


def test_one_that_is_up_again_at_the_next_look_is_not_lost():
    states = iter(["EXITED", "RUNNING", "EXITED", "RUNNING"])
    watch = Watch(frozenset({"web"}), lambda: [program("web", next(states), 1)])
    assert [watch.lost(TICK) for _ in range(4)] == [[], [], [], []]


def test_one_that_ended_as_it_should_is_not_lost():
    watch = Watch(frozenset({"migrate"}), lambda: [program("migrate", "EXITED", 0)])
    assert [watch.lost(TICK) for _ in range(3)] == [[], [], []]


def test_that_supervisor_cannot_be_asked_is_said_and_is_no_loss(capsys):
    def refuse():
        raise Unavailable("No supervisor answers.")

    watch = Watch(frozenset({"web"}), refuse)
    assert watch.lost(TICK) == []
    assert "could not be seen: No supervisor answers." in capsys.readouterr().err
    assert watch.lost(fatal("web"))


def test_a_retry_waits_its_turn_and_goes_on_for_ever(capsys):
    now, started = [0.0], []
    retry = listener.Retry(started.append, lambda: now[0])
    loss = [Loss("web", "given up")]
    for now[0] in (0.0, 5.0, RETRY_SECONDS - 1):
        retry(loss)
    assert started == []
    for now[0] in (RETRY_SECONDS, RETRY_SECONDS + 5, 2 * RETRY_SECONDS):
        retry(loss)
    assert started == ["web", "web"]
    assert "web was lost (given up); trying it again" in capsys.readouterr().err


def test_a_retry_that_fails_is_said_and_does_not_end_the_listener(capsys):
    def refuse(name):
        raise Conflict(f"'{name}' did not start (no such file).")

    now = [0.0]
    retry = listener.Retry(refuse, lambda: now[0])
    for now[0] in (0.0, RETRY_SECONDS):
        retry([Loss("web", "given up")])
    assert "web is lost: 'web' did not start (no such file)." in capsys.readouterr().err


def test_events_are_read_and_each_is_acknowledged():
    payload = b"processname:web groupname:web from_state:BACKOFF"
    wire = io.BytesIO(
        b"ver:3.0 server:supervisor serial:1 pool:listener poolserial:1 eventname:PROCESS_STATE_FATAL len:%d\n%s"
        b"ver:3.0 server:supervisor serial:2 pool:listener poolserial:2 eventname:TICK_5 len:15\nwhen:1700000000"
        % (len(payload), payload)
    )
    said = io.BytesIO()
    seen = list(listener.events(wire, said))
    assert seen == [fatal("web"), Event("TICK_5", {"when": "1700000000"})]
    assert said.getvalue() == b"READY\nRESULT 2\nOKREADY\nRESULT 2\nOKREADY\n"


def test_what_ended_the_container_is_told_once_at_the_next_start(tmp_path, capsys):
    marker = tmp_path / "ended"
    listener.leave(marker, [Loss("web", "given up")])
    listener.take(marker)
    assert "web: given up" in capsys.readouterr().err
    listener.take(marker)
    assert capsys.readouterr().err == ""


def test_a_marker_that_cannot_be_written_is_said(tmp_path, capsys):
    listener.leave(tmp_path / "nowhere" / "ended", [Loss("web", "given up")])
    assert "could not be noted" in capsys.readouterr().err
