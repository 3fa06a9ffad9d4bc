"""The range grammar beside an oracle: the table of the plugin guidelines, and a second reading of the same words."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeward.core import ranges


@pytest.mark.parametrize(
    ("text", "fine", "alerting"),
    [
        ("10", [0, 5, 10], [-0.001, 10.001, -10]),
        ("10:", [10, 11, 1e12], [9.999, 0, -1]),
        ("~:10", [-1e12, 0, 10], [10.001]),
        ("10:20", [10, 15, 20], [9.999, 20.001]),
        ("@10:20", [9.999, 20.001], [10, 15, 20]),
        ("@10", [-1, 11], [0, 10]),
        ("~:", [-1e300, 1e300], []),
        ("@~:", [], [0, 7]),
        (":5", [0, 5], [-1, 6]),
        ("-5:-1", [-5, -1], [0, -6]),
        (80, [0, 80], [81]),
        (0.5, [0.5], [0.51]),
    ],
)
def test_a_range_alerts_as_the_guidelines_say(text, fine, alerting):
    limits = ranges.parse(text)
    assert [limits.alerts(value) for value in fine] == [False] * len(fine)
    assert [limits.alerts(value) for value in alerting] == [True] * len(alerting)


@pytest.mark.parametrize(
    "text",
    ["", "10:5", "~", "a", "@", "1:~", "nan", "inf", "1:2:3", "5:@3", "1,5", True, None, [], math.nan, math.inf, "--1"],
)
def test_what_is_no_range_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="write for example"):
        ranges.parse(text)


def test_the_ends_of_a_time_may_be_durations():
    assert ranges.parse_time("5m:").start == 300
    assert str(ranges.parse_time("-250ms:1h")) == "-0.25:3600"
    with pytest.raises(ValueError, match="write for example"):
        ranges.parse("5m:")


@given(
    start=st.one_of(st.none(), st.integers(-1000, 1000)),
    length=st.one_of(st.none(), st.integers(0, 1000)),
    inside=st.booleans(),
    value=st.floats(-3000, 3000),
)
def test_a_range_written_out_reads_the_same_and_alerts_outside_of_its_ends(start, length, inside, value):
    low = -math.inf if start is None else start
    high = math.inf if length is None else (start or 0) + length
    text = f"{'@' if inside else ''}{'~' if start is None else start}:{'' if length is None else high}"
    limits = ranges.parse(text)
    assert limits.alerts(value) == (low <= value <= high if inside else not low <= value <= high)
    again = ranges.parse(str(limits))
    assert (again.start, again.end, again.inside) == (limits.start, limits.end, limits.inside)
