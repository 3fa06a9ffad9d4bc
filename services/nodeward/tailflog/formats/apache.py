"""Apache httpd: its access log (combined or common) and its error log, of 2.4 and of older ones.

[Sun Dec 04 04:47:44 2005] [error] mod_jk child workerEnv in error state 6
[Mon Nov 23 09:05:00.123456 2026] [core:error] [pid 31:tid 139] [client 10.0.0.1:5000] AH00126: Invalid URI in request
"""

from nodeward.core import severity
from nodeward.core.batch import NO_PID
from nodeward.tailflog.formats.base import Extra, Parse, Row, Unfit, number, text
from nodeward.tailflog.formats.times import Times
from nodeward.tailflog.formats.weblog import access


def parser(times: Times) -> Parse:
    """Return the parser."""

    def parse(line: bytes) -> Row:
        return _error(line, times) if line[:1] == b"[" else access(line, times)

    return parse


def _error(line: bytes, times: Times) -> Row:
    end = line.find(b"]")
    moment = times.ctime[line[1:end]]
    level, ident, pid, fields = severity.NONE, "", NO_PID, {}
    place = end + 2
    while line[place : place + 1] == b"[" and (end := line.find(b"]", place)) > 0:
        word, blank, value = line[place + 1 : end].partition(b" ")
        if not blank:
            module, colon, name = word.rpartition(b":")
            known = severity.number(text(name).rstrip("12345678"))
            if known == severity.NONE or (ident and not colon):
                break  # the message itself begins with a bracket
            level, ident = known, text(module)
        elif word == b"pid":
            pid = number(value.partition(b":")[0])
        elif word in (b"client", b"remote"):
            fields["client"] = text(value)
        else:
            break
        place = end + 2
    if level == severity.NONE:
        raise Unfit("no level such as [error] follows its time")
    return (moment, level, "", ident, pid, min(place, len(line)), len(line), Extra(fields=fields) if fields else None)
