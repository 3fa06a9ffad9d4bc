"""Times and durations. Inside: microseconds since 1970 (UTC) as int. Outside: RFC 3339 in UTC."""

import math
import re
import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_EARLIEST = (datetime(1000, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(us|ms|s|m|h|d|w)?")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def now() -> int:
    """Return the present moment in microseconds since 1970."""
    return time.time_ns() // 1000


def rfc3339(moment: int) -> str:
    """Given microseconds since 1970, return e.g. ``2026-11-23T09:05:00.123456Z``."""
    return (_EPOCH + timedelta(microseconds=moment)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_rfc3339(text: str) -> int:
    """Given an RFC 3339 time, or an ISO 8601 one (UTC where it names no zone), return microseconds since 1970.

    Raise ValueError if it is neither.
    """
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def parse_duration(text: str | float) -> float:
    """Given seconds as a number, or text such as ``90``, ``60s``, ``1h30m``, ``2d``, return seconds.

    Raise ValueError with a sentence if it is none of these, is negative or is without end.
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        if text < 0:
            raise ValueError(f"{text} is negative; a duration is zero or more seconds")
        return _finite(float(text) if text < 1e300 else math.inf)
    total, position, cleaned = 0.0, 0, str(text).strip().lower()
    for match in _DURATION.finditer(cleaned):
        if match.start() != position:
            break
        total += float(match[1]) * _UNITS[match[2] or "s"]
        position = match.end()
    if not cleaned or position != len(cleaned):
        raise ValueError(f"{text!r} is not a duration; write for example 30s, 5m, 1h30m or 2d")
    return _finite(total)


def _finite(seconds: float) -> float:
    """YAML and JSON know numbers that are none (`.nan`, `1e999`): no arithmetic further on is ready for them."""
    if not math.isfinite(seconds):
        raise ValueError("that is no duration that ends; write for example 30s, 5m, 1h30m or 2d")
    return seconds


def parse_moment(text: str, at: int | None = None) -> int:
    """Given an RFC 3339 time, a duration before now (``15m``, ``-2h``, ``1h ago``) or ``now``, return microseconds since 1970.

    `at` stands for now in tests. Raise ValueError with a sentence otherwise, and outside the years 1000 to 9999: what lies
    there can be written neither as RFC 3339 nor, far enough out, into a database.
    """
    moment = _moment(text, now() if at is None else at)
    if not _EARLIEST <= moment <= _LATEST:
        raise ValueError(f"{text[:40]!r} is too far from now: a time lies in the years 1000 to 9999")
    return moment


def _moment(text: str, present: int) -> int:
    cleaned = text.strip().lower()
    if cleaned == "now":
        return present
    try:
        return parse_rfc3339(text)
    except ValueError:
        pass
    try:
        return present - int(parse_duration(cleaned.removeprefix("-").removesuffix("ago")) * 1_000_000)
    except ValueError:
        raise ValueError(f"{text!r} is not a time; write for example 2026-11-23T09:05:00Z, 15m or 2h") from None
