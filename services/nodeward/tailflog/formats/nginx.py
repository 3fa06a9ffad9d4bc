"""nginx: its access log (combined or common) and its error log, told apart line by line.

2026/11/23 09:05:00 [error] 31#31: *7 open() "/x" failed (2: No such file or directory), client: 10.0.0.1, server: a, …
"""

import re

from nodeward.core import severity
from nodeward.tailflog.formats.base import Extra, Parse, Row, Unfit, number, text
from nodeward.tailflog.formats.times import Times
from nodeward.tailflog.formats.weblog import access

_HEAD = re.compile(rb"\[([a-z]{1,10})\] (\d{1,9})#(\d{1,9}): (?:\*(\d{1,18}) )?")
_TAIL = re.compile(rb', (client|server|request|upstream|host|referrer|subrequest): ("[^"]*+"|[^,"]*+)')


def parser(times: Times) -> Parse:
    """Return the parser."""

    def parse(line: bytes) -> Row:
        if line[4:5] == b"/" and line[7:8] == b"/":
            return _error(line, times.iso(line[:19].replace(b"/", b"-")))
        return access(line, times)

    return parse


def _error(line: bytes, moment: int) -> Row:
    head = _HEAD.match(line, 20)
    if head is None:
        raise Unfit("no '[level] pid#thread:' follows its time")
    end = line.find(b", client: ", head.end())
    fields = {text(name): text(value.strip(b'"')) for name, value in _TAIL.findall(line, end)} if end > 0 else {}
    if head[4]:
        fields["connection"] = text(head[4])
    level = severity.number(text(head[1]))
    return (moment, level, "", "", number(head[2]), head.end(), len(line), Extra(fields=fields) if fields else None)
