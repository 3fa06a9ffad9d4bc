"""How long a login lasts, and everything that ends it."""

import stat
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from nodeward.core.errors import ConfigError
from nodeward.web.auth import RECHECK_SECONDS
from nodeward.web.pages.settings import browser as named
from nodeward.web.sessions import MOST_EACH, SECOND, Sessions
from support.clock import Clock
from support.web import Web, post, token

HOUR = 3600 * SECOND
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def clock() -> Clock[int]:
    return Clock(1_000 * HOUR)


@pytest.fixture
def sessions(tmp_path: Path, clock: Clock[int]) -> Sessions:
    return Sessions(tmp_path / "web" / "sessions.json", 12, clock)


def begin(sessions: Sessions, name: str = "vera", mark: str = "m") -> str:
    return sessions.begin(name, mark, "192.0.2.7", FIREFOX)


def test_a_session_lasts_while_somebody_is_there_and_a_while_longer(sessions: Sessions, clock: Clock[int]) -> None:
    identifier = begin(sessions)
    for _ in range(3):
        clock.now += 11 * HOUR
        found = sessions.get(identifier)
        assert found
        sessions.seen(found)
    clock.now += 13 * HOUR
    assert sessions.get(identifier) is None


def test_a_restart_logs_nobody_out_and_nobody_back_in(sessions: Sessions, clock: Clock[int], tmp_path: Path) -> None:
    stays, goes = begin(sessions), begin(sessions)
    sessions.end([goes])
    again = Sessions(tmp_path / "web" / "sessions.json", 12, clock)
    assert again.get(stays) == sessions.get(stays)
    assert again.get(goes) is None


def test_only_its_owner_reads_the_file(sessions: Sessions, tmp_path: Path) -> None:
    begin(sessions)
    assert stat.S_IMODE((tmp_path / "web" / "sessions.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "{", "[1]", '[{"id": "x"}]', "null"])
def test_a_broken_file_logs_everybody_out_and_stops_nothing(tmp_path: Path, content: str) -> None:
    path = tmp_path / "sessions.json"
    path.write_text(content)
    assert Sessions(path, 12).of("vera") == []


def test_a_file_that_cannot_be_read_stops_the_program_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "sessions.json").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        Sessions(tmp_path / "sessions.json", 12)


def test_who_listens_is_told_what_has_ended(sessions: Sessions) -> None:
    one, other = begin(sessions), begin(sessions)
    told: list[set[str]] = []
    sessions.ended = told.append
    sessions.end([one, "unknown"])
    sessions.end([one])
    assert sessions.end_all("vera") == 1
    assert told == [{one}, {other}]


def test_a_changed_password_ends_the_other_sessions(sessions: Sessions) -> None:
    one, other, another = begin(sessions), begin(sessions), begin(sessions, "otto")
    sessions.renew(one, "new")
    assert [bool(sessions.get(each)) for each in (one, other, another)] == [True, False, True]


def test_a_person_has_so_many_sessions_and_no_more(sessions: Sessions, clock: Clock[int]) -> None:
    ids = []
    for _ in range(MOST_EACH + 3):
        clock.now += SECOND
        ids.append(begin(sessions))
    assert [each.id for each in sessions.of("vera")] == ids[::-1][:MOST_EACH]


def in_(browser: FlaskClient) -> bool:
    return browser.get("/settings").status_code == 200


def cookie_of(browser: FlaskClient) -> str:
    cookie = browser.get_cookie("nodeward")
    assert cookie is not None
    return cookie.value


def test_a_cookie_that_was_copied_is_worth_nothing_after_its_owner_logged_out(web: Web) -> None:
    browser, thief, elsewhere = web.visitor("vera"), web.app.test_client(), web.visitor("vera")
    thief.set_cookie("nodeward", cookie_of(browser))
    assert in_(thief)
    browser.post("/logout", data={"csrf": token(browser)})
    assert not in_(thief)
    assert in_(elsewhere)  # logging out ends one browser's session


def test_a_new_login_in_the_same_browser_ends_the_old_one(web: Web) -> None:
    browser, thief = web.visitor("vera"), web.app.test_client()
    thief.set_cookie("nodeward", cookie_of(browser))
    browser.post("/login", data={"name": "vera", "password": "right", "csrf": token(browser)})
    assert in_(browser)
    assert not in_(thief)


def test_a_cookie_of_before_there_were_sessions_is_nobodys(web: Web) -> None:
    browser = web.visitor()
    with browser.session_transaction() as session:
        session.update(name="ada", role="admin")
    assert not in_(browser)


def test_logging_out_everywhere_ends_all_sessions_of_that_person_alone(web: Web) -> None:
    browser, elsewhere, other = web.visitor("vera"), web.visitor("vera"), web.visitor("otto")
    assert elsewhere.get("/settings").text.count("this browser<") == 1
    answer = post(browser, "/settings/sessions/end", {})
    assert answer.json == {"message": "vera is logged out of 2 browsers."}
    assert [in_(each) for each in (browser, elsewhere, other)] == [False, False, True]


def test_changing_the_own_password_ends_the_own_other_sessions(web: Web) -> None:
    browser, elsewhere = web.visitor("vera"), web.visitor("vera")
    answer = post(browser, "/settings/password", {"present": "right", "wanted": "a much longer one"})
    assert answer.status_code == 200, answer.text
    assert in_(browser)
    assert not in_(elsewhere)


def test_a_password_that_an_administrator_sets_and_a_user_who_is_removed_end_theirs(web: Web) -> None:
    ada, vera, otto = web.visitor("ada"), web.visitor("vera"), web.visitor("otto")
    web.config.users["vera"] = ("a much longer one", "viewer")
    with web.app.test_request_context():
        web.app.extensions["people"]._known.clear()  # a minute has passed
    assert not in_(vera)
    del web.config.users["otto"]
    web.app.extensions["people"]._known.clear()
    assert not in_(otto)
    assert in_(ada)


def test_an_ended_session_is_disconnected_at_once_and_one_that_only_listens_within_a_while(web: Web) -> None:
    live = web.app.extensions["live"]
    browser, elsewhere = web.visitor("vera"), web.visitor("otto")
    sockets = [live._sockets.test_client(web.app, flask_test_client=each) for each in (browser, elsewhere)]
    assert [each.is_connected() for each in sockets] == [True, True]
    browser.post("/logout", data={"csrf": token(browser)})
    assert [each.is_connected() for each in sockets] == [False, True]
    del web.config.users["otto"]
    web.app.extensions["people"]._known.clear()
    live.look()
    assert [each.is_connected() for each in sockets] == [False, False]


def test_what_is_asked_of_the_config_server_is_not_older_than_a_minute() -> None:
    assert RECHECK_SECONDS <= 60


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX, "Firefox on Linux"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.4 Safari/605.1.15", "Safari on macOS"),
        ("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/126.0 Safari/537.36 Edg/126.0", "Edge on Windows"),
        ("", "A browser"),
    ],
)  # fmt: skip
def test_a_browser_is_called_by_its_name(agent: str, name: str) -> None:
    assert named(agent) == name
