"""While a rollout is about to start the node server anew no new run begins, and none slips through between look and restart."""

import os
import subprocess
import sys

import psutil
import pytest

from nodeward.core import clock
from nodeward.core.errors import Unavailable
from nodeward.nodeserver.runbooks import record, tree
from nodeward.nodeserver.runbooks.drain import CLOSED_SECONDS, WAITING_SECONDS, Drain
from support.clock import Clock

SECOND = 1_000_000


@pytest.fixture
def time():
    return Clock(clock.now())


@pytest.fixture
def drain(tmp_path, time):
    return Drain(tmp_path, time)


def takes(drain, called=False):
    try:
        drain.must_take(called)
    except Unavailable:
        return False
    return True


def run(tmp_path, name, **about):
    known = {"runbook": "book", "by": "somebody", "started": clock.now()}
    return record.create(tmp_path / "runs" / name, {**known, **about})


def at_work(tmp_path, name):
    """A run whose process is this one."""
    return run(tmp_path, name, pid=os.getpid(), created=tree.created(os.getpid()))


def test_where_nothing_runs_none_begins_until_that_is_lifted_or_runs_out(drain, time):
    assert takes(drain)
    assert drain.look(force=False) == []
    assert not takes(drain) and not takes(drain, called=True)
    assert drain.lift() and not drain.lift()
    assert takes(drain)
    drain.look(force=False)
    time.now += int(CLOSED_SECONDS * SECOND) - 1
    assert not takes(drain)
    time.now += 1
    assert takes(drain)


def test_while_a_run_is_waited_for_it_may_still_be_called_for_and_a_rollout_that_breaks_off_is_soon_forgotten(
    drain, time, tmp_path
):
    at_work(tmp_path, "one")
    assert [each["id"] for each in drain.look(force=False)] == ["one"]
    assert (takes(drain), takes(drain, called=True)) == (False, True)
    time.now += int(WAITING_SECONDS * SECOND)
    assert takes(drain)


def test_only_a_rollout_that_waits_no_more_says_when_it_will_be_over_at_the_latest(drain, tmp_path):
    at_work(tmp_path, "r1")
    drain.look(force=False)
    with pytest.raises(Unavailable, match=r"try again when it is over\.$"):
        drain.must_take(called=False)
    drain.look(force=True)
    with pytest.raises(Unavailable, match=r"try again when it is over, at .*Z at the latest\.$"):
        drain.must_take(called=False)


def test_one_that_does_not_wait_takes_none_and_tells_what_it_cuts_off(drain, tmp_path):
    at_work(tmp_path, "one")
    assert [each["id"] for each in drain.look(force=True)] == ["one"]
    assert not takes(drain, called=True)


def test_what_has_ended_is_not_under_way_and_what_is_about_to_begin_is(drain, tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        created = tree.created(gone.pid)
    run(tmp_path, "ended", pid=gone.pid, created=created)
    run(tmp_path, "another-process-by-now", pid=os.getpid(), created=1.0)
    run(tmp_path, "cut-off-before-it-began").finish("interrupted", "")
    (tmp_path / "runs" / "damaged").mkdir()
    (tmp_path / "runs" / "damaged" / record.RECORD).write_text("{")
    assert drain.look(force=False) == []
    run(tmp_path, "about-to-begin")
    assert [each["id"] for each in drain.look(force=False)] == ["about-to-begin"]


def test_what_cannot_be_read_or_was_written_before_the_clock_was_set_back_keeps_nobody_out(drain, time, tmp_path):
    (tmp_path / "drain.json").write_text("{")
    assert takes(drain)
    drain.look(force=False)
    time.now -= 3600 * SECOND
    assert takes(drain)


def test_a_run_stays_under_way_when_the_clock_of_the_machine_is_set(drain, tmp_path, monkeypatch):
    at_work(tmp_path, "one")
    booted = psutil.boot_time()
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: booted + 3600)  # /proc/stat has it so then
    assert [each["id"] for each in drain.look(force=False)] == ["one"]
