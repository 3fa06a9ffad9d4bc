"""What the node server notices about its own work."""

import queue
import time

from nodeward.core.bundle import Check
from nodeward.nodeserver.checks.base import Standing
from nodeward.nodeserver.runner import Runner
from nodeward.nodeserver.schedule import Schedule
from nodeward.nodeserver.settings import NodeserverSettings


def test_a_check_that_begins_late_is_counted_and_says_how_late(tmp_path, monkeypatch):
    monkeypatch.setattr("nodeward.nodeserver.runner.LATE_SECONDS", 300.0)  # nothing here is late by itself
    plan, results = Schedule(), queue.Queue()
    runner = Runner(NodeserverSettings(var=tmp_path, node="web-1"), plan, results.put, lambda: Standing(1, 2, 0.0))
    runner.pool.start()
    try:
        for name, ago in (("late", 900.0), ("in-time", 0.0)):  # each was due within three seconds of being loaded
            plan.apply([Check(node="web-1", service=name, plugin="uptime")], time.monotonic() - ago, time.time() - ago)
            while results.empty():
                runner.unit()
            [row] = results.get(timeout=60)
            assert (row["service"], row["latency"] > 300.0) == (name, name == "late")
    finally:
        runner.pool.stop()
    assert (runner.counts.late, runner.late_within(60), runner.late_within(-60)) == (1, 1, 0)
