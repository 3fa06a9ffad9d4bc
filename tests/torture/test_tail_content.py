"""What a line may hold, how many files there may be, what a wrong pattern may cost."""

import statistics
import time
from pathlib import Path

import psutil
import pytest

from fakes.sink import Sink
from torture.harness import LONG, Following, Writer, all_came, source, until

ODD = [
    (b"a\0b\n", b"a\0b"),
    (b"bare\rreturn\n", b"bare\rreturn"),
    (b"dos\r\n", b"dos"),
    (b"caf\xe9 \xff\xfe\n", b"caf\xe9 \xff\xfe"),
    ("日本語\n".encode("shift_jis"), "日本語".encode("shift_jis")),
    (b"\x1b[31mred\x1b[0m\n", b"\x1b[31mred\x1b[0m"),
    (b"\n", b""),
    (b"<script>alert(1)</script>\n", b"<script>alert(1)</script>"),
]


@pytest.mark.parametrize("format_", ["raw", "syslog", "json", "log4j", {"pattern": "(?P<message>.*)"}])
def test_every_byte_of_a_line_comes_as_it_is(sink, writer, follow, format_):
    with follow(format=format_):
        writer.raw(b"".join(given for given, _ in ODD))
        assert sink.wait_for(len(ODD)) == [wanted for _, wanted in ODD]


@pytest.mark.parametrize(
    ("mark", "encoding"), [(b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\xef\xbb\xbf", "utf-8")]
)
def test_a_byte_order_mark_tells_the_encoding_and_belongs_to_no_line(sink, writer, follow, mark, encoding):
    text = ["erste Zeile", "zweite: ä € 𝄞 Ċ", "dritte"]
    data = mark + "".join(f"{one}\r\n" for one in text).encode(encoding)
    with follow():
        for place in range(len(data)):
            writer.raw(data[place : place + 1])
        assert sink.wait_for(3) == [one.encode() for one in text]


def test_a_named_encoding_is_made_utf8(sink, writer, follow):
    with follow(encoding="shift_jis"):
        writer.raw("日本語 ソ\n".encode("shift_jis"))
        assert sink.wait_for(1) == ["日本語 ソ".encode()]


def test_a_huge_line_comes_in_pieces_with_flat_memory(sink, writer, follow):
    size = (100 if LONG else 20) * 1024 * 1024
    with follow() as following:
        writer.raw(b"before\n")
        piece = bytes(range(97, 123)) * 40330
        for _ in range(size // len(piece)):
            writer.raw(piece)
        writer.raw(b"end\nafter\n")
        until(lambda: sink.raws()[-1:] == [b"after"], 60)
        stored = sink.raws()
        assert stored[0] == b"before"
        assert b"".join(stored[1:-1]) == piece * (size // len(piece)) + b"end"
        assert all(len(raw) <= 1024 * 1024 for raw in stored)
        errors = [record.parse_error for record in sink.records.values() if record.parse_error]
        assert errors[0] == "its line is longer than 1048576 bytes: this is piece 1"
        assert errors[-1].endswith("the last")
        assert psutil.Process(following.pid).memory_info().rss < 200 * 1024**2


@pytest.mark.parametrize("count", [10_000, 50_000] if LONG else [2000])
def test_thousands_of_idle_files_cost_little_and_one_line_in_any_is_seen_at_once(sink, logs, follow, count):
    for number in range(count):
        (logs / f"idle{number}.log").write_bytes(b"one\n")
    began = time.monotonic()
    with follow() as following:
        sink.wait_for(count, 30 + count / 200)
        assert time.monotonic() - began < 30 + count / 200
        process = psutil.Process(following.pid)
        until(lambda: _share(process) < 0.1, 60, "it did not come to rest")
        assert statistics.median(_delay(sink, logs / f"idle{count // 5 * part}.log") for part in range(5)) < 2.0
        assert process.memory_info().rss < 100 * 1024**2 + count * 8 * 1024


def _delay(sink: Sink, path: Path) -> float:
    """Return how long it takes until a line that is added to this file has come."""
    before, began = len(sink.raws()), time.monotonic()
    with path.open("ab") as file:
        file.write(b"two\n")
    sink.wait_for(before + 1)
    return time.monotonic() - began


def _share(process: psutil.Process) -> float:
    """Return the share of a CPU that a process takes for two seconds."""
    before, began = sum(process.cpu_times()[:2]), time.monotonic()
    time.sleep(2.0)  # idleness is what is measured
    return float((sum(process.cpu_times()[:2]) - before) / (time.monotonic() - began))


def test_one_hot_file_does_not_starve_many_cold_ones(sink, logs, follow):
    hot = Writer(logs / "hot.log", "hot")
    cold = [Writer(logs / f"cold{number}.log", f"cold{number}") for number in range(500)]
    hot.write(200_000, "x" * 80)
    with follow():
        for writer in cold:
            writer.write(1)
        until(lambda: sum(raw.startswith(b"cold") for raw in sink.raws()) == len(cold))
        all_came(sink, hot, *cold, seconds=90)


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(.*)*x", r"\s+$", r"((\S+ )*)*(?P<end>zzz)$", "never matches"])
def test_a_hostile_pattern_costs_neither_a_line_nor_the_others_time(tmp_path, sink, logs, pattern):
    hostile, other = Writer(logs / "hostile.txt", "hostile"), Writer(logs / "other.log", "other")
    lines = [b"a" * 5000 + b"!", b" " * 5000 + b"x", b"aaaa bbbb " * 500]
    hostile.raw(b"\n".join(lines * 300) + b"\n")
    with Following(
        tmp_path, sink, [source(logs, "*.txt", "bad", format={"pattern": pattern}), source(logs, "*.log", "other")]
    ):
        other.write(2000)
        sink.wait_for(2000, source="other")
        stored = sink.wait_for(900, source="bad")
        assert stored == lines * 300
