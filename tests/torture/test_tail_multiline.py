"""Records of several lines: whole through restart, rotation and truncation, once, and never waiting for ever."""

import os
import random
import threading
import time

import pytest

from torture.harness import LONG, Writer, all_came, checked, copytruncate, pace, source, until

PATIENT = {"start": r"^\d{4}-", "wait": "50s"}
QUICK = {"start": r"^\d{4}-", "wait": "100ms"}


class Tracer(Writer):
    """Writes records of several lines, each of which ends with a checksum of all of it."""

    def records(self, count: int, lines: int = 5) -> None:
        """Append `count` records, each with one write."""
        for _ in range(count):
            self.raw(self.text(lines) + b"\n")

    def text(self, lines: int = 5) -> bytes:
        """Return the next record, and remember it as written."""
        trace = "".join(f"\n\tat c.e.App.run{number}(App.java:{number})" for number in range(lines - 1))
        self.written.append(checked(f"2026-11-23 09:05:00,123 ERROR c.e.App: {len(self.written)}{trace}\nCaused by: x"))
        return self.written[-1].encode()


def test_traces_come_as_one_record_each_by_the_formats_own_rule(sink, logs, follow):
    writer = Tracer(logs / "app.log")
    with follow(format="log4j"):
        for number in range(5):
            writer.records(40)
            writer.rotate(f"app.log.{number}")
        writer.records(1)
        all_came(sink, writer)
        record = next(record for record in sink.records.values() if record.source == "app")
        assert record.ident == "c.e.App" and record.message.count("\n") == 5 and not record.parse_error


def test_the_last_record_comes_although_nothing_follows_it(sink, logs, follow):
    writer = Tracer(logs / "app.log")
    with follow(multiline=QUICK):
        for _ in range(3):
            writer.records(1)
            all_came(sink, writer)


def test_a_record_written_line_by_line_comes_whole(sink, logs, follow):
    writer = Tracer(logs / "app.log")
    with follow(multiline=PATIENT):
        for _ in range(10):
            for line in writer.text().splitlines(keepends=True):
                writer.raw(line)
            writer.raw(b"\n")
        writer.raw(b"2026-11-23 09:05:00 the end\n")
        sink.wait_for(10)
        assert sink.raws() == [text.encode() for text in writer.written]


@pytest.mark.parametrize("way", ["stop", "kill"])
@pytest.mark.parametrize("rotated", [False, True])
def test_an_open_record_waits_through_a_restart_and_a_rotation_and_comes_once_and_whole(
    sink, logs, follow, way, rotated
):
    writer = Tracer(logs / "app.log")
    following = follow(multiline=PATIENT)
    with following:
        writer.records(1)
        half, rest = writer.text(20)[:300], writer.written[-1].encode()[300:]
        writer.raw(half)
        sink.wait_for(1)  # the record before is complete once the half is read
        following.stop() if way == "stop" else following.kill()
        if rotated:
            writer.path.rename(logs / "app.log.1")
        following.start()
        writer.raw(rest + b"\n2026-11-23 09:05:00 the end\n")
        sink.wait_for(2)
        assert sink.raws() == [text.encode() for text in writer.written]


def test_an_open_record_that_was_read_is_not_lost_when_its_file_is_truncated(sink, logs, follow):
    writer = Tracer(logs / "app.log")
    with follow(multiline=PATIENT):
        writer.raw(writer.text() + b"\n" + writer.text() + b"\n")
        sink.wait_for(1)
        os.truncate(writer.path, 0)
        sink.wait_for(2)
        writer.records(2)
        writer.raw(b"2026-11-23 09:05:00 the end\n")
        sink.wait_for(4)
        assert sink.raws() == [text.encode() for text in writer.written]


@pytest.mark.parametrize("pattern", ["app.log", "app.log*"])
def test_a_copy_has_the_open_record_whole(sink, logs, follow, pattern):
    writer = Tracer(logs / "app.log")
    with follow(pattern, multiline={**PATIENT, "wait": "2s"}):
        for number in range(2):
            writer.records(20)
            half, rest = writer.text(20)[:300], writer.written[-1].encode()[300:]
            writer.raw(half)
            sink.wait_for(len(writer.written) - 1)  # so the half is read too
            writer.raw(rest + b"\n")
            copytruncate(writer, logs / f"app.log.{number}")
        writer.records(1)
        all_came(sink, writer)


def test_a_file_that_vanishes_with_an_open_record_gives_it_all_the_same(sink, logs, follow):
    writer = Tracer(logs / "app.log")
    with follow(multiline=QUICK):
        writer.records(1)
        all_came(sink, writer)
        writer.records(1)
        until(lambda: len(sink.raws()) == 2)
        writer.path.unlink()
        writer.reopen()
        writer.records(1)
        all_came(sink, writer)


def test_a_record_without_end_is_cut_and_nothing_of_it_is_lost(sink, logs, follow):
    writer = Writer(logs / "app.log")
    lines = [b"2026-11-23 09:05:00 begin"] + [b"\tat %d" % number for number in range(5000)]
    with follow(multiline={**QUICK, "lines": 100}):
        writer.raw(b"\n".join(lines) + b"\n")
        until(lambda: sum(raw.count(b"\n") + 1 for raw in sink.raws()) == len(lines))
        assert b"\n".join(sink.raws()) == b"\n".join(lines)
        assert sink.raws()[0].count(b"\n") == 99


def test_sigkill_at_random_moments_tears_no_record(sink, logs, follow):
    chance = random.Random(5)
    writer = Tracer(logs / "app.log")
    following = follow("app.log*", multiline={**QUICK, "wait": "2s"})
    stop = threading.Event()

    def work() -> None:
        turn = 0
        while not stop.is_set():
            writer.records(chance.randint(1, 20), chance.randint(1, 40))
            if chance.random() < 0.1:
                turn += 1
                writer.rotate(f"app.log.{turn}")
            stop.wait(0.01)
            pace(sink, writer, 3000, stop)

    thread = threading.Thread(target=work)
    with following:
        thread.start()
        try:
            for _ in range(60 if LONG else 5):
                time.sleep(chance.uniform(0.05, 0.5))  # the moment of the kill is the case
                following.kill()
                following.start(ready=chance.random() < 0.5)
        finally:
            stop.set()
            thread.join()
        all_came(sink, writer)


def test_a_changed_rule_applies_from_where_the_file_is_read(sink, logs, follow):
    writer = Tracer(logs / "app.log")
    with follow(multiline=PATIENT) as following:
        writer.records(2)
        sink.wait_for(1)
        following.configure([source(logs, multiline=False)])
        until(lambda: "Revision 2 is in force" in following.said())
        following.configure([source(logs, multiline=QUICK)])
        writer.records(2)
        until(lambda: b"\n".join(sink.raws()).decode() == "\n".join(writer.written))
