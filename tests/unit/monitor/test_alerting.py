"""Who is told what and when: one alert for one cause, none out of order, none lost."""

from pathlib import Path

import pytest

from fakes.monitor_world import World, document, node, service
from nodeward.core.results import Report, Result
from nodeward.monitor.people import AckWish, DowntimeWish, acknowledge, cancel, plan
from nodeward.monitor.receive import receive
from nodeward.monitor.states import SECOND

OK, WARNING, CRITICAL = 0, 1, 2


@pytest.fixture
def web(tmp_path: Path) -> World:
    world = World(tmp_path, document(node("web"), services=(service("web", "disk"), service("web", "load"))))
    world.report("web", ("web", "disk", OK), ("web", "load", OK))
    return world


@pytest.fixture
def rack(tmp_path: Path) -> World:
    """A switch without an agent, checked from `home`; behind it two nodes with agents."""
    switch = node("switch", agent=False, checked_from="home", interval=60, attempts=2)
    nodes = (node("home"), switch, node("a", parents=["switch"]), node("b", parents=["switch"]))
    world = World(tmp_path, document(*nodes, services=(service("a", "disk"), service("b", "disk"))))
    world.report("home", ("switch", None, OK))
    for name in ("a", "b"):
        world.report(name, (name, "disk", OK))
    return world


def hard(world: World, name: str, code: int = CRITICAL, of: str = "web") -> None:
    for _ in range(2):
        world.wait(1)
        world.report(of, (of, name, code))
    world.wait(1)


def test_a_hard_problem_is_told_once_and_its_recovery_once(web: World) -> None:
    hard(web, "disk")
    web.deliver()
    hard(web, "disk")
    web.report("web", ("web", "disk", OK))
    assert web.told == ["web/disk CRITICAL", "web/disk OK (recovery)"]


def test_a_recovery_nobody_knows_the_problem_of_is_silent(tmp_path: Path) -> None:
    world = World(tmp_path, document(node("web"), services=(service("web", "disk", attempts=1),)), gather=5.0)
    world.report("web", ("web", "disk", CRITICAL))
    world.wait(1)
    world.report("web", ("web", "disk", OK))
    world.wait(10)
    assert world.told == []
    assert [flip["reason"].split(":")[0] for flip in world.flips() if flip["service"]] == [
        "Overtaken", "Nobody had been told of the problem.",
    ]  # fmt: skip


def test_a_silent_node_is_one_problem_that_hides_its_services(web: World) -> None:
    web.wait(200)
    assert (web.state("web").state, web.state("web").stale) == ("DOWN", True)
    assert (web.state("web", "disk").state, web.state("web", "disk").stale) == ("UNKNOWN", True)
    assert "last seen" in web.state("web", "disk").output
    assert web.told == ["web DOWN"]
    assert "Node web is DOWN" in (web.open_flip("web", "disk") or pytest.fail("no flip")).reason


def test_a_service_that_is_silent_on_a_node_that_is_not_is_told(web: World) -> None:
    for _ in range(6):
        web.wait(20, "web")
        web.report("web", ("web", "load", OK))
    web.wait(5, "web")
    assert web.told == ["web/disk UNKNOWN"]


def test_services_that_are_well_again_with_their_node_are_never_told(web: World) -> None:
    web.wait(200)
    web.deliver()
    web.report("web")
    web.wait(5, "web")
    assert web.told == ["web DOWN", "web UP (recovery)"]
    web.report("web", ("web", "disk", OK), ("web", "load", OK))
    web.wait(5)
    assert web.told == ["web DOWN", "web UP (recovery)"]


def test_a_service_that_stays_silent_after_its_node_is_back_is_told(web: World) -> None:
    web.wait(200)
    web.report("web", ("web", "load", OK))
    web.wait(150, "web")
    assert "web/disk UNKNOWN" in web.told


def test_behind_a_switch_that_fails_nobody_else_is_told(rack: World) -> None:
    for _ in range(14):
        rack.wait(10, "home")
        rack.report("home", ("switch", None, CRITICAL))
    assert rack.told == ["switch DOWN"]
    assert {rack.state(name).state for name in "ab"} == {"UNREACHABLE"}


def test_a_child_waits_until_its_parent_is_known(rack: World) -> None:
    rack.wait(55, "home")  # a and b are silent for longer than they may be; the switch was fine a minute ago
    assert rack.state("a").state == "DOWN"
    assert rack.told == []
    assert "Waiting for fresh word of switch" in (rack.open_flip("a") or pytest.fail("no flip")).reason
    rack.report("home", ("switch", None, OK))
    assert rack.told == ["a DOWN", "b DOWN"]


