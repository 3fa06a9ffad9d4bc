"""What a format is: a function from a line to a row.

A row is a plain tuple, because one is made for every line: (time, level, host, ident, pid, message start, message end,
extra). Times are microseconds since 1970 or NO_TIME, levels syslog's severities or NONE, pid −1 where none; the message is
a slice of the line. `Extra` is None for most lines.

A format raises `Unfit` with a reason where it does not fit; the line is then kept raw, with that reason. A parse takes
time linear in the line, whatever the line.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias, TypeVar

from nodeward.core import severity
from nodeward.core.batch import NO_PID, NO_TIME


class Extra(NamedTuple):
    """What few records have: a message that is no slice of the line, named fields, why the format did not fit."""

    text: str | None = None
    fields: dict[str, Any] | None = None
    error: str | None = None


LONGEST_NAME = 255  # of a host or a program

Row: TypeAlias = tuple[int, int, str, str, int, int, int, Extra | None]
Parse: TypeAlias = Callable[[bytes], Row]

Value = TypeVar("Value")


class Unfit(Exception):
    """The line is not of this format; the text says why."""


class Known(dict[bytes, Value]):
    """Remembers what bytes meant: a hit costs one look-up in C, a miss calls `decode`. Never holds more than `limit`."""

    def __init__(self, decode: Callable[[bytes], Value], limit: int = 4096) -> None:
        super().__init__()
        self._decode, self._limit = decode, limit

    def __missing__(self, key: bytes) -> Value:
        if len(self) >= self._limit:
            self.clear()
        value = self[key] = self._decode(key)
        return value


def unparsed(line: bytes, error: str | None) -> Row:
    """Return the row of a line that is kept as it is."""
    return (NO_TIME, severity.NONE, "", "", NO_PID, 0, len(line), Extra(error=error) if error else None)


def text(data: bytes) -> str:
    """Return bytes as text; what is not UTF-8 shows as \\xNN."""
    return data.decode("utf-8", "backslashreplace")


def named(data: bytes) -> str:
    """Return a host's or a program's name as text, cut where no name is that long."""
    return text(data[:LONGEST_NAME])


def number(digits: bytes) -> int:
    """Return a process id or count, −1 if `digits` is none or does not fit into 31 bits."""
    return int(digits) if digits.isdigit() and len(digits) <= 9 else NO_PID
