"""A database that is killed and comes back: a delay, and a sentence; nothing acknowledged is lost, nothing is there twice."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from nodeward.core.errors import Unavailable
from nodeward.store.base_states import Change, EventQuery
from nodeward.store.choose_logs import log_shelf
from nodeward.store.choose_states import open_states
from support.log_records import DAY, NOON, found, made, raws
from support.mongodb import Engine

pytestmark = [pytest.mark.docker, pytest.mark.mongodb]


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An engine that may be killed."""
    made_ = Engine()
    yield made_
    made_.remove()


def test_a_killed_database_delays_and_loses_nothing(engine: Engine, tmp_path: Path) -> None:
    uri = f"{engine.uri}outage"
    first, second = made([b"one", b"two"]), made([b"three"], first=100)
    with closing(log_shelf(uri, tmp_path)) as logs, closing(open_states(uri, tmp_path)) as states:
        logs.append([first], NOON)
        states.write(_change(1))
        assert (logs.trouble(), states.trouble()) == ("", "")

        engine.kill()
        with pytest.raises(Unavailable, match="does not answer") as refused:
            logs.append([second], NOON)
        with pytest.raises(Unavailable, match="does not answer"):
            states.write(_change(2))
        assert refused.value.retry
        assert "\n" not in refused.value.detail
        assert logs.trouble().startswith("MongoDB at 127.0.0.1")

        engine.start()
        assert [one.accepted for one in logs.append([first, second], NOON)] == [0, 1]
        states.write(_change(2))
        assert logs.compact(NOON + DAY)
        assert (logs.trouble(), states.trouble()) == ("", "")
        assert sorted(raws(found(logs))) == [b"one", b"three", b"two"]
        assert [event["id"] for event in states.events(EventQuery(after=0))] == [1, 2]
    with closing(open_states(uri, tmp_path)) as states:
        assert states.load().states == [{"n": 2}]


def _change(number: int) -> Change:
    event = {"id": number, "at": number, "type": "state", "node": "n", "service": None}
    return Change(states={("n", None): {"n": number}}, events=[event])
