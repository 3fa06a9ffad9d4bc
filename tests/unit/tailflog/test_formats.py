"""Each format on real systems' logs and on the lines that trip parsers up."""

import re
import time as clocks
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeward.core import batch, severity
from nodeward.tailflog.config import Source
from nodeward.tailflog.formats import FORMATS, parser
from nodeward.tailflog.formats.base import Unfit
from nodeward.tailflog.formats.pattern import check
from nodeward.tailflog.formats.times import Times, epoch
from nodeward.tailflog.lines import split
from nodeward.tailflog.parse import Parser, encoded

NOW = 1_790_000_000_000_000  # 2026-09-21


def _us(text):
    return int(datetime.fromisoformat(text).timestamp() * 1_000_000)


def _records(format_, data, now=NOW, **source):
    made = Parser(Source(source="s", paths=["/x"], format=format_, **{"timezone": "UTC", **source}), "n", now)
    lines = split(data, 0, final=True)
    (decoded,) = [one for one, _ in batch.decode(encoded(made.batch(lines, "g", "/x", now)))]
    return list(batch.records(decoded, received=0))


def _one(format_, line, **more):
    (record,) = _records(format_, line if isinstance(line, bytes) else line.encode(), **more)
    return record


SAMPLES = {
    "Linux": ("syslog", r"(\w{3} +\d+ [\d:]{8})", "%b %d %H:%M:%S"),
    "OpenSSH": ("syslog", r"(\w{3} +\d+ [\d:]{8})", "%b %d %H:%M:%S"),
    "Apache": ("apache", r"\[(.{24})\]", "%a %b %d %H:%M:%S %Y"),
    "HDFS": ("log4j", r"(\d{6} \d{6})", "%y%m%d %H%M%S"),
    "Hadoop": ("log4j", r"([\d-]{10} [\d:]{8},\d{3})", "%Y-%m-%d %H:%M:%S,%f"),
    "OpenStack": ("log4j", r"\S+ ([\d-]{10} [\d:]{8}\.\d{3})", "%Y-%m-%d %H:%M:%S.%f"),
    "Spark": ("log4j", r"([\d/]{8} [\d:]{8})", "%y/%m/%d %H:%M:%S"),
    "Zookeeper": ("log4j", r"([\d-]{10} [\d:]{8},\d{3})", "%Y-%m-%d %H:%M:%S,%f"),
}


@pytest.mark.parametrize("system", SAMPLES)
def test_real_logs_parse_and_their_times_are_right(loghub, system):
    format_, where, form = SAMPLES[system]
    data = (loghub / f"{system}_2k.log").read_bytes()
    found = _records(format_, data)
    wrong = [record for record in found if record.parse_error]
    assert len(wrong) <= len(found) / 1000
    for record in found:
        stamp = re.match(where, record.raw.decode())[1]
        if "%Y" in form or "%y" in form:
            wanted = datetime.strptime(stamp, form).replace(tzinfo=UTC)
        else:
            year = 2026 if datetime.strptime(f"2026 {stamp}", f"%Y {form}") <= datetime(2026, 9, 22) else 2025
            wanted = datetime.strptime(f"{year} {stamp}", f"%Y {form}").replace(tzinfo=UTC)
        assert record.time == round(wanted.timestamp() * 1_000_000), record.raw
    assert b"\r" not in b"".join(record.raw for record in found)


def test_openssh_lines_have_host_ident_pid_and_message():
    record = _one("syslog", "Dec 10 06:55:46 LabSZ sshd[24200]: Invalid user webmaster from 173.234.31.186")
    assert (record.host, record.ident, record.pid) == ("LabSZ", "sshd", 24200)
    assert record.message == "Invalid user webmaster from 173.234.31.186"


@pytest.mark.parametrize(
    ("stamp", "read", "wanted"),
    [
        ("Dec 31 23:59:59", "2026-01-01T00:00:01+00:00", "2025-12-31T23:59:59+00:00"),
        ("Jan  1 00:00:01", "2025-12-31T23:59:59+00:00", "2026-01-01T00:00:01+00:00"),
        ("Jun 14 15:16:01", "2026-03-01T00:00:00+00:00", "2025-06-14T15:16:01+00:00"),
        ("Feb 29 12:00:00", "2026-03-01T00:00:00+00:00", "2024-02-29T12:00:00+00:00"),
        ("Mar  1 00:00:00", "2026-03-01T00:00:00+00:00", "2026-03-01T00:00:00+00:00"),
    ],
)
def test_a_time_without_a_year_belongs_to_the_year_that_makes_sense(stamp, read, wanted):
    record = _one("syslog", f"{stamp} h p: m", now=_us(read))
    assert record.time == _us(wanted)


