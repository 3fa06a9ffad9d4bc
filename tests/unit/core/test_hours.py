"""Hours of a day, as fleet files and the monitor read them alike."""

import pytest

from nodeward.configserver import documents, verify
from nodeward.core import hours
from nodeward.monitor.definitions import Period
from nodeward.monitor.periods import DAYS, contains

GOOD = [
    ("09:00-17:30", 540, 1050),
    ("9:00-17:30", 540, 1050),
    ("00:00-24:00", 0, 1440),
    ("22:00-06:00", 1320, 1800),
    ("22:00-24:00", 1320, 1440),
    ("23:59-00:00", 1439, 1440),
    ("17:00-09:00", 1020, 1980),
]
BAD = [
    "9-5",
    "24:00-06:00",
    "10:60-11:00",
    "25:00-26:00",
    "10:00-24:01",
    "10:00-10:00",
    "00:00-00:00",
    "",
    "10:00",
    "10:00 - 11:00",
]


@pytest.mark.parametrize(("text", "start", "end"), GOOD)
def test_a_range_is_minutes_of_the_day(text: str, start: int, end: int) -> None:
    assert hours.parse(text) == (start, end)


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_range_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a range of hours|begins where it ends"):
        hours.parse(text)


@pytest.mark.parametrize(("text", "start", "end"), GOOD)
def test_what_a_fleet_file_may_say_the_monitor_understands(text: str, start: int, end: int) -> None:
    body = verify.applied({}, documents.read(f"{{kind: period, name: p, ranges: {{monday: ['{text}']}}}}"))
    (period,) = (Period.model_validate({**each, "timezone": "UTC"}) for each in body.values())
    monday = 1795996800  # 2026-11-30, in UTC
    assert DAYS[0] == "monday"
    assert contains(period, (monday + start * 60) * 1_000_000)
    assert contains(period, (monday + end * 60 - 1) * 1_000_000)
    assert not contains(period, (monday + end * 60) * 1_000_000)
