"""Thresholds in the plugin API's range grammar, ``[@][start:]end``.

``10`` alerts below 0 and above 10, ``10:`` below 10, ``~:10`` above 10, ``10:20`` outside of 10 to 20, ``@10:20`` inside of
it. Both ends count as inside. Where a threshold is a time, its ends may be durations: ``5m:``.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from nodeward.core import clock

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_NOT_FINITE = (math.inf, -math.inf)
_HELP = "write for example 80, 10:, ~:10, 10:20 or @10:20"


@dataclass(frozen=True)
class Range:
    """A range of values that are fine, or with `inside` that are not. `text` is how it was written, in plain numbers."""

    start: float
    end: float
    inside: bool = False
    text: str = ""

    def alerts(self, value: float) -> bool:
        """Say whether `value` is one to alert on."""
        return (self.start <= value <= self.end) == self.inside

    def __str__(self) -> str:
        return self.text


def parse(given: Any, number: Callable[[str], float] | None = None) -> Range:
    """Given a number or a text in the range grammar, return the range. Raise ValueError with a sentence if it is neither.

    `number` reads one end of the range; by default a decimal number.
    """
    if isinstance(given, Range):
        return given
    if isinstance(given, bool) or not isinstance(given, str | int | float) or given in _NOT_FINITE or given != given:
        raise ValueError(f"{given!r} is not a threshold; {_HELP}")
    text = given.strip() if isinstance(given, str) else _plain(given)
    body = text.removeprefix("@")
    first, colon, last = body.rpartition(":")
    read = number or _number
    try:
        start = -math.inf if first == "~" else read(first) if first else 0.0
        end = math.inf if colon and not last else read(last)
    except ValueError:
        raise ValueError(f"{given!r} is not a threshold; {_HELP}") from None
    if start > end:
        raise ValueError(f"{given!r} begins above its end; {_HELP}")
    return Range(start, end, text.startswith("@"), _written(start, end, text.startswith("@"), bool(colon)))


def parse_time(given: Any) -> Range:
    """Like `parse`, for seconds; the ends may be durations, as in ``5m:`` or ``250ms``."""
    return parse(given, _seconds)


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _seconds(text: str) -> float:
    try:
        return _number(text)
    except ValueError:
        sign = -1.0 if text.startswith("-") else 1.0
        return sign * clock.parse_duration(text.removeprefix("-"))


def _written(start: float, end: float, inside: bool, colon: bool) -> str:
    first = "~:" if start == -math.inf else f"{_plain(start)}:" if start or (colon and end == math.inf) else ""
    last = "" if end == math.inf else _plain(end)
    return ("@" if inside else "") + first + last


def _plain(value: float) -> str:
    """Write a number without exponent and without needless zeros: perfdata allows digits, a point and a minus alone."""
    if isinstance(value, int) or value == int(value):
        return str(int(value))
    return f"{value:.9f}".rstrip("0").rstrip(".")


_SHOWN = [
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": ["number", "string"], "title": "Threshold"}),
]
Threshold = Annotated[Range, PlainValidator(parse), *_SHOWN]
TimeThreshold = Annotated[Range, PlainValidator(parse_time), *_SHOWN]
