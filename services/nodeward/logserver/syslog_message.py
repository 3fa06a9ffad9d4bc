"""One syslog message, RFC 5424 or RFC 3164 or near it, as parts of a record. What does not fit stays raw, and flagged."""

import datetime as dt
import re
from dataclasses import dataclass, field
from typing import Any

from nodeward.core import clock, severity
from nodeward.core.batch import NO_TIME

# Every pattern is bounded and without nested repetition: a hostile message costs no more than its length.
_PRI = re.compile(rb"<(\d{1,3})>")
_HEAD_5424 = re.compile(rb"1 (\S{1,40}) (\S{1,255}) (\S{1,255}) (\S{1,128}) (\S{1,128}) ")
_BSD_TIME = re.compile(rb"([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d)(\.\d{1,6})? ")
_ISO_TIME = re.compile(rb"(\d{4}-\d\d-\d\dT[\d:.]{8,15}(?:Z|[+-]\d\d:\d\d)) ")
_TAG = re.compile(rb"([^\s:\[]{1,128})(?:\[(\d{1,10})\])?: ?")
_HOST = re.compile(rb"([^\s:\[\]]{1,255}) ")
_MONTHS = {name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
_BOM = b"\xef\xbb\xbf"
_SD_NAME = re.compile(rb'[^\s=\]"]{1,255}')


@dataclass(slots=True)
class Message:
    """A message's parts, as `Builder.add` takes them. `message` is a slice of the raw bytes."""

    time: int = NO_TIME
    level: int = severity.NONE
    host: str = ""
    ident: str = ""
    pid: int | None = None
    message: tuple[int, int] | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    error: str | None = None


def parse(raw: bytes, received: int, zone: dt.tzinfo) -> Message:
    """Return the parts of a message. `received` (µs) tells the year of a time that has none, `zone` where its clock hangs."""
    found = Message()
    pri = _PRI.match(raw)
    if pri is None or int(pri[1]) > 191:
        found.error = "no <priority> at the beginning"
        return found
    found.level = int(pri[1]) & 7
    head = _HEAD_5424.match(raw, pri.end())
    if head is not None:
        _rfc5424(raw, head, found)
    else:
        _rfc3164(raw, pri.end(), received, zone, found)
    return found


def _rfc5424(raw: bytes, head: "re.Match[bytes]", found: Message) -> None:
    moment, host, ident, pid, message_id = (b"" if part == b"-" else part for part in head.groups())
    if moment:
        found.time = _iso(moment)
        if found.time == NO_TIME:
            found.error = "the time is none that RFC 5424 knows"
    found.host, found.ident = _text(host), _text(ident)
    found.pid = int(pid) if pid.isdigit() and len(pid) < 10 else None
    if message_id:
        found.fields["msgid"] = _text(message_id)
    end = _structured(raw, head.end(), found.fields)
    if end is None:
        found.error = "the structured data does not end"
        end = head.end()
    if raw[end : end + 1] == b" ":
        end += 1
    if raw[end : end + 3] == _BOM:
        end += 3
    found.message = (end, len(raw))


def _structured(raw: bytes, position: int, fields: dict[str, Any]) -> int | None:
    """Read ``[id name="value" …]…`` into `fields`, as ``id.name``. Return where it ends, or None if it does not."""
    if raw[position : position + 1] == b"-":
        return position + 1
    while raw[position : position + 1] == b"[":
        name = _SD_NAME.match(raw, position + 1)
        if name is None:
            return None
        position = name.end()
        while raw[position : position + 1] == b" ":
            parameter = _SD_NAME.match(raw, position + 1)
            if parameter is None or raw[parameter.end() : parameter.end() + 2] != b'="':
                return None
            end = _closing_quote(raw, parameter.end() + 2)
            if end < 0:
                return None
            value = re.sub(rb'\\(["\\\]])', rb"\1", raw[parameter.end() + 2 : end])
            fields[f"{_text(name[0])}.{_text(parameter[0])}"] = _text(value)
            position = end + 1
        if raw[position : position + 1] != b"]":
            return None
        position += 1
    return position


def _closing_quote(raw: bytes, position: int) -> int:
    while True:
        quote = raw.find(b'"', position)
        if quote < 0:
            return -1
        slashes = quote - len(raw[:quote].rstrip(b"\\")) if raw[quote - 1 : quote] == b"\\" else 0
        if slashes % 2 == 0:
            return quote
        position = quote + 1


def _rfc3164(raw: bytes, position: int, received: int, zone: dt.tzinfo, found: Message) -> None:
    bsd, iso = _BSD_TIME.match(raw, position), _ISO_TIME.match(raw, position)
    if bsd is not None:
        found.time = _bsd(bsd, received, zone)
        position = bsd.end()
    elif iso is not None:  # what rsyslog and syslog-ng send if asked for precise times
        found.time = _iso(iso[1])
        position = iso.end()
    if found.time == NO_TIME:
        found.error = "no time of RFC 3164 behind the priority"
        found.message = (position, len(raw))
        return
    tag = _TAG.match(raw, position)
    if tag is None:  # a word before the tag is the host; some senders leave it out
        host = _HOST.match(raw, position)
        if host is not None:
            found.host = _text(host[1])
            position = host.end()
            tag = _TAG.match(raw, position)
    if tag is not None:
        found.ident = _text(tag[1])
        found.pid = int(tag[2]) if tag[2] and len(tag[2]) < 10 else None
        position = tag.end()
    found.message = (position, len(raw))


def _bsd(match: "re.Match[bytes]", received: int, zone: dt.tzinfo) -> int:
    """Return the time nearest to `received` that the yearless time can mean, but not more than a day after it."""
    month = _MONTHS.get(match[1])
    if month is None:
        return NO_TIME
    fraction = int(float(match[6] or b"0") * 1_000_000)
    latest = NO_TIME
    year = dt.datetime.fromtimestamp(received / 1_000_000, zone).year
    for candidate in (year - 1, year, year + 1):
        try:
            moment = dt.datetime(
                candidate, month, int(match[2]), int(match[3]), int(match[4]), int(match[5]), fraction, zone
            )
        except ValueError:
            continue
        micros = int(moment.timestamp()) * 1_000_000 + fraction
        if micros <= received + 86_400_000_000:
            latest = max(latest, micros)
    return latest


def _iso(text: bytes) -> int:
    try:
        return clock.parse_rfc3339(text.decode("ascii"))
    except (ValueError, OverflowError):
        return NO_TIME


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