def test_what_an_alert_waits_for_is_asked_of_the_one_who_checks_it(rack: World) -> None:
    assert rack.outbox.wanted("home") == frozenset()
    rack.wait(55, "home")  # a is silent; whether the switch is the cause is not known
    assert rack.outbox.wanted("home") == {("switch", None)}
    assert rack.outbox.wanted("a") == frozenset()
    rack.report("home", ("switch", None, CRITICAL))  # it may be: its next attempts come in its own time
    assert rack.outbox.wanted("home") == frozenset()


def test_a_service_is_asked_for_when_its_node_is_back(tmp_path: Path) -> None:
    host = node("host", agent=False, checked_from="home", interval=10)
    world = World(tmp_path, document(node("home"), host, services=(service("host", "web", attempts=1),)), gather=1.0)
    world.report("home", ("host", None, OK), ("host", "web", OK))
    world.wait(5, "home")
    world.report("home", ("host", "web", CRITICAL), ("host", None, CRITICAL))
    world.wait(5, "home")
    world.report("home", ("host", None, OK))
    world.wait(2)
    assert world.outbox.wanted("home") == {("host", "web")}
    world.report("home", ("host", "web", OK))
    world.wait(2)
    assert world.outbox.wanted("home") == frozenset()
    assert "host/web CRITICAL" not in world.told


def test_nobody_behind_a_parent_in_its_downtime_is_told(rack: World) -> None:
    until = rack.now + 3600 * SECOND
    rack.do(lambda draft: plan(draft, [DowntimeWish(("switch", None), rack.now, until, "new switch")], "ann"))
    for _ in range(30):
        rack.wait(10, "home")
        rack.report("home", ("switch", None, CRITICAL))
    assert rack.state("a").state == "UNREACHABLE"
    assert rack.told == []


def test_a_parent_in_a_soft_state_lets_no_child_alert_out(rack: World) -> None:
    rack.wait(55, "home")
    rack.report("home", ("switch", None, CRITICAL))
    assert rack.state("switch").state_type == "soft"
    assert rack.told == []
    rack.wait(1)
    rack.report("home", ("switch", None, CRITICAL))
    rack.wait(2, "home")
    assert rack.told == ["switch DOWN"]
    assert rack.state("a").state == "UNREACHABLE"


def test_children_that_stay_away_when_the_parent_is_back_are_told_then(rack: World) -> None:
    for _ in range(14):
        rack.wait(10, "home")
        rack.report("home", ("switch", None, CRITICAL))
    rack.deliver()
    rack.report("home", ("switch", None, OK))
    rack.report("a", ("a", "disk", OK))
    for _ in range(8):
        rack.wait(10, "home", "a")
        rack.report("home", ("switch", None, OK))
    assert rack.told == ["switch DOWN", "switch UP (recovery)", "b DOWN"]


def test_when_the_checker_is_silent_what_it_checks_is_unreachable_and_not_told(rack: World) -> None:
    rack.wait(300, "a", "b")
    assert rack.state("switch").state == "UNREACHABLE"
    assert [told for told in rack.told if "/" not in told] == ["home DOWN"]


def test_a_downtime_of_a_node_covers_its_services_even_after_a_restart(web: World) -> None:
    until = web.now + 600 * SECOND
    web.do(lambda draft: plan(draft, [DowntimeWish(("web", None), web.now, until, "new disks")], "ann"))
    web.restart(1)
    hard(web, "disk")
    web.wait(10, "web")
    assert web.told == []
    web.wait(620, "web")
    assert "web/disk CRITICAL" in web.told or "web/disk UNKNOWN" in web.told


def test_a_cancelled_downtime_holds_nothing_any_more(web: World) -> None:
    (downtime,) = web.do(
        lambda draft: plan(draft, [DowntimeWish(("web", "disk"), web.now, web.now + 600 * SECOND, "")], "ann")
    )
    hard(web, "disk")
    assert web.told == []
    web.do(lambda draft: cancel(draft, downtime.id))
    web.wait(2)
    assert web.told == ["web/disk CRITICAL"]
    assert [event["what"] for event in web.events("downtime")] == ["planned", "began", "cancelled"]


