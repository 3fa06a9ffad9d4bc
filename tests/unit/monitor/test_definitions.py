"""What the monitor knows of the fleet, and when it asks for it."""

from pathlib import Path
from typing import Any

import pytest

from fakes.monitor_world import document, node, service
from nodeward.core.errors import Unavailable
from nodeward.monitor.definitions import Definitions, Fleet, fleet


class Config:
    """A config server that counts how often it is asked."""

    def __init__(self) -> None:
        self.revision, self.asked, self.away = 1, 0, False

    def get_if_changed(self, path: str, etag: str | None) -> tuple[Any, str] | None:
        self.asked += 1
        if self.away:
            raise Unavailable("It is away.")
        tag = str(self.revision)
        return None if tag == etag else ({**document(node("web-1")), "revision": self.revision}, tag)


@pytest.fixture
def config() -> Config:
    return Config()


@pytest.fixture
def definitions(config: Config, tmp_path: Path) -> Definitions:
    applied: list[Fleet] = []
    known = Definitions(config, tmp_path / "monitoring.json", applied.append)  # type: ignore[arg-type]
    known.unit()
    return known


def test_a_revision_that_a_report_names_is_fetched_however_lately_others_were(
    config: Config, definitions: Definitions
) -> None:
    for revision in (2, 3, 4):
        config.revision = revision
        definitions.catch_up(revision)
        assert definitions.revision == revision


def test_a_revision_that_is_known_is_not_asked_for(config: Config, definitions: Definitions) -> None:
    for revision in (None, 0, 1):
        definitions.catch_up(revision)
    assert config.asked == 1


@pytest.mark.parametrize("away", [True, False])
def test_a_revision_that_cannot_be_had_is_not_asked_for_by_every_report(
    config: Config, definitions: Definitions, away: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("nodeward.monitor.definitions.time.monotonic", lambda: now[0])
    config.away = away
    for _ in range(20):
        definitions.catch_up(9)
    assert config.asked == 2 and definitions.revision == 1
    now[0] += 1.5
    definitions.catch_up(9)
    assert config.asked == 3


def test_who_reports_what() -> None:
    switch = node("switch", agent=False, checked_from="home")
    nobodys = node("shelf", agent=False, checked_from=None)
    found = fleet(
        document(
            node("home"),
            switch,
            nobodys,
            services=(service("home", "disk"), service("switch", "web"), service("shelf", "x")),
        )
    )
    assert found.reported_by == {"home": [("switch", None), ("home", "disk"), ("switch", "web")]}
