"""Hours of the week, through summer time and back."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from nodeward.monitor.definitions import Contact, Fleet, Match, Node, Period, Route, Service
from nodeward.monitor.periods import DAYS, contains, next_start
from nodeward.monitor.routes import contacts, matches, opens

BERLIN = "Europe/Berlin"
OFFICE = Period(name="office", timezone=BERLIN, ranges=dict.fromkeys(DAYS[:5], ("09:00-12:00", "13:00-17:30")))
NIGHT = Period(name="night", timezone=BERLIN, ranges=dict.fromkeys(DAYS, ("22:00-06:00",)))


def at(text: str, zone: str = BERLIN, fold: int = 0) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("period", "moment", "want"),
    [
        (OFFICE, "2026-11-23T09:00", True),  # a Monday
        (OFFICE, "2026-11-23T08:59:59", False),
        (OFFICE, "2026-11-23T12:00", False),
        (OFFICE, "2026-11-23T17:29:59", True),
        (OFFICE, "2026-11-21T10:00", False),  # a Saturday
        (NIGHT, "2026-11-23T23:00", True),
        (NIGHT, "2026-11-24T05:59:59", True),
        (NIGHT, "2026-11-24T06:00", False),
        (OFFICE, "2026-07-13T09:00", True),  # summer time
    ],
)
def test_a_period_holds_by_the_clock_on_its_wall(period: Period, moment: str, want: bool) -> None:
    assert contains(period, at(moment)) == want


@pytest.mark.parametrize(
    ("moment", "want"),
    [
        ("2026-11-23T08:00", "2026-11-23T09:00"),
        ("2026-11-23T10:00", "2026-11-23T10:00"),
        ("2026-11-23T12:30", "2026-11-23T13:00"),
        ("2026-11-20T18:00", "2026-11-23T09:00"),  # over the weekend
        ("2026-03-27T18:00", "2026-03-30T09:00"),  # over the night when the clocks go forward
        ("2026-10-23T18:00", "2026-10-26T09:00"),  # and back
    ],
)
def test_the_next_start_is_found(moment: str, want: str) -> None:
    assert next_start(OFFICE, at(moment)) == at(want)


def test_a_start_the_clocks_jump_over_is_the_moment_after_the_jump() -> None:
    early = Period(name="early", timezone=BERLIN, ranges={"sunday": ("02:30-04:00",)})
    assert next_start(early, at("2026-03-29T00:00")) == at("2026-03-29T03:30")


def test_an_hour_that_comes_twice_lies_in_the_period_twice() -> None:
    early = Period(name="early", timezone=BERLIN, ranges={"sunday": ("02:00-03:00",)})
    assert contains(early, at("2026-10-25T02:30", fold=0)) and contains(early, at("2026-10-25T02:30", fold=1))


def test_a_period_without_hours_never_comes() -> None:
    assert next_start(Period(name="never"), at("2026-11-23T00:00")) is None


@given(some.integers(0, 400 * 24 * 60), some.sampled_from([OFFICE, NIGHT]))
def test_the_next_start_lies_in_the_period_and_nothing_before_it_does(minutes: int, period: Period) -> None:
    moment = at("2026-01-01T00:00") + int(timedelta(minutes=minutes).total_seconds()) * 1_000_000
    start = next_start(period, moment)
    assert start is not None and start >= moment and contains(period, start)
    for place in range(1, 20):
        between = moment + (start - moment) * place // 20
        assert between == start or not contains(period, between)


FLEET = Fleet(
    nodes={
        "web-1": Node(name="web-1", groups=("web",), labels={"dc": "sh"}, contacts=("ops",)),
        "db-1": Node(name="db-1", groups=("db",)),
    },
    services={
        ("web-1", "disk"): Service(node="web-1", service="disk"),
        ("web-1", "http"): Service(node="web-1", service="http", contacts=("web-team",)),
    },
    contacts={name: Contact(name=name, email=f"{name}@example.org") for name in ("ops", "web-team", "boss", "night")},
    periods={"night": NIGHT},
    routes=(
        Route(name="all-critical", match=Match(states=("CRITICAL", "DOWN")), contacts=("boss", "nobody")),
        Route(name="nights", match=Match(groups=("web",), labels={"dc": "sh"}), contacts=("night",), period="night"),
    ),
)


@pytest.mark.parametrize(
    ("key", "state", "hour", "want"),
    [
        (("web-1", "disk"), "WARNING", "12:00", ["ops"]),
        (("web-1", "http"), "WARNING", "12:00", ["web-team"]),
        (("web-1", "http"), "CRITICAL", "12:00", ["boss", "web-team"]),
        (("web-1", "disk"), "WARNING", "23:00", ["night", "ops"]),
        (("db-1", None), "DOWN", "23:00", ["boss"]),
        (("db-1", None), "UNREACHABLE", "23:00", []),
        (("gone", None), "DOWN", "23:00", []),
    ],
)
def test_a_problem_goes_to_those_it_concerns(
    key: tuple[str, str | None], state: str, hour: str, want: list[str]
) -> None:
    assert [contact.name for contact in contacts(FLEET, key, state, at(f"2026-11-23T{hour}"))] == want


@pytest.mark.parametrize(
    ("match", "service", "want"),
    [
        (Match(), None, True),
        (Match(nodes=("web-*",)), "disk", True),
        (Match(nodes=("db-*",)), "disk", False),
        (Match(services=("d?sk",)), "disk", True),
        (Match(services=("*",)), None, False),
        (Match(labels={"dc": "fra"}), "disk", False),
        (Match(groups=("db", "web"), states=("CRITICAL",)), "disk", True),
    ],
)
def test_everything_a_route_names_must_fit(match: Match, service: str | None, want: bool) -> None:
    assert matches(Route(name="r", match=match), FLEET.nodes["web-1"], service, "CRITICAL") == want


def test_a_contact_without_a_period_is_told_at_any_time() -> None:
    assert opens(FLEET, FLEET.contacts["ops"], 5) == 5
