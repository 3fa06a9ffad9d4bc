import pytest

from nodeward.core import clock


@pytest.mark.parametrize(
    ("given", "want"), [("60s", 60), ("1h30m", 5400), ("2d", 172800), ("90", 90), (15, 15), ("250ms", 0.25), ("0", 0)]
)
def test_a_duration_is_seconds(given, want):
    assert clock.parse_duration(given) == want


@pytest.mark.parametrize(
    "given", ["", "x", "5 parsecs", "-5s", -1, "1h 3q", "s", "٢s", float("nan"), float("inf"), 10**400, "9" * 400]
)
def test_what_is_no_duration_is_refused_with_a_sentence(given):
    with pytest.raises(ValueError, match=r"duration"):
        clock.parse_duration(given)


def test_a_time_survives_being_written_and_read():
    moment = 1_795_424_700_123_456
    assert clock.parse_rfc3339(clock.rfc3339(moment)) == moment


def test_a_moment_is_a_time_or_a_duration_before_now():
    assert clock.parse_moment("15m", at=10**15) == 10**15 - 15 * 60 * 10**6
    assert clock.parse_moment("-15m", at=10**15) == clock.parse_moment("15m ago", at=10**15)
    assert clock.parse_moment("1970-01-01T00:00:01Z") == 10**6
    with pytest.raises(ValueError, match="is not a time"):
        clock.parse_moment("yesterday-ish")


@pytest.mark.parametrize("given", ["99999999999999d", "9" * 26, "9" * 400, "0001-01-01T00:00:00Z"])
def test_a_moment_that_cannot_be_written_is_refused(given):
    with pytest.raises(ValueError, match=r"too far|is not a time"):
        clock.parse_moment(given)


@pytest.mark.parametrize("given", ["1000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "300d"])
def test_a_moment_far_away_can_be_written(given):
    assert len(clock.rfc3339(clock.parse_moment(given))) == len("2026-11-23T09:05:00.123456Z")
