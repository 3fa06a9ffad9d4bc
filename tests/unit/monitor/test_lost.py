"""Results that must have been lost are asked for."""

from dataclasses import replace
from pathlib import Path

from fakes.monitor_world import START, World, document, node, service
from nodeward.core.results import Report, Result
from nodeward.monitor import lost
from nodeward.monitor.definitions import Service
from nodeward.monitor.receive import receive
from nodeward.monitor.states import SECOND, State

CRITICAL = 2
HOMEPAGE = Service(node="web", service="homepage", interval=60, retry=15, attempts=3)
SOFT = State("web", "homepage", "CRITICAL", "soft", attempt=2, attempts=3, last_check=START, duration=1.0)


def planned(seconds: float) -> State:
    return replace(SOFT, next_check=START + int(seconds * SECOND))


def test_a_problem_that_its_node_takes_for_certain_too_early_is_lost() -> None:
    assert lost.is_lost(planned(58), HOMEPAGE, START + 15 * SECOND)


def test_a_retry_that_is_planned_is_waited_for() -> None:
    assert not lost.is_lost(planned(16), HOMEPAGE, START + 40 * SECOND)


def test_a_retry_is_not_asked_for_before_its_time() -> None:
    assert not lost.is_lost(planned(58), HOMEPAGE, START + 14 * SECOND)


def test_what_is_certain_or_well_is_not_lost() -> None:
    hard = replace(planned(58), state_type="hard", attempt=3)
    for state in (hard, replace(hard, state="OK"), replace(planned(58), next_check=None)):
        assert not lost.is_lost(state, HOMEPAGE, START + 50 * SECOND)


def test_a_first_result_that_does_not_come_is_asked_for(tmp_path: Path) -> None:
    world = World(
        tmp_path, document(node("web"), node("db"), services=(service("web", "disk"), service("web", "load")))
    )
    world.report("web", ("web", "disk", 0))
    assert lost.results(world.board, "web", world.now) == []
    world.wait(31, "web")
    assert lost.results(world.board, "web", world.now) == [("web", "load")]
    assert lost.results(world.board, "db", world.now) == []


def test_after_a_first_result_that_did_not_count_the_verdict_comes_in_time(tmp_path: Path) -> None:
    """The first result came before the check was known: the node server counts it, the monitor does not."""
    world = World(tmp_path, document(node("web")))
    defined = document(node("web"), services=(service("web", "homepage", attempts=3, retry=15, interval=60),))
    attempts = 0

    def run(then: float) -> None:
        nonlocal attempts
        result = Result(
            node="web", service="homepage", code=CRITICAL, started=world.now, next_check=world.now + int(then * SECOND)
        )
        sent = Report(reporter="web", generation="g", first=attempts, sent=world.now, results=[result])
        attempts += 1
        world.do(lambda draft: receive(draft, world.observer, sent))

    run(15)
    assert world.board.look(("web", "homepage")) is None
    world.define(defined)
    for then in (15, 60):  # the node's attempts 2 and 3
        world.wait(15, "web")
        run(then)
    assert (world.state("web", "homepage").state_type, world.state("web", "homepage").attempt) == ("soft", 2)
    world.wait(15, "web")
    assert lost.results(world.board, "web", world.now) == [("web", "homepage")]
    run(60)
    assert world.state("web", "homepage").state_type == "hard"
    assert lost.results(world.board, "web", world.now) == []


def test_one_answer_does_not_ask_for_everything(tmp_path: Path) -> None:
    names = [f"check-{number}" for number in range(200)]
    world = World(tmp_path, document(node("web"), services=tuple(service("web", name) for name in names)))
    world.wait(31, "web")
    assert len(lost.results(world.board, "web", world.now)) == lost.MOST
