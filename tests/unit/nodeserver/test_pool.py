"""Built-in checks on threads: a check that hangs holds up nobody."""

import queue
import threading
from pathlib import Path

import pytest

from nodeward.nodeserver.checks.base import CannotTell, Context
from nodeward.nodeserver.output import Outcome
from nodeward.nodeserver.pool import Pool, Task
from support.until import until


@pytest.fixture
def ended():
    return queue.Queue()


@pytest.fixture
def pool(ended):
    made = Pool(2, lambda done: [ended.put(one) for one in done])
    made.start()
    yield made
    made.stop()


def _fine(_context=None):
    return Outcome(0, "fine")


def _task(call, timeout, what):
    context = Context("web-1", None, timeout, Path("/nonexistent"), lambda: None)
    return Task(call, context, what)


def test_checks_that_hang_time_out_and_the_others_go_on(pool, ended):
    release = threading.Event()

    def hang(_context):
        release.wait(90)
        return _fine()

    pool.submit([_task(hang, 0.3, f"hang-{number}") for number in range(4)])
    pool.submit([_task(_fine, 60.0, "after")])
    found = {one.task.what: one.outcome for one in (ended.get(timeout=60) for _ in range(5))}
    assert found["after"] == Outcome(0, "fine")
    assert found["hang-3"] == Outcome(2, "(The check timed out after 0.3 seconds)")
    assert pool.hanging == 4
    release.set()
    until(lambda: pool.hanging == 0)
    assert ended.empty()  # what returns too late is not told twice


def test_a_quick_check_that_hangs_all_the_same_loses_none_of_its_batch(pool, ended):
    release = threading.Event()
    tasks = [_task(_fine, 60.0, 1), _task(lambda _context: release.wait(90) and _fine(), 0.3, 2), _task(_fine, 60.0, 3)]
    pool.submit(tasks, quick=True)
    found = [ended.get(timeout=60) for _ in range(3)]
    release.set()
    assert [(one.task.what, one.outcome.code) for one in found] == [(1, 0), (2, 2), (3, 0)]


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (CannotTell("no way to know"), 3, "no way to know"),
        (TimeoutError(), 2, "timed out"),
        (PermissionError(13, "Permission denied"), 3, "Permission denied"),
        (ZeroDivisionError("division by zero"), 3, "the check itself failed (ZeroDivisionError"),
    ],
)
def test_whatever_a_check_raises_becomes_a_result(pool, ended, error, code, words):
    def call(_context):
        raise error

    pool.submit([_task(call, 60.0, None)])
    found = ended.get(timeout=60).outcome
    assert (found.code, words in found.output) == (code, True)
