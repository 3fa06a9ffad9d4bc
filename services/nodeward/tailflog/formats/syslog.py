"""What syslog daemons write into files: RFC 3164 without a year, or rsyslog's form with an ISO time.

Nov 23 09:05:00 web-1 sshd[412]: Accepted publickey for root
2026-11-23T09:05:00.123456+01:00 web-1 sshd[412]: Accepted publickey for root
<38>Nov 23 09:05:00 web-1 sshd[412]: …
"""

import re
from typing import TypeAlias

from nodeward.core import severity
from nodeward.core.batch import NO_PID
from nodeward.tailflog.formats.base import LONGEST_NAME, Extra, Known, Parse, Row, Unfit, number, text
from nodeward.tailflog.formats.times import SECONDS, Times

_FACILITIES = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "audit",
    "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
)  # fmt: skip
_TAG = re.compile(rb"([^\s\[:]{1,64})(?:\[([^\]\s]{0,32})\])?:(?: |$)?")
_LONGEST_HEAD = 128
Head: TypeAlias = tuple[str, str, int, int]  # host, ident, pid, where the message begins within the head


def parser(times: Times) -> Parse:
    """Return the parser."""
    minutes, iso, heads = times.minutes, times.iso, Known(_head)

    def parse(line: bytes) -> Row:
        if line[3:4] == b" ":
            moment, start = minutes[line[:12]] + SECONDS[line[12:15]], 16
        elif line[4:5] == b"-":
            start = line.find(b" ") + 1
            moment = iso(line[: start - 1])
        elif line[:1] == b"<":
            return _with_priority(line, parse)
        else:
            raise Unfit("it does not begin with a syslog time")
        colon = line.find(b": ", start, start + _LONGEST_HEAD) + 2
        host, ident, pid, skip = heads[line[start:colon]] if colon > 1 else _head(line[start:])
        return (moment, severity.NONE, host, ident, pid, start + skip, len(line), None)

    return parse


def _with_priority(line: bytes, parse: Parse) -> Row:
    digits, found, _ = line[1:5].partition(b">")
    if not found or not digits.isdigit() or int(digits) > 191:
        raise Unfit("it begins with '<' but no priority such as <38>")
    skip = len(digits) + 2
    moment, _, host, ident, pid, start, end, _ = parse(line[skip:]) if line[skip : skip + 1] != b"<" else _twice()
    facility, level = divmod(int(digits), 8)
    fields = {"facility": _FACILITIES[facility]}
    return (moment, level, host, ident, pid, start + skip, end + skip, Extra(fields=fields))


def _twice() -> Row:
    raise Unfit("it has more than one priority")


def _head(head: bytes) -> Head:
    """Given what follows the time ("web-1 sshd[412]: "), return host, ident, pid and where the message begins."""
    host, blank, rest = head.partition(b" ")
    if not blank or len(host) > LONGEST_NAME:
        raise Unfit("no host follows its time")
    begin = len(host) + 1
    tag = _TAG.match(rest)
    if tag is None:  # "last message repeated 3 times": there is no tag
        return text(host), "", NO_PID, begin
    return text(host), text(tag[1]), number(tag[2] or b""), begin + tag.end()
