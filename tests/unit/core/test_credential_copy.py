"""A server's copy of the credentials: what was made a moment ago is known, and what is made up costs nobody much."""

import threading

import pytest

from nodeward.core.auth import LONGEST_WAIT, QUESTIONS_IN_A_ROW, CredentialCopy
from nodeward.core.errors import Unavailable
from support.until import until


class Config:
    """A config server whose list a test sets, and which counts how often it was asked."""

    def __init__(self):
        self.ids, self.asked, self.away = [], 0, False
        self.answering = threading.Event()
        self.answering.set()

    def get_if_changed(self, _path, etag):
        self.asked += 1
        known = list(self.ids)
        self.answering.wait(90)
        if self.away:
            raise Unavailable("It is away.")
        new = ",".join(known)
        rows = [{"id": one, "name": one, "role": "viewer", "hash": "x"} for one in known]
        return None if new == etag else (rows, new)


@pytest.fixture
def config():
    return Config()


@pytest.fixture
def copy(config, tmp_path):
    now = [1000.0]
    made = CredentialCopy(config, tmp_path / "credentials.json", lambda: now[0])
    made.now = now
    return made


def test_a_token_made_a_moment_ago_is_known_however_short_the_time_since_the_copy_was_refreshed(config, copy):
    for name in ("a", "b", "c"):
        copy.refresh()
        config.ids.append(name)
        assert copy.find(name).name == name


def test_made_up_tokens_do_not_keep_the_config_server_busy(config, copy):
    assert [copy.find(f"made-up-{number}") for number in range(1000)] == [None] * 1000
    assert config.asked == QUESTIONS_IN_A_ROW
    copy.now[0] += 3.0
    assert [copy.find(f"made-up-{number}") for number in range(1000)] == [None] * 1000
    assert config.asked == QUESTIONS_IN_A_ROW + 3
    config.ids.append("real")
    copy.now[0] += 1.0
    assert copy.find("real") is not None


def test_an_answer_to_somebody_else_serves_those_who_wait(config, copy, monkeypatch):
    monkeypatch.setattr("nodeward.core.auth.LONGEST_WAIT", 60.0)  # it is the answer that ends their waiting
    config.ids += ["a", "b"]
    config.answering.clear()
    found = []
    askers = [threading.Thread(target=lambda name=name: found.append(copy.find(name).name)) for name in "aabbab"]
    for asker in askers:
        asker.start()
    config.answering.set()
    for asker in askers:
        asker.join(60)
    assert (sorted(found), config.asked) == (list("aaabbb"), 1)


def test_a_config_server_that_hangs_holds_up_nobody_for_long(config, copy, monkeypatch):
    monkeypatch.setattr("nodeward.core.auth.LONGEST_WAIT", LONGEST_WAIT / 100)
    config.answering.clear()
    asker = threading.Thread(target=copy.refresh)
    asker.start()
    until(lambda: config.asked)
    assert copy.find("a") is None
    config.answering.set()
    asker.join(30)


def test_while_the_config_server_is_away_the_last_list_stays_in_force(config, copy):
    config.ids.append("a")
    assert copy.find("a") is not None
    config.away = True
    assert copy.find("b") is None
    assert copy.find("a") is not None
