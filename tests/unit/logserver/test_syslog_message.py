import datetime as dt
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeward.core import clock
from nodeward.core.batch import NO_TIME, Builder
from nodeward.logserver import syslog_message

UTC = dt.UTC
NOW = clock.parse_rfc3339("2026-11-24T12:00:00Z")


def parsed(raw, received=NOW, zone=UTC):
    found = syslog_message.parse(raw, received, zone)
    text = raw[slice(*found.message)] if found.message else raw
    when = clock.rfc3339(found.time) if found.time != NO_TIME else None
    return found, text, when


def test_rfc_5424_in_full():
    raw = b'<165>1 2003-10-11T22:14:15.003Z host app 8710 ID47 [a@1 x="1" y="q\\"\\]\\\\"][b z=""] \xef\xbb\xbfAn event'
    found, text, when = parsed(raw)
    assert (found.level, found.host, found.ident, found.pid) == (5, "host", "app", 8710)
    assert found.fields == {"msgid": "ID47", "a@1.x": "1", "a@1.y": 'q"]\\', "b.z": ""}
    assert (text, when, found.error) == (b"An event", "2003-10-11T22:14:15.003000Z", None)


def test_rfc_5424_with_nothing_said():
    found, text, when = parsed(b"<34>1 - - - - - -")
    assert (found.level, found.host, found.ident, found.pid, found.fields) == (2, "", "", None, {})
    assert (text, when, found.error) == (b"", None, None)


@pytest.mark.parametrize(
    ("raw", "host", "ident", "pid", "text"),
    [
        (b"<34>Oct 11 22:14:15 mymachine su[5]: 'su root' failed", "mymachine", "su", 5, b"'su root' failed"),
        (b"<13>Nov  3 01:02:03 web-1 cron: tick", "web-1", "cron", None, b"tick"),
        (b"<13>Nov 24 01:02:03 logger: local", "", "logger", None, b"local"),
        (b"<13>Nov 24 01:02:03 host no tag here", "host", "", None, b"no tag here"),
        (b"<30>2026-11-24T09:05:00.123456+01:00 fw sshd[7]: precise", "fw", "sshd", 7, b"precise"),
        (b"<13>Nov 24 01:02:03 10.0.0.1 a.b/c[12345678901]: x", "10.0.0.1", "", None, b"a.b/c[12345678901]: x"),
    ],
)
def test_rfc_3164_as_it_is_really_sent(raw, host, ident, pid, text):
    found, got, when = parsed(raw)
    assert (found.host, found.ident, found.pid, got, found.error) == (host, ident, pid, text, None)
    assert when


@pytest.mark.parametrize(
    ("received", "text", "when"),
    [
        ("2026-11-24T12:00:00Z", b"Nov 24 11:59:59", "2026-11-24T11:59:59.000000Z"),
        ("2027-01-01T00:00:05Z", b"Dec 31 23:59:59", "2026-12-31T23:59:59.000000Z"),
        ("2026-12-31T23:59:58Z", b"Jan  1 00:00:01", "2027-01-01T00:00:01.000000Z"),
        ("2026-11-24T12:00:00Z", b"Nov 26 00:00:00", "2025-11-26T00:00:00.000000Z"),
        ("2028-03-01T00:00:00Z", b"Feb 29 12:00:00", "2028-02-29T12:00:00.000000Z"),
        ("2026-11-24T12:00:00Z", b"Nov 24 11:59:59.25", "2026-11-24T11:59:59.250000Z"),
    ],
)
def test_a_time_without_a_year_is_the_latest_it_can_mean(received, text, when):
    assert parsed(b"<13>" + text + b" h t: x", clock.parse_rfc3339(received))[2] == when


def test_a_time_without_a_zone_is_of_the_zone_that_is_set():
    assert (
        parsed(b"<13>Nov 24 09:00:00 h t: x", zone=zoneinfo.ZoneInfo("Asia/Tokyo"))[2] == "2026-11-24T00:00:00.000000Z"
    )


@pytest.mark.parametrize(
    "raw", [b"", b"hello", b"<999>Nov 24 01:02:03 h t: x", b"<13>", b"<13>Foo 24 01:02:03 h t: x", b"<13>1 x y z",
            b"<13>Feb 31 01:02:03 h t: x", b"<13>1 2026-99-99T00:00:00Z h a - - -", b'<13>1 - h a - - [x y="']
)  # fmt: skip
def test_what_does_not_fit_is_flagged(raw):
    assert parsed(raw)[0].error


@given(st.one_of(st.binary(max_size=300), st.text('<1>3 [="\\]Nov:2TZ-', max_size=200).map(str.encode)))
def test_whatever_comes_can_be_stored(raw):
    found = syslog_message.parse(raw, NOW, UTC)
    builder = Builder("n", "s", "g")
    builder.add(
        raw, 0, time=found.time, level=found.level, host=found.host, ident=found.ident, pid=found.pid,
        message=found.message, fields=found.fields, error=found.error,
    )  # fmt: skip
    start, end = found.message or (0, len(raw))
    assert 0 <= start <= end <= len(raw)
