"""Periods: hours of the week in a time zone, through summer time and back."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from nodeward.core import hours
from nodeward.core.hours import DAY
from nodeward.monitor.definitions import Period

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def contains(period: Period, at: int) -> bool:
    """Say whether the moment `at` (µs since 1970) lies within the period."""
    local = _local(period, at)
    minute = local.hour * 60 + local.minute
    today, yesterday = DAYS[local.weekday()], DAYS[local.weekday() - 1]
    return any(start <= minute < end for start, end in _minutes(period, today)) or any(
        minute < end - DAY for _, end in _minutes(period, yesterday)
    )


def next_start(period: Period, at: int) -> int | None:
    """Return when the period next holds: `at` itself if it does now, None if it never does."""
    if contains(period, at):
        return at
    starts = (start for start in _starts(period, at) if start > at and contains(period, start))
    return min(starts, default=None)


def _starts(period: Period, at: int) -> Iterator[int]:
    local = _local(period, at)
    for days in range(9):
        date = (local + timedelta(days=days)).date()
        for start, _ in _minutes(period, DAYS[date.weekday()]):
            naive = datetime(date.year, date.month, date.day, tzinfo=_zone(period.timezone)) + timedelta(minutes=start)
            # Through UTC and back: a start that the clocks jump over becomes the moment after the jump.
            yield int(naive.astimezone(UTC).timestamp()) * 1_000_000


@lru_cache(maxsize=256)
def _parsed(ranges: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    found = []
    for text in ranges:
        with contextlib.suppress(ValueError):
            found.append(hours.parse(text))
    return tuple(found)


def _minutes(period: Period, day: str) -> tuple[tuple[int, int], ...]:
    """The ranges of a day as minutes of it. One that cannot be read is none: the config server has checked them."""
    return _parsed(tuple(period.ranges.get(day, ())))


def _local(period: Period, at: int) -> datetime:
    return datetime.fromtimestamp(at / 1_000_000, _zone(period.timezone))


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")  # the config server has checked the name; this machine's list may be older
