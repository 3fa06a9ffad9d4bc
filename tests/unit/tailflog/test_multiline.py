"""Which lines are one record: told by times, by traces, by an operator's own patterns; the same however they are read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeward.core import batch
from nodeward.core.formats import Multiline
from nodeward.tailflog import config
from nodeward.tailflog.config import Source
from nodeward.tailflog.formats.pattern import compiled
from nodeward.tailflog.lines import LONGEST, split
from nodeward.tailflog.multiline import records, rule
from nodeward.tailflog.parse import Parser

JAVA = b"""2026-11-23 09:05:00,123 ERROR [main] c.e.App: it failed
java.lang.IllegalStateException: no
\tat c.e.App.run(App.java:7)
\tat c.e.App.main(App.java:3)
Caused by: java.io.IOException: gone
\tat c.e.Disk.read(Disk.java:1)
\t... 2 more
2026-11-23 09:05:01,000 INFO [main] c.e.App: going on
"""
PYTHON = b"""Traceback (most recent call last):
  File "a.py", line 1, in <module>
    1 / 0
ZeroDivisionError: division by zero

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 3, in <module>
    raise KeyError("x")
KeyError: 'x'
listening on 7402
"""
GO = b"""listening
panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.(*Server).serve(0xc000012345, {0x1, 0x2})
\t/srv/main.go:7 +0x1d
main.main()
\t/srv/main.go:3 +0x25
exit status 2
listening
"""


def made(data, setting, format_="raw", final=True):
    lines = split(data, 0, final=final)
    return records(lines, rule(setting, format_), 0, final)


def test_a_java_trace_belongs_to_the_line_with_the_time():
    found = made(JAVA, None, "log4j")
    assert [raw.count(b"\n") for raw in found.lines] == [6, 0]
    assert found.lines[0].endswith(b"... 2 more")
    assert list(found.offsets) == [0, JAVA.index(b"2026-11-23 09:05:01")]
    assert found.end == len(JAVA)


@pytest.mark.parametrize(
    ("data", "counts"),
    [(PYTHON, [11, 1]), (GO, [1, 8, 1]), (b"a\n  b\n\tc\nd\n", [3, 1]), (JAVA.split(b"\n", 1)[1], [1 + 2 + 3, 1])],
)
def test_traces_without_a_time_are_told_by_their_form(data, counts):
    assert [raw.count(b"\n") + 1 for raw in made(data, "traces").lines] == counts


def test_an_operators_own_patterns_tell_starts_or_continuations():
    data = b"> one\nmore\n> two\n\n> three\n"
    wanted = [b"> one\nmore", b"> two\n", b"> three"]
    assert made(data, Multiline(start="^> ")).lines == wanted
    assert made(data, Multiline(**{"continue": "^([^>]|$)"})).lines == wanted


def test_a_rule_that_fits_nothing_glues_nothing_together():
    data = b"".join(b"line %d\n" % number for number in range(50))
    assert len(made(data, "time").lines) == len(made(data, Multiline(start="^never")).lines) == 50
    assert len(made(data, None, "log4j", final=False).lines) == 50  # and nothing waits


def test_each_line_is_a_record_unless_the_format_or_the_operator_says_otherwise():
    assert rule(None, "syslog") is None
    assert rule(None, "log4j") is not None
    assert rule(False, "log4j") is None


def test_the_last_record_is_open_until_the_next_begins():
    first = made(JAVA[: JAVA.index(b"2026-11-23 09:05:01")], None, "log4j", final=False)
    assert first is None
    assert len(made(JAVA, None, "log4j", final=False).lines) == 1


def test_a_record_is_cut_at_its_limits_and_says_so():
    data = b"> a\n" + b"x\n" * 20
    lines = made(data, Multiline(start="^>", lines=5))
    assert lines.lines[0].count(b"\n") == 4 and len(lines.lines) == 1 + 16
    assert "5 lines, the most" in lines.errors[0]
    long = b"> a\n" + (b"x" * 500 + b"\n") * 20
    assert max(map(len, made(long, Multiline(start="^>", bytes=1024)).lines)) <= 1024
    assert len(made(b"> " + b"x" * 5000 + b"\n", Multiline(start="^>", bytes=1024)).lines[0]) == 5002


def test_an_unfinished_line_too_long_for_the_record_completes_it():
    lines = split(b"> a\nx\n" + b"y" * 2000, 0)
    told = rule(Multiline(start="^>", bytes=1024), "raw")
    assert records(lines, told, 2000, False).lines == [b"> a\nx"]
    assert records(split(b"> a\nx\ny", 0), told, 1, False) is None


def test_a_piece_of_an_overlong_line_stays_what_it_is():
    lines = split(b"> " + b"x" * LONGEST, 0)
    assert records(lines, rule(Multiline(start="^>"), "raw"), 0, False) is lines


@pytest.mark.parametrize("setting", ["time", "traces", Multiline(start="^2"), Multiline(**{"continue": r"^\s"})])
@given(
    parts=st.lists(st.sampled_from([b"2026-11-23 09:05:00 INFO x", b"\tat a", b"word", b"", b"panic: x", b"main.f()"])),
    cuts=st.lists(st.integers(0, 300), max_size=5),
)
def test_records_are_the_same_however_a_file_is_read(setting, parts, cuts):
    data, told = b"".join(part + b"\n" for part in parts), rule(setting, "raw")
    want = records(split(data, 0), told, 0, True).lines if data else []
    found, held, place = [], b"", 0
    for cut in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
        held, place = held + data[place:cut], max(place, cut)
        lines = split(held, 0)
        while lines and (complete := records(lines, told, len(held) - lines.end, False)):
            found += complete.lines
            held = held[complete.end :]
            lines = split(held, 0)
    if held:
        found += records(split(held, 0), told, 0, True).lines
    assert found == want


@pytest.mark.parametrize(
    ("format_", "raw", "message"),
    [
        ("log4j", JAVA[: JAVA.index(b"\n2026-11-23 09:05:01")], "it failed\njava.lang"),
        ("syslog", b"Nov 23 09:05:00 web-1 app[7]: one\n  two", "one\n  two"),
        ("json", b'{"time": "2026-11-23T09:05:00Z",\n "message": "pretty"\n}', "pretty"),
        ({"pattern": r"^(?P<time>\S+ \S+) (?P<message>.*)$"}, b"2026-11-23 09:05:00 one\ntwo", "one\ntwo"),
    ],
)
def test_the_first_line_is_parsed_and_the_message_goes_on_to_the_end(format_, raw, message):
    told = {"start": "^[2N{]"} if format_ != "log4j" else None
    parser = Parser(Source(source="s", paths=["/x"], format=format_, multiline=told), "n", 1_790_000_000_000_000)
    lines = records(split(raw + b"\n", 0), parser.rule, 0, True)
    (record,) = batch.records(parser.batch(lines, "g", "/x", 1_790_000_000_000_000), 5)
    assert record.parse_error is None
    assert record.raw == raw and record.message.startswith(message)
    assert record.time != 5


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("sometimes", "is none of time, traces, false"),
        (True, "is none of"),
        ({}, "exactly one of start and continue"),
        ({"start": "a", "continue": "b"}, "exactly one of start and continue"),
        ({"start": "(?=a)"}, "look-around"),
        ({"start": "a", "lines": 0}, "greater than or equal to 2"),
        ({"start": "a", "wait": "soon"}, "not a duration"),
        ({"begin": "a"}, "not known here"),
    ],
)
def test_a_wrong_setting_is_said_once_and_clearly(given, says):
    data = {"node": "n", "sources": [{"source": "s", "paths": ["/x"], "multiline": given}]}
    with pytest.raises(config.ConfigError) as error:
        config.verified(data, "It")
    assert says in str(error.value)


def test_a_pattern_of_records_is_not_anchored_to_lines_by_accident():
    assert compiled("^a.*z$").search(b"a\nz")
