"""SIGKILL, damaged checkpoints, changed bundles: what was written is shipped, once."""

import json
import os
import random
import resource
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import fakes
from torture.harness import LONG, Writer, all_came, judge, pace, source, until


def test_sigkill_at_random_moments_among_rotations_loses_and_doubles_nothing(sink, writer, follow):
    chance = random.Random(7)
    following = follow("app.log*")
    stop = threading.Event()

    def work() -> None:
        turn = 0
        while not stop.is_set():
            writer.write(chance.randint(1, 60))
            if chance.random() < 0.1:
                turn += 1
                writer.rotate(f"app.log.{turn}")
            stop.wait(0.05 if LONG else 0.005)  # so that the store of the test can follow
            pace(sink, writer, 15_000, stop)

    thread = threading.Thread(target=work)
    with following:
        thread.start()
        try:
            for _ in range(40 if LONG else 8):
                time.sleep(chance.uniform(0.05, 0.5))  # the moment of the kill is the case
                following.kill()
                following.start(ready=chance.random() < 0.5)
                if chance.random() < 0.5:
                    time.sleep(chance.uniform(0.2, 0.9))  # far enough to read and to write checkpoints
        finally:
            stop.set()
            thread.join()
        all_came(sink, writer)


def test_sigkill_between_the_steps_of_spool_and_checkpoint_loses_nothing(sink, writer, follow):
    """Kill while reading at full speed with a slow server, so that spool, checkpoint and acknowledgement are apart."""
    chance = random.Random(11)
    writer.write(120_000 if LONG else 30_000)
    sink.delay = 0.02
    following = follow()
    with following:
        for _ in range(60 if LONG else 6):
            time.sleep(chance.uniform(0.0, 0.25))  # the moment of the kill is the case
            following.kill()
            writer.write(50)
            following.start()
        all_came(sink, writer)


def test_sigkill_before_each_step_of_writing_its_state_loses_and_doubles_nothing(sink, writer, follow):
    """Every write, fsync, rename and unlink of spool and checkpoint, from the start on, is once the one that does not happen."""
    following = follow("app.log*")
    try:
        for step in range(0, 60 if LONG else 24, 1 if LONG else 3):
            writer.write(20)
            following.program = ["-P", str(Path(fakes.__file__).with_name("killed.py")), str(step)]
            following.start(ready=False)
            while following.running:
                writer.write(5)
                if step % 2:
                    writer.rotate(f"app.log.{time.monotonic_ns()}")
                time.sleep(0.1)  # a step more, now and then
            following.died()
        following.program = ["-m", "nodeward.tailflog.main"]
        following.start()
        all_came(sink, writer)
    finally:
        following.kill()


