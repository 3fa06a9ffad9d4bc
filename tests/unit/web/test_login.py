"""Who gets in, for how long, and what a request must carry."""

import stat

import pytest

from nodeward.core.client import Client
from nodeward.core.errors import ConfigError, NotFound, Unavailable
from nodeward.web.auth import RECHECK_SECONDS, Account, People, session_key
from nodeward.web.pages.login import own_path
from nodeward.web.settings import WebSettings
from support.web import Web, post, token


def test_who_is_not_logged_in_is_sent_to_the_login_and_then_where_they_wanted(web: Web) -> None:
    browser = web.visitor()
    answer = browser.get("/problems?q=disk")
    assert answer.status_code == 302
    assert answer.location == "/login?next=/problems?q%3Ddisk"
    body = {"name": "vera", "password": "right", "next": "/problems?q=disk", "csrf": token(browser)}
    assert browser.post("/login", data=body).location == "/problems?q=disk"


def test_a_wrong_password_is_answered_by_a_sentence_and_no_session(web: Web) -> None:
    browser = web.visitor()
    answer = browser.post("/login", data={"name": "vera", "password": "wrong", "csrf": token(browser)})
    assert answer.status_code == 401
    assert "The name or the password is wrong." in answer.text
    assert browser.get("/").status_code == 302


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil.example", "", "/a\nb", "javascript:x"]
)
def test_a_login_never_leads_elsewhere(web: Web, path: str) -> None:
    with web.app.test_request_context():
        assert own_path(path) == "/"


def test_a_change_without_the_token_of_our_pages_is_refused(web: Web) -> None:
    browser = web.visitor("otto")
    body = {"targets": [{"node": "web-1", "service": "load"}]}
    answer = browser.post("/do/acknowledge", json=body, headers={"Accept": "application/json"})
    assert answer.status_code == 403
    assert "Reload it" in answer.json["detail"]
    wrong = browser.post("/do/acknowledge", json=body, headers={"X-CSRF-Token": "x" * 32, "Accept": "application/json"})
    assert wrong.status_code == 403
    assert web.fleet.asked == []


def test_a_new_login_takes_nothing_of_the_old_session_along(web: Web) -> None:
    browser = web.visitor()
    before = token(browser)
    browser.post("/login", data={"name": "vera", "password": "right", "csrf": before})
    with browser.session_transaction() as session:
        assert session["csrf"] != before


def test_logging_out_ends_the_session(web: Web) -> None:
    browser = web.visitor("vera")
    assert browser.get("/").status_code == 200
    browser.post("/logout", data={"csrf": token(browser)})
    assert browser.get("/").status_code == 302


def test_a_script_whose_login_has_ended_is_told_so(web: Web) -> None:
    answer = web.visitor().get("/problems/count", headers={"Accept": "application/json"})
    assert answer.status_code == 401
    assert "Log in again" in answer.json["detail"]


def test_a_forged_cookie_is_nobodys(web: Web) -> None:
    browser = web.visitor("ada")
    cookie = browser.get_cookie("nodeward")
    assert cookie is not None
    head, _, rest = cookie.value.partition(".")
    browser.set_cookie("nodeward", head[:-2] + ("AA" if head[-2:] != "AA" else "BB") + "." + rest)
    assert browser.get("/").status_code == 302


def test_the_cookie_is_kept_from_scripts_and_other_sites(web: Web) -> None:
    answer = web.visitor().get("/login")
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    assert "SameSite=Lax" in answer.headers["Set-Cookie"]


def test_the_key_of_the_sessions_is_made_once_and_only_its_owner_reads_it(web: Web) -> None:
    settings = WebSettings(var=web.app.extensions["backends"]._settings.var)
    assert session_key(settings) == session_key(settings) == web.app.secret_key
    assert stat.S_IMODE(settings.session_key_file.stat().st_mode) == 0o600


def test_a_key_that_is_too_short_stops_the_program_with_a_sentence(web: Web) -> None:
    settings = WebSettings(var=web.app.extensions["backends"]._settings.var)
    settings.session_key_file.write_text("short")
    with pytest.raises(ConfigError, match="too short"):
        session_key(settings)


class Registry(Client):
    """A config server's client whose answer a test sets."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1")
        self.answer: dict[str, str] | Exception = {"name": "vera", "role": "viewer", "mark": "m"}

    def get(self, path: str, query: object = None, timeout: float | None = None) -> object:
        """Answer, or fail."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_a_removed_user_is_out_within_a_minute_and_an_absent_config_server_locks_nobody_out() -> None:
    now, registry = [0.0], Registry()
    people = People(lambda: registry, lambda: now[0])
    assert people.account("vera", Account("viewer", "m")) == Account("viewer", "m")
    registry.answer = Unavailable("away")
    now[0] += RECHECK_SECONDS
    assert people.account("vera", Account("viewer", "m")) == Account("viewer", "m")
    registry.answer = {"name": "vera", "role": "operator", "mark": "m"}
    now[0] += RECHECK_SECONDS
    assert people.account("vera", Account("viewer", "m")) == Account("operator", "m")
    registry.answer = NotFound("gone")
    assert people.account("vera", Account("viewer", "m")) == Account("operator", "m")
    now[0] += RECHECK_SECONDS
    assert people.account("vera", Account("viewer", "m")) is None


def test_somebody_who_is_gone_stays_out_while_it_is_asked_again() -> None:
    now, registry, beside = [0.0], Registry(), []

    def ask() -> Client:
        if now[0] > 0:  # a second request comes while the first one is on its way
            beside.append(people.account("vera", Account("admin", "m")))
        return registry

    people = People(ask, lambda: now[0])
    registry.answer = NotFound("gone")
    assert people.account("vera", Account("admin", "m")) is None
    now[0] += RECHECK_SECONDS
    assert people.account("vera", Account("admin", "m")) is None
    assert beside == [None]


def test_what_a_viewer_may_not_do_is_refused_before_a_server_is_asked(web: Web) -> None:
    browser = web.visitor("vera")
    targets = {"targets": [{"node": "web-1", "service": "load"}]}
    assert post(browser, "/do/recheck", targets).status_code == 403
    assert post(browser, "/do/program", {"place": "monitor", "name": "monitor", "action": "stop"}).status_code == 403
    assert post(browser, "/settings/users", {"name": "x", "role": "admin"}).status_code == 403
    assert browser.get("/audit").status_code == 403


def test_a_user_who_is_disabled_is_logged_out_and_nothing_else_of_theirs_changes(web: Web) -> None:
    web.config.objects["user"]["otto"]["email"] = "otto@example.org"
    otto, ada = web.visitor("otto"), web.visitor("ada")
    assert post(otto, "/settings/users/disable", {"name": "ada", "disabled": True}).status_code == 403
    assert post(ada, "/settings/users/disable", {"name": "ada", "disabled": True}).status_code == 422
    answer = post(ada, "/settings/users/disable", {"name": "otto", "disabled": True})
    assert answer.json == {"message": "otto can no longer log in."}
    assert otto.get("/").status_code == 302
    assert "Enable" in ada.get("/settings").text
    assert post(ada, "/settings/users", {"name": "otto", "role": "viewer"}).status_code == 200
    assert web.config.objects["user"]["otto"] == {
        "kind": "user", "name": "otto", "role": "viewer", "email": "otto@example.org", "disabled": True,
    }  # fmt: skip