def test_an_acknowledgement_that_expires_is_told_again(web: World) -> None:
    hard(web, "disk")
    web.deliver()
    expires = web.now + 30 * SECOND
    web.do(lambda draft: acknowledge(draft, [AckWish(("web", "disk"), "on it", expires, True)], "ann"))
    web.wait(20, "web")
    assert web.told == ["web/disk CRITICAL"]
    web.wait(20, "web")
    assert web.told == ["web/disk CRITICAL", "web/disk CRITICAL (reminder)"]
    assert [event["what"] for event in web.events("acknowledgement")] == ["set", "expired"]


def test_a_recovery_is_told_in_a_downtime_too(web: World) -> None:
    hard(web, "disk")
    web.deliver()
    web.do(lambda draft: plan(draft, [DowntimeWish(("web", None), web.now, web.now + 600 * SECOND, "")], "ann"))
    web.wait(2)
    web.report("web", ("web", "disk", OK))
    assert web.told == ["web/disk CRITICAL", "web/disk OK (recovery)"]


def test_a_problem_that_lasts_is_told_again_only_where_that_is_wanted(tmp_path: Path) -> None:
    wanted = World(tmp_path, document(node("web"), services=(service("web", "disk", attempts=1),)), remind=30.0)
    wanted.report("web", ("web", "disk", CRITICAL))
    wanted.wait(70, "web")
    assert wanted.told.count("web/disk CRITICAL (reminder)") == 2


def test_a_flapping_service_is_told_no_further(tmp_path: Path) -> None:
    world = World(tmp_path, document(node("web"), services=(service("web", "disk", attempts=1),)))
    for _ in range(20):
        for code in (CRITICAL, OK):
            world.wait(1)
            world.report("web", ("web", "disk", code))
            world.deliver()
    assert world.state("web", "disk").flapping
    assert len(world.told) < 10
    assert [event["what"] for event in world.events("flapping")] == ["began"]


def test_after_its_own_absence_the_monitor_cries_no_wolf(web: World) -> None:
    web.restart(3600)
    web.wait(60)
    assert web.told == [] and web.state("web").state == "UP"
    web.report("web", ("web", "disk", OK), ("web", "load", OK))
    web.wait(40, "web")
    assert web.told == []


def test_who_was_silent_before_a_restart_and_stays_so_is_found(web: World) -> None:
    web.wait(30)
    web.restart(5)
    web.wait(200)
    assert web.told == ["web DOWN"]


def test_while_the_monitor_stood_still_nobody_was_silent(web: World) -> None:
    web.now += 3600 * SECOND  # suspended, and resumed
    web.tick.unit()
    assert web.state("web").state == "UP"


def test_a_node_nobody_has_heard_of_is_pending_for_a_while_then_a_problem(tmp_path: Path) -> None:
    world = World(tmp_path, document(node("new"), services=(service("new", "disk"),)))
    world.wait(590)
    assert world.state("new").state == "PENDING"
    world.wait(20)
    assert world.told == ["new DOWN"]
    assert "never heard of" in world.state("new").output
    assert world.state("new", "disk").state == "PENDING"


def test_what_a_node_kept_while_the_network_was_gone_makes_no_noise_if_it_is_over(tmp_path: Path) -> None:
    world = World(tmp_path, document(node("web"), services=(service("web", "disk", attempts=1),)), gather=3.0)
    world.report("web", ("web", "disk", OK))
    world.wait(40)
    world.report("web", ("web", "disk", CRITICAL), ago=30)
    world.report("web", ("web", "disk", OK), ago=5)
    world.wait(10, "web")
    assert world.told == []
    assert [event["state"] for event in world.events("state") if event["service"]] == ["OK", "CRITICAL", "OK"]


def test_a_node_whose_clock_is_an_hour_ahead_is_judged_by_the_monitors_clock(web: World) -> None:
    hour = 3600 * SECOND
    web.wait(1)
    result = Result(node="web", service="disk", code=CRITICAL, started=web.now + hour)
    report = Report(reporter="web", generation="ahead", first=0, sent=web.now + hour, results=[result])
    web.do(lambda draft: receive(draft, web.observer, report))
    assert web.state("web", "disk").last_check == web.now


def test_flips_that_were_held_are_still_there_after_a_kill(rack: World) -> None:
    rack.wait(55, "home")
    assert rack.open_flip("a") is not None
    rack.restart(1)
    rack.report("home", ("switch", None, OK))
    rack.wait(2, "home")
    assert "a DOWN" in rack.told
