"""Lines that are a set of named values, and the names that programs use for the same thing: time, level, message and so on."""

from collections.abc import Callable
from typing import Any

from nodeward.core import severity
from nodeward.core.batch import NO_PID, NO_TIME
from nodeward.tailflog.formats.base import LONGEST_NAME, Extra, Parse, Row, Unfit, number
from nodeward.tailflog.formats.times import Times

LONGEST = 64 * 1024  # a longer line is kept raw: what can be read of it is not worth what it costs everyone behind

TIMES = ("time", "timestamp", "@timestamp", "ts", "t", "date", "datetime", "asctime", "eventTime")
LEVELS = ("level", "severity", "lvl", "loglevel", "log.level", "levelname", "priority")
MESSAGES = ("message", "msg", "log", "MESSAGE", "event", "@message")
HOSTS = ("host", "hostname", "node", "_HOSTNAME")
IDENTS = ("ident", "logger", "app", "service", "program", "component", "name", "SYSLOG_IDENTIFIER")
PIDS = ("pid", "process_id", "_PID")
_BUNYAN = ((60, 2), (50, 3), (40, 4), (30, 6), (0, 7))  # bunyan's and pino's numbers, from fatal to trace


def parser_of(kind: str, read: Callable[[bytes], dict[str, Any]], times: Times) -> Parse:
    """Return the parser of lines of a `kind`, whose named values `read` returns."""

    def parse(line: bytes) -> Row:
        if len(line) > LONGEST:
            raise Unfit(f"it is longer than {LONGEST} bytes, the most that is read as {kind}")
        return _row(line, read(line), times)

    return parse


def _row(line: bytes, fields: dict[str, Any], times: Times) -> Row:
    """Return the row of a line that is a set of named values. What became a column is taken out of `fields`."""
    moment = _moment(fields, times)
    level = _level(_take(fields, LEVELS, (str, int)))
    message = _take(fields, MESSAGES, (str,))
    host, ident = ((_take(fields, names, (str,)) or "")[:LONGEST_NAME] for names in (HOSTS, IDENTS))
    pid = _take(fields, PIDS, (str, int))
    start, end, text = _slice(line, message)
    extra = Extra(text=text, fields=fields) if fields or text is not None else None
    return (moment, level, host, ident, NO_PID if pid is None else number(str(pid).encode()), start, end, extra)


def _take(fields: dict[str, Any], names: tuple[str, ...], types: tuple[type, ...]) -> Any:
    for name in names:
        value = fields.get(name)
        if isinstance(value, types) and not isinstance(value, bool):
            return fields.pop(name)
    return None


def _moment(fields: dict[str, Any], times: Times) -> int:
    for name in TIMES:
        value = fields.get(name)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            try:
                moment = times.any(str(value).encode("utf-8", "replace"))
            except Unfit:
                continue  # "t" or "date" may well be something else
            del fields[name]
            return moment
    return NO_TIME


def _level(value: str | int | None) -> int:
    if value is None:
        return severity.NONE
    if isinstance(value, str) and not value.isdigit():
        return severity.number(value)
    figure = int(value) if len(str(value)) < 4 else -1
    if 0 <= figure < 8:
        return figure
    return next((level for least, level in _BUNYAN if figure >= least >= 0 and figure >= 10), severity.NONE)


def _slice(line: bytes, message: str | None) -> tuple[int, int, str | None]:
    """Return where in the line the message lies; if it stands there in another form (escaped), the message itself."""
    if message is None:
        return 0, len(line), None
    stripped = message.rstrip("\n")
    wanted = stripped.encode("utf-8", "backslashreplace")
    start = line.find(wanted)
    return (start, start + len(wanted), None) if start >= 0 and wanted else (0, 0, stripped)
