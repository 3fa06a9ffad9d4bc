"""What tailflog says of itself, and when it keeps quiet."""

import json
import logging

import pytest

from nodeward.core.log import _never_shipped
from nodeward.tailflog.status import Figures, Status, news

QUIET = Figures("", 3, 0, 0, 0, 0, 0, 0, 0, "", "")


class _Going:
    """A status whose clock and figures a test moves."""

    def __init__(self, path):
        self.time, self.figures = 0.0, dict(vars(QUIET))
        self.status = Status(path, lambda: Figures(**self.figures), lambda: self.time)

    def minutes(self, count, **more_each):
        for _ in range(count * 6):
            self.time += 10
            for name, more in more_each.items():
                self.figures[name] += more
            self.status.unit()


@pytest.fixture
def going(tmp_path):
    return _Going(tmp_path / "status.json")


@pytest.fixture
def said(caplog):
    """Return a function that gives what tailflog said of itself; what is left of other tests may speak, too."""
    caplog.set_level(logging.INFO, "nodeward.tailflog.status")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "nodeward.tailflog.status"]


def test_lines_that_flow_are_no_news_but_an_hour_is(going, said):
    going.minutes(59, lines=100)
    assert said() == []
    going.minutes(2, lines=100)
    assert len(said()) == 1
    assert "lines of 3 files" in said()[0]
    going.minutes(58, lines=100)
    assert len(said()) == 1


def test_what_did_not_parse_is_said_once_a_minute_at_most(going, said):
    going.minutes(2)
    going.minutes(5, lines=10, parse_errors=1)
    assert 1 <= len(said()) <= 6
    assert "did not parse" in said()[0]
    before = len(said())
    going.minutes(20, lines=10)
    assert len(said()) - before <= 1


def test_the_file_has_the_figures_all_the_time(going, tmp_path):
    going.minutes(1, lines=7)
    assert json.loads((tmp_path / "status.json").read_text())["lines"] == 42


def test_a_line_about_shipping_is_never_shipped():
    assert "nodeward.tailflog.status" in _never_shipped


def test_news_are_files_faults_and_refusals():
    assert news(QUIET, QUIET) == ""
    changed = Figures("", 5, 10, 0, 2, 0, 0, 0, 1, "", "")
    assert news(QUIET, changed) == (
        "files followed: 5, 3 before; 2 of 10 lines did not parse and are kept raw; 1 batch refused for good"
    )