@pytest.mark.parametrize(
    ("form", "format_"), [("%b %d %H:%M:%S h p: m", "syslog"), ("%Y-%m-%d %H:%M:%S INFO m", "log4j")]
)
def test_the_hour_that_is_twice_when_summer_ends_is_told_by_when_it_is_read(form, format_):
    zone = ZoneInfo("Europe/Berlin")
    parser = Parser(
        Source(source="s", paths=["/x"], format=format_, timezone="Europe/Berlin"),
        "n",
        _us("2026-10-24T20:00:00+00:00"),
    )
    moment, found, wanted = _us("2026-10-24T22:30:00+00:00"), [], []
    while moment < _us("2026-10-25T03:30:00+00:00"):
        local = datetime.fromtimestamp(moment / 1e6, zone)
        made = parser.batch(split(local.strftime(form).encode() + b"\n", 0), "g", "/x", moment + 1_000_000)
        found += batch.column(made, "times")
        wanted.append(moment)
        moment += 7 * 60_000_000
    assert found == wanted


def test_an_hour_that_is_not_there_when_summer_begins_has_a_moment_all_the_same():
    record = _one("syslog", "Mar 29 02:30:00 h p: m", timezone="Europe/Berlin", now=_us("2026-03-29T06:00:00+00:00"))
    assert record.parse_error is None
    assert _us("2026-03-29T00:00:00+00:00") < record.time < _us("2026-03-29T02:00:00+00:00")


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "UTC", "Pacific/Pago_Pago"])
def test_lines_around_new_year_stay_in_order_in_every_zone(zone):
    parser = Parser(
        Source(source="s", paths=["/x"], format="syslog", timezone=zone), "n", _us("2025-12-31T00:00:00+00:00")
    )
    moment, found, wanted = _us("2025-12-30T22:00:30+00:00"), [], []
    while moment < _us("2026-01-02T02:00:00+00:00"):
        local = datetime.fromtimestamp(moment / 1e6, ZoneInfo(zone))
        made = parser.batch(split(local.strftime("%b %d %H:%M:%S h p: m").encode() + b"\n", 0), "g", "/x", moment)
        found += batch.column(made, "times")
        wanted.append(moment)
        moment += 13 * 60_000_000
    assert found == wanted


def test_the_year_turns_while_a_file_is_followed():
    made = Parser(
        Source(source="s", paths=["/x"], format="syslog", timezone="UTC"), "n", _us("2025-12-31T12:00:00+00:00")
    )
    line = split(b"Jun  1 00:00:00 h p: m\n", 0)
    first, second = (
        batch.column(made.batch(line, "g", "/x", _us(now)), "times")[0]
        for now in ("2025-12-31T12:00:00+00:00", "2026-06-02T00:00:00+00:00")
    )
    assert (first, second) == (_us("2025-06-01T00:00:00+00:00"), _us("2026-06-01T00:00:00+00:00"))


def test_times_without_a_zone_are_of_the_sources_zone_in_summer_and_winter():
    for stamp in ("Jul  1 12:00:00", "Jan  1 12:00:00"):
        record = _one("syslog", f"{stamp} h p: m", timezone="Europe/Berlin")
        local = datetime.strptime(f"2026 {stamp}", "%Y %b %d %H:%M:%S").replace(tzinfo=ZoneInfo("Europe/Berlin"))
        assert record.time == int(local.timestamp() * 1_000_000)


@pytest.mark.parametrize(
    ("line", "host", "ident", "pid", "level", "message"),
    [
        ("Nov  3 09:05:00 web-1 kernel: eth0: up", "web-1", "kernel", None, 255, "eth0: up"),
        (
            "Nov  3 09:05:00 web-1 last message repeated 3 times",
            "web-1",
            "",
            None,
            255,
            "last message repeated 3 times",
        ),
        ("Nov  3 09:05:00 web-1 postfix/smtpd[7]: connect", "web-1", "postfix/smtpd", 7, 255, "connect"),
        ("Nov  3 09:05:00 web-1 su[7]:nothing between", "web-1", "su", 7, 255, "nothing between"),
        ("Nov  3 09:05:00 web-1 empty:", "web-1", "empty", None, 255, ""),
        ("<38>Nov  3 09:05:00 web-1 sshd[7]: hello", "web-1", "sshd", 7, 6, "hello"),
        ("2026-11-03T09:05:00.123456+01:00 web-1 sshd[7]: hello", "web-1", "sshd", 7, 255, "hello"),
        ("<11>2026-11-03T09:05:00Z web-1 sshd: hello", "web-1", "sshd", None, 3, "hello"),
    ],
)
def test_syslog_lines(line, host, ident, pid, level, message):
    record = _one("syslog", line)
    assert record.parse_error is None
    assert (record.host, record.ident, record.pid, record.level, record.message) == (host, ident, pid, level, message)