def _damage(path, how):
    data = path.read_bytes()
    if how == "half":
        path.write_bytes(data[: len(data) // 2])
    elif how == "zero":
        path.write_bytes(b"")
    elif how == "flipped":
        path.write_bytes(data[:-3] + bytes([data[-3] ^ 0xFF]) + data[-2:])
    elif how == "older":
        shutil.copyfile(path.with_suffix(".previous"), path)
    elif how == "link":
        path.unlink()
        path.symlink_to("/etc/hostname")
    elif how == "gone":
        path.unlink()


@pytest.mark.parametrize("how", ["half", "zero", "flipped", "older", "link", "gone"])
def test_a_damaged_checkpoint_is_said_and_nothing_is_shipped_twice(sink, writer, follow, how):
    following = follow()
    with following:
        writer.write(50)
        sink.wait_for(50)
        assert following.stop() == 0
        following.start()
        writer.write(50)
        sink.wait_for(100)
        assert following.stop() == 0
        _damage(following.var / "tailflog" / "spool" / "checkpoint", how)
        writer.write(50)
        following.start()
        all_came(sink, writer)
        if how not in ("older", "gone"):
            assert "the one before it is used" in following.said()


def test_a_torn_last_frame_of_the_spool_is_read_anew(sink, writer, follow):
    following = follow()
    with following:
        writer.write(5)
        sink.wait_for(5)
        sink.stop()
        writer.write(200)
        segments = following.var / "tailflog" / "spool"
        until(lambda: max(one.stat().st_size for one in segments.glob("*.seg")) > 5000)
        following.kill()
        newest = max(segments.glob("*.seg"))
        os.truncate(newest, newest.stat().st_size - 3)
        sink.again()
        following.start()
        all_came(sink, writer)


def test_an_unfinished_line_is_shipped_once_when_it_is_finished_after_a_restart(sink, writer, follow):
    following = follow()
    with following:
        writer.raw(b"first\nhalf of ")
        sink.wait_for(1)
        assert following.stop() == 0
        following.start()
        writer.raw(b"a line\n")
        assert sink.wait_for(2) == [b"first", b"half of a line"]


def test_a_changed_bundle_is_applied_without_losing_the_place(sink, logs, follow):
    writer, other = Writer(logs / "app.log"), Writer(logs / "more.txt", "more")
    following = follow()
    with following:
        writer.write(100)
        other.write(20)
        sink.wait_for(100)
        following.configure([source(logs), source(logs, "*.txt", "more")])
        following.reload()
        writer.write(100)
        all_came(sink, writer, other)
        following.configure([source(logs, format="syslog")])
        until(lambda: "Revision 3 is in force" in following.said())
        writer.write(10)
        other.write(10)
        sink.wait_for(230)
        assert judge(writer.written, sink.raws("app")).good


def test_a_bad_bundle_is_refused_with_every_fault_and_the_old_one_stays(sink, writer, follow):
    bad = {
        "node": "web-1",
        "logserver": "nowhere",
        "sources": [
            {"source": "a", "paths": ["relative"], "format": "sylog"},
            {"source": "b", "paths": ["/x"], "format": {"pattern": "(?P<x>a)(?=b)"}, "timezone": "Mars/Base"},
        ],
    }
    following = follow()
    with following:
        following.write_bundle(json.dumps(bad))
        until(lambda: "stays in force" in following.said())
        for words in ("logserver", "sources[0].paths", "sylog", "look-around", "Mars/Base"):
            assert words in following.said(), words
        following.write_bundle('{"node": ')
        until(lambda: "is not JSON" in following.said())
        writer.write(10)
        all_came(sink, writer)


def test_it_waits_for_bundle_and_token_and_says_so(sink, writer, follow):
    sink.token = "right"
    following = follow()
    bundle = following.var / "nodeserver" / "bundle" / "tailflog.json"
    text = bundle.read_text()
    bundle.unlink()
    token = following.var / "secrets" / "nodeserver" / "token"
    token.unlink()
    following.start(ready=False)
    with_context = following
    try:
        until(lambda: f"Waiting for {bundle}" in following.said())
        with_context.write_bundle(text)
        writer.write(10)
        until(lambda: "secrets/nodeserver/token cannot be read" in following.said())
        following.give_token("wrong")
        until(lambda: sink.requests > 0)
        following.give_token("right")
        all_came(sink, writer)
    finally:
        following.kill()


def test_a_second_program_on_the_same_state_is_refused_with_a_sentence(follow):
    with follow() as following:
        second = subprocess.run(
            [sys.executable, "-m", "nodeward.tailflog.main"],
            env={**os.environ, "NODEWARD_VAR": str(following.var)},
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert second.returncode == 78
        assert "Another tailflog works with" in second.stderr
        assert "Traceback" not in second.stderr
        assert following.running


def test_a_full_disk_pauses_reading_and_loses_nothing(sink, writer, follow):
    with follow() as following:
        writer.write(10)
        sink.wait_for(10)
        resource.prlimit(following.pid, resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
        writer.write(500)
        until(lambda: "Reading pauses, nothing is lost" in following.said())
        assert "free space" in following.said()
        resource.prlimit(following.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        all_came(sink, writer)
        assert "Traceback" not in following.said()
