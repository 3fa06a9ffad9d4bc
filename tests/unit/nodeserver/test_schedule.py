"""When checks run: pure decisions, time handed in."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeward.core.bundle import Check
from nodeward.nodeserver import memory, schedule
from nodeward.nodeserver.schedule import Progress, Schedule, advance, delay, first_delay, share, until_slot


def _check(service="load", **more):
    return Check(**{"node": "web-1", "service": service, "plugin": "load", "interval": 60.0, "retry": 10.0, **more})


def _after(check, codes):
    progress = Progress()
    for index, code in enumerate(codes):
        progress = advance(check, progress, code, started=index + 1)
    return progress


def test_every_check_keeps_its_place_within_the_interval_on_every_run():
    assert share(("web-1", "load")) == pytest.approx(0.591610741)  # of no other version either
    places = [share((f"node-{number}", "load")) for number in range(2000)]
    assert all(0 <= place < 1 for place in places)
    tenths = Counter(int(place * 10) for place in places)
    assert min(tenths.values()) > 120  # a fleet's checks spread over the interval


@given(interval=st.floats(0.5, 86400), place=st.floats(0, 1, exclude_max=True), wall=st.floats(0, 4e9))
def test_a_slot_is_never_now_and_never_further_than_an_interval(interval, place, wall):
    wait = until_slot(interval, place, wall)
    assert 0 < wait <= interval


def test_a_problem_is_tried_again_until_it_is_certain_and_then_at_its_interval():
    check = _check(attempts=3)
    assert [_after(check, [2] * count).attempt for count in (1, 2, 3, 4)] == [1, 2, 3, 3]
    assert delay(check, 0.5, _after(check, [2]), wall=0.0) == 10
    assert delay(check, 0.5, _after(check, [2, 1]), wall=0.0) == 10
    assert delay(check, 0.5, _after(check, [2, 2, 2]), wall=0.0) == 30
    assert _after(check, [2, 2, 0, 2]).attempt == 1


def test_a_nodes_own_check_counts_warning_as_up():
    check = _check(service=None)
    assert not schedule.is_soft(check, _after(check, [1]))
    assert schedule.is_soft(check, _after(check, [3]))
    assert schedule.is_soft(_check(), _after(_check(), [1]))


def test_a_run_a_moment_before_its_slot_is_not_made_twice():
    assert delay(_check(), 0.5, Progress(0, 1, 1), wall=29.999) == pytest.approx(60.001)


def test_what_never_ran_runs_soon_and_what_ran_lately_keeps_its_slot():
    check, place = _check(), 0.5
    assert first_delay(check, place, Progress(), wall=1000.0, spread=5.0) == 2.5
    lately = Progress(0, 1, int(995e6))
    assert first_delay(check, place, lately, wall=1000.0, spread=5.0) == until_slot(60, place, 1000.0)
    overdue = Progress(0, 1, int(900e6))
    assert first_delay(check, place, overdue, wall=1000.0, spread=5.0) == 2.5
    from_the_future = Progress(0, 1, int(2000e6))
    assert first_delay(check, place, from_the_future, wall=1000.0, spread=5.0) == 2.5


@given(
    place=st.floats(0, 1, exclude_max=True), wall=st.floats(1e6, 4e9), since=st.one_of(st.none(), st.floats(-100, 1e4)),
    code=st.integers(0, 3), interval=st.floats(1, 3600),
)  # fmt: skip
def test_a_restart_never_delays_a_check_beyond_its_interval(place, wall, since, code, interval):
    check = _check(interval=interval)
    progress = Progress() if since is None else Progress(code, 1, int((wall - since) * 1e6))
    assert 0 <= first_delay(check, place, progress, wall, spread=3.0) <= interval


def _due(plan, now):
    return {check.service for check, _ in plan.take_due(now)}


def test_a_reload_keeps_the_timers_of_what_did_not_change():
    plan = Schedule()
    old = [_check(f"s{number}") for number in range(200)]
    plan.apply(old, now=0.0, wall=1000.0)
    before = {entry.key: entry.due for entry in plan.entries()}
    plan.apply([*old[:150], _check("s150", interval=30.0), _check("new")], now=1.0, wall=1001.0)
    after = {entry.key: entry.due for entry in plan.entries()}
    assert len(after) == 152
    for number in range(150):
        assert after["web-1", f"s{number}"] == before["web-1", f"s{number}"]
    assert after["web-1", "new"] <= 1.0 + 3.0
    assert after["web-1", "s150"] <= max(before["web-1", "s150"], 4.0)


def test_what_was_removed_does_not_run_and_what_runs_meanwhile_is_not_wanted_any_more():
    plan = Schedule()
    plan.apply([_check("a"), _check("b")], now=0.0, wall=0.0)
    assert _due(plan, 10.0) == {"a", "b"}
    plan.apply([_check("a")], now=10.0, wall=10.0)
    assert plan.ended([(("web-1", "b"), 0, 1)], now=10.0, wall=10.0) == [None]
    assert plan.ended([(("web-1", "a"), 0, 1)], now=10.0, wall=10.0) != [None]
    assert _due(plan, 1000.0) == {"a"}


def test_a_check_that_is_wanted_runs_now_but_not_again_and_again():
    plan = Schedule()
    plan.apply([_check("a"), _check("b")], now=0.0, wall=1000.0)
    assert _due(plan, 10.0) == {"a", "b"}
    plan.hurry([("web-1", "a"), ("web-1", "nix"), ("db-1", "a")], now=10.0, wall=1010.0)  # it runs just now
    assert _due(plan, 10.0) == set()
    results = [(("web-1", name), 0, 1_010_000_000) for name in "ab"]
    plan.ended(results, now=10.0, wall=1010.0)
    plan.hurry([("web-1", "a")], now=12.0, wall=1012.0)  # its result is on its way
    assert _due(plan, 12.0) == set()
    plan.hurry([("web-1", "a")], now=20.0, wall=1020.0)
    assert _due(plan, 20.0) == {"a"}


def test_a_check_never_runs_twice_at_once():
    plan = Schedule()
    plan.apply([_check("a")], now=0.0, wall=0.0)
    assert plan.take(("web-1", "a")) is not None
    assert plan.take(("web-1", "a")) is None
    assert _due(plan, 1e6) == set()
    plan.apply([_check("a", interval=5.0)], now=1.0, wall=1.0)  # changed while it runs
    assert _due(plan, 1e6) == set()
    assert plan.ended([(("web-1", "a"), 0, 1)], now=2.0, wall=2.0)[0] <= 6.0


def test_many_new_checks_do_not_begin_at_once():
    plan = Schedule()
    plan.apply([_check(f"s{number}", interval=300.0) for number in range(2000)], now=0.0, wall=0.0)
    begun = [len(plan.take_due(second)) for second in range(21)]
    assert sum(begun) == 2000
    assert max(begun) < 200


@given(st.lists(st.tuples(st.sampled_from("ab c"), st.integers(0, 3), st.floats(0.01, 30)), max_size=60))
def test_whatever_the_results_every_check_goes_on(steps):
    plan, now = Schedule(), 0.0
    plan.apply([_check("a"), _check("b", interval=5.0), _check(" "), _check("c", attempts=1)], now, now)
    for service, code, pause in steps:
        now += pause
        for check, due in plan.take_due(now):
            assert due <= now
            result = (check.node, check.service), code if check.service == service else 0, 1
            [wait] = plan.ended([result], now, now)
            assert 0 < wait <= check.interval + 1
    entries = plan.entries()
    assert not any(entry.running for entry in entries)
    assert all(entry.due <= now + 61 for entry in entries)


def test_what_was_remembered_survives_a_restart_and_damage_is_forgiven(tmp_path):
    plan = Schedule()
    plan.apply([_check("a"), _check(None)], now=0.0, wall=0.0)
    plan.take_due(10.0)
    plan.ended([(("web-1", "a"), 2, 123_000_000)], now=10.0, wall=10.0)
    path = tmp_path / "schedule.json"
    memory.Memory(path, plan).unit()
    assert memory.read(path) == {("web-1", "a"): Progress(2, 1, 123_000_000)}
    for damage in ("", "[[1,2]]", "{}x", '{"a": 1}', "\x00"):
        path.write_text(damage)
        assert memory.read(path) == {}
    assert memory.read(tmp_path / "none") == {}