def test_rfc5424_with_structured_data_and_a_byte_order_mark():
    line = '<165>1 2026-10-11T22:14:15.003Z web-1 evnt 7 ID47 [a@1 x="1" y="q\\"\\]"][b@1] \ufeffAn event'
    record = _one("rfc5424", line)
    assert (record.host, record.ident, record.pid, record.level, record.message) == ("web-1", "evnt", 7, 5, "An event")
    assert record.fields == {"a@1": {"x": "1", "y": 'q"]'}, "b@1": {}, "msgid": "ID47"}
    assert record.time == _us("2026-10-11T22:14:15.003+00:00")
    assert _one("rfc5424", "<34>1 - - - - - -").message == ""


def test_access_logs_of_nginx_and_apache():
    line = '10.0.0.1 - bob [10/Oct/2026:13:55:36 -0700] "GET /a?b=1 HTTP/1.1" 503 2326 "http://r/" "curl \\"x\\""'
    for format_ in ("nginx", "apache"):
        record = _one(format_, line)
        assert record.time == _us("2026-10-10T13:55:36-07:00")
        assert record.level == severity.number("error")
        assert record.fields["client"] == "10.0.0.1" and record.fields["user"] == "bob"
        assert (record.fields["method"], record.fields["url"], record.fields["status"]) == ("GET", "/a?b=1", 503)
        assert record.fields["bytes"] == 2326 and record.fields["referer"] == "http://r/"
    tls = _one("nginx", '10.0.0.1 - - [10/Oct/2026:13:55:36 +0000] "\\x16\\x03\\x01" 400 150 "-" "-"')
    assert tls.parse_error is None and tls.fields["request"] == "\\x16\\x03\\x01"


def test_error_logs_of_nginx_and_apache():
    line = (
        '2026/11/23 09:05:00 [error] 31#32: *7 open() "/x" failed, client: 10.0.0.1, server: a, request: "GET /, HTTP"'
    )
    record = _one("nginx", line)
    assert (record.level, record.pid, record.fields["client"]) == (3, 31, "10.0.0.1")
    assert record.fields["request"] == "GET /, HTTP" and record.message.startswith("open()")
    line = "[Mon Nov 23 09:05:00.123456 2026] [core:error] [pid 31:tid 139] [client 10.0.0.1:5] AH00126: [x] bad"
    record = _one("apache", line)
    assert (record.level, record.ident, record.pid, record.message) == (3, "core", 31, "AH00126: [x] bad")
    assert record.time == _us("2026-11-23T09:05:00.123456+00:00")


def test_json_of_many_makers():
    docker = _one("json", '{"log":"started\\n","stream":"stderr","time":"2026-11-23T09:05:00.123456789Z"}')
    assert (docker.message, docker.fields) == ("started", {"stream": "stderr"})
    assert docker.time == _us("2026-11-23T09:05:00.123456+00:00")
    pino = _one("json", '{"level":50,"time":1790000000123,"pid":7,"hostname":"web-1","msg":"bad \\u00e9"}')
    assert (pino.level, pino.time, pino.pid, pino.host, pino.message) == (3, 1790000000123000, 7, "web-1", "bad é")


@pytest.mark.parametrize(
    "line",
    [
        '{"a": 123456789012345678901234567890}',
        '{"a": "\\ud800", "msg": "\\udfff"}',
        '{"a": NaN, "b": Infinity, "c": 1e999}',
        '{"a": ' + "[" * 900 + "]" * 900 + "}",
        '{"' + "x" * 60000 + '": 1}',
        "[" * 60000,
        '{"a":[' + "1," * 30000 + "1]}",
        '{"host": "' + "h" * 5000 + '"}',
    ],
)
def test_hostile_json_goes_over_the_wire(line):
    assert _one("json", line).raw == line.encode()


def test_logfmt_with_quotes_and_bare_words():
    record = _one("logfmt", 'time=2026-11-23T09:05:00Z level=warn msg="half \\"done\\"" port=7402 dry')
    assert (record.level, record.message, record.fields) == (4, 'half "done"', {"port": "7402", "dry": True})


