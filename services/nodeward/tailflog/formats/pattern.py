r"""An operator's own pattern, in RE2's syntax: ``(?P<time>\S+) (?P<level>\w+) (?P<message>.*)``.

RE2 takes time linear in the line whatever the pattern; the standard library's `re` does not, and never sees a pattern of
an operator. The groups time, level, host, ident, pid and message become columns, every other named one a field.
"""

import re2

from nodeward.core import severity
from nodeward.core.batch import NO_PID, NO_TIME
from nodeward.tailflog.formats.base import Extra, Known, Parse, Row, Unfit, named, number, text
from nodeward.tailflog.formats.times import Times

LONGEST_PATTERN = 4096
LONGEST = 16 * 1024  # RE2 is linear, but a complicated pattern may still take 100 ns a byte
_MEMORY = 8 * 1024 * 1024


def check(pattern: str) -> None:
    """Raise ValueError with a sentence if the pattern cannot be used."""
    if len(pattern) > LONGEST_PATTERN:
        raise ValueError(f"the pattern is longer than {LONGEST_PATTERN} characters")
    compiled(pattern)


def parser(pattern: str, times: Times) -> Parse:
    """Return the parser of a pattern that `check` has let through."""
    expression = compiled(pattern)
    groups = {text(group): index for group, index in expression.groupindex.items()}  # RE2 names them in bytes
    columns = [groups.pop(name, 0) for name in ("time", "level", "host", "ident", "pid", "message")]
    time, level, host, ident, pid, message = columns
    names = Known(named)
    levels = Known(lambda name: severity.number(text(name)))
    fields = list(groups.items())

    def parse(line: bytes) -> Row:
        if len(line) > LONGEST:
            raise Unfit(f"it is longer than {LONGEST} bytes, the most that a pattern is tried on")
        found = expression.search(line)
        if found is None:
            raise Unfit("the pattern does not match")
        given = {name: text(value) for name, index in fields if (value := found.group(index)) is not None}
        start, end = found.span(message) if message and found.group(message) is not None else (0, len(line))
        return (
            times.any(found.group(time)) if time and found.group(time) else NO_TIME,
            levels[found.group(level)] if level and found.group(level) else severity.NONE,
            names[found.group(host)] if host and found.group(host) else "",
            names[found.group(ident)] if ident and found.group(ident) else "",
            number(found.group(pid)) if pid and found.group(pid) else NO_PID,
            start,
            end,
            Extra(fields=given) if given else None,
        )

    return parse


def compiled(pattern: str) -> "re2._Regexp":
    """Return the pattern as RE2 has it. Raise ValueError with a sentence if it is not valid."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    options.dot_nl = True  # a record of several lines is matched as a whole
    if pattern.isascii():  # byte by byte, so that a line that is no UTF-8 can match too
        options.encoding = re2.Options.Encoding.LATIN1
    try:
        return re2.compile(pattern.encode(), options)
    except re2.error as error:
        raise ValueError(_sentence(error)) from None


def _sentence(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    words = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    hint = "; look-around and back-references do not exist here, because they cost unbounded time"
    return f"the pattern is not valid: {words}{hint if 'perl operator' in words or 'escape' in words else ''}"
