"""What nginx's and Apache's access logs have in common: the "combined" form, and "common", which lacks its end.

10.0.0.1 - bob [10/Oct/2026:13:55:36 -0700] "GET /a HTTP/1.1" 200 2326 "http://referer/" "agent"
"""

import re
from typing import Any

from nodeward.core import severity
from nodeward.core.batch import NO_PID
from nodeward.tailflog.formats.base import Extra, Row, Unfit, text
from nodeward.tailflog.formats.times import Times

# Apache escapes a quote as \", nginx as \x22: both are taken here. Possessive: nothing is tried twice.
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_LEVELS = {b"5": severity.number("error"), b"4": severity.number("warning")}
_INFO = severity.number("info")


def access(line: bytes, times: Times) -> Row:
    """Return the row of a line of an access log. Raise Unfit if it is none."""
    opening = line.find(b" [")
    closing = line.find(b'] "', opening)
    client = line[:opening].split()
    if opening < 0 or closing < 0 or len(client) < 3:
        raise Unfit('it is no line of an access log (client - user [time] "request" status bytes)')
    moment = times.common(line[opening + 2 : closing])
    request = _QUOTED.match(line, closing + 2)
    if request is None:
        raise Unfit("its request has no closing quote")
    status, size, rest = _numbers(line, request.end())
    fields = {"client": text(client[-3]), **_request(request[1]), "status": int(status)}
    if size.isdigit() and len(size) < 19:
        fields["bytes"] = int(size)
    if client[-1] != b"-":
        fields["user"] = text(client[-1])
    for name, value in zip(("referer", "agent"), _QUOTED.findall(rest, 0, 16384), strict=False):
        if value != b"-":
            fields[name] = text(value)
    level = _LEVELS.get(status[:1], _INFO)
    return (moment, level, "", "", NO_PID, closing + 2, len(line), Extra(fields=fields))


def _numbers(line: bytes, place: int) -> tuple[bytes, bytes, bytes]:
    status, _, rest = line[place:].lstrip().partition(b" ")
    size, _, rest = rest.partition(b" ")
    if len(status) != 3 or not status.isdigit():
        raise Unfit("no status follows its request")
    return status, size, rest


def _request(request: bytes) -> dict[str, Any]:
    method, _, rest = request.partition(b" ")
    url, _, protocol = rest.rpartition(b" ")
    if not url:  # no protocol, or garbage such as a TLS hello sent to a plain port
        return {"request": text(request)}
    return {"method": text(method), "url": text(url), "protocol": text(protocol)}