@pytest.mark.parametrize(
    ("line", "level", "ident", "message"),
    [
        ("2026-11-23 09:05:00.123  INFO 412 --- [  main] c.e.App : started", 6, "c.e.App", "started"),
        ("2026-11-23T09:05:00.123Z WARNING nodeward.core.client: slow", 4, "nodeward.core.client", "slow"),
        (
            "[2026-11-23 09:05:00,123] INFO started (kafka.server.KafkaServer)",
            6,
            "",
            "started (kafka.server.KafkaServer)",
        ),
        ("2026-11-23 09:05:00,1 [main] ERROR a.B - broken", 3, "a.B", "broken"),
    ],
)
def test_other_shapes_of_java_and_python(line, level, ident, message):
    record = _one("log4j", line)
    assert (record.parse_error, record.level, record.ident, record.message) == (None, level, ident, message)


def test_a_pattern_of_ones_own_fills_columns_and_fields():
    pattern = r"^(?P<time>\S+) (?P<level>\w+) \[(?P<pid>\d+)\] (?P<host>\S+)/(?P<ident>\S+) user=(?P<user>\w+) (?P<message>.*)$"
    record = _one({"pattern": pattern}, "2026-11-23T09:05:00Z warn [7] web-1/app user=bob hello caf\xe9")
    assert (record.level, record.pid, record.host, record.ident, record.message) == (4, 7, "web-1", "app", "hello café")
    assert record.fields == {"user": "bob"}


@pytest.mark.parametrize("pattern", ["(", "a(?=b)", r"(a)\1", "a{2000}", "((a{100}){100}){100}", "x" * 5000, "[z-a]"])
def test_a_pattern_that_cannot_be_used_is_refused_with_a_sentence(pattern):
    with pytest.raises(ValueError, match="the pattern is"):
        check(pattern)


@pytest.mark.parametrize("format_", [*FORMATS, "pattern"])
@given(line=st.binary(max_size=300))
def test_no_line_makes_a_format_fail_in_another_way_than_by_saying_so(format_, line):
    chosen = {"pattern": r"(?P<time>\S+) (?P<message>.*)"} if format_ == "pattern" else format_
    parse = parser(chosen, Times(UTC, NOW))
    try:
        row = parse(line)
    except Unfit:
        return
    assert 0 <= row[5] <= row[6] <= len(line)


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize(
    "line",
    [b"a" * 500_000, b"\\" * 300_000, b'"' * 300_000, b"[" * 300_000, b" " * 300_000, b'{"a":' * 60_000, b"a=" * 200_000,
     b"2026-11-23 09:05:00 INFO [" + b"[" * 300_000, b"Nov  3 09:05:00 h " + b"x" * 300_000, b'a="\\' * 100_000,
     b'1 - - [10/Oct/2026:13:55:36 +0000] "' + b"\\" * 300_000, b"<34>1 - - - - - [a" + b' b="c"' * 60_000],
)  # fmt: skip
def test_no_line_costs_unbounded_time(format_, line):
    began = clocks.thread_time()  # what others take of the machine is not the format's
    assert _one(format_, line).raw == line
    assert clocks.thread_time() - began < 1.0


def test_numbers_since_1970_are_told_apart_by_their_size():
    assert {epoch(one) for one in (b"1790000000", b"1790000000000", b"1790000000000000", b"1790000000000000000")} == {
        NOW
    }
    assert epoch(b"1790000000.5") == NOW + 500_000


def test_a_format_that_fits_nothing_and_is_slow_rests_and_comes_back():
    made = Parser(Source(source="s", paths=["/x"], format={"pattern": r"(\S+ )*(?P<end>zzz)"}), "n", NOW)
    bad = split(b"aaaa bbbb " * 1500 + b"\n", 0)
    many = split((b"aaaa bbbb " * 1500 + b"\n") * 300, 0)
    for _ in range(6):
        made.batch(many, "g", "/x", NOW)
    assert made._resting
    assert "not tried" in made.batch(bad, "g", "/x", NOW).errors.get(0, "not tried")
    good = made.batch(split(b"a zzz\n", 0), "g", "/x", NOW)
    assert not made._resting and good.errors == {} and good.fields[0] == {"end": "zzz"}


def test_constant_fields_are_in_every_record():
    first, second = _records("json", b'{"a": 1}\nno json\n', fields={"team": "web"})
    assert first.fields == {"a": 1, "team": "web"} and second.fields == {"team": "web"}


def test_leap_seconds_and_impossible_times():
    assert _one("syslog", "Jun 30 23:59:60 h p: m").parse_error is None
    assert _one("syslog", "Feb 30 00:00:00 h p: m").parse_error == "its time does not exist"
    assert _one("syslog", "Nov  3 25:00:00 h p: m").parse_error == "its time does not exist"
