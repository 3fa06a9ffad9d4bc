"""Who is logged in.

The config server knows names and passwords; a login is a session (`sessions`), which a signed cookie names. What somebody may
do is asked again every minute, so a user who was removed, has another role or another password now, is not trusted any longer.
"""

import hmac
import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from flask import Flask, current_app, g, redirect, request, session, url_for
from werkzeug.wrappers import Response

from nodeward.core.auth import ADMIN, OPERATOR, PEOPLE, Principal
from nodeward.core.client import Client
from nodeward.core.errors import ConfigError, NodewardError, NotAllowed, NotAuthenticated, NotFound
from nodeward.core.files import write_secret
from nodeward.web.backends import Backends
from nodeward.web.sessions import Sessions
from nodeward.web.settings import WebSettings

log = logging.getLogger(__name__)

RECHECK_SECONDS = 60.0
OPEN = {"login.show", "login.log_in", "static"}
SAFE = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True)
class Person:
    """Whoever is logged in, and by which session."""

    name: str
    role: str
    session: str = ""

    def reaches(self, role: str) -> bool:
        """Say whether this person has that role or a higher one."""
        return Principal(self.name, self.role).reaches((role,))

    @property
    def may_operate(self) -> bool:
        """Acknowledge, set downtimes, check again, apply configuration."""
        return self.reaches(OPERATOR)

    @property
    def may_administer(self) -> bool:
        """Restart programs, manage users and tokens."""
        return self.reaches(ADMIN)


@dataclass(frozen=True)
class Account:
    """What the config server knows of a person: the role, and a mark that is another one after each change of the password."""

    role: str
    mark: str


class People:
    """The accounts as they are now, as the config server says; the last answer stands while it is away."""

    def __init__(self, config: Callable[[], Client], clock: Callable[[], float] = time.monotonic) -> None:
        self._config, self._clock = config, clock
        self._known: dict[str, tuple[Account | None, float]] = {}
        self._lock = threading.Lock()

    def know(self, name: str, account: Account) -> None:
        """Take note of an account that was given just now."""
        with self._lock:
            self._known[name] = (account, self._clock())

    def account(self, name: str, claimed: Account) -> Account | None:
        """Return the account of `name`, or None if there is none any more. `claimed` stands until it can be asked."""
        known, at = self._known.get(name, (claimed, float("-inf")))
        if self._clock() - at < RECHECK_SECONDS:
            return known
        with self._lock:  # one request asks; those beside it go on with what is known, also that somebody is gone
            self._known[name] = (known, self._clock())
        account = self._ask(name, known)
        with self._lock:
            self._known[name] = (account, self._clock())
        return account

    def ask_again(self, name: str) -> Account | None:
        """Return the account of `name` as it is at this moment: it was changed just now."""
        known = self._known.get(name, (None, 0.0))[0]
        account = self._ask(name, known)
        with self._lock:
            self._known[name] = (account, self._clock())
        return account

    def _ask(self, name: str, known: Account | None) -> Account | None:
        try:
            found = self._config().get(f"/api/v1/users/{quote(name, safe='')}", timeout=2.0)
        except NotFound:
            return None
        except NodewardError as error:
            log.debug("the account of %s could not be asked: %s", name, error)
            return known
        return Account(found["role"], found["mark"]) if found.get("role") in PEOPLE else known


def mount(app: Flask, settings: WebSettings, backends: Backends) -> None:
    """Let nobody past who is not logged in; know who is, as `g.person`."""
    app.secret_key = session_key(settings)
    app.config.update(
        SESSION_COOKIE_NAME="nodeward",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.https,
        PERMANENT_SESSION_LIFETIME=timedelta(hours=settings.session_hours),
    )
    app.extensions["people"] = People(lambda: backends.server("configserver"))
    app.extensions["sessions"] = Sessions(settings.sessions_file, settings.session_hours)

    @app.before_request
    def admit() -> Response | None:
        g.person = person_or_none()
        if request.method not in SAFE:
            check_csrf()
        if g.person or request.endpoint in OPEN:
            return None
        if request.method != "GET" or wants_json():
            raise NotAuthenticated("Your login has ended. Log in again, then repeat this.")
        return redirect(url_for("login.show", next=request.full_path.rstrip("?")))

    @app.context_processor
    def give() -> dict[str, object]:
        return {"person": g.get("person"), "csrf": csrf_token}


def person_or_none() -> Person | None:
    """Return who sent this request, or None if they are not logged in (any more)."""
    person = person_of(session.get("id"), session.get("role"))
    if person and (found := sessions().get(person.session)):
        sessions().seen(found)
    return person


def person_of(identifier: object, claimed: object = "viewer") -> Person | None:
    """Return whose session that is, or None if it lasts no more. `claimed` is the role it was begun with."""
    found = sessions().get(identifier)
    if found is None or claimed not in PEOPLE:
        return None
    people: People = current_app.extensions["people"]
    account = people.account(found.name, Account(str(claimed), found.mark))
    if account is None:
        sessions().end_all(found.name)
        return None
    if account.mark != found.mark:
        sessions().end([found.id])
        return None
    return Person(found.name, account.role, found.id)


def begin(name: str, account: Account) -> None:
    """Begin a login: a new session with nothing of the old one."""
    sessions().end([str(session.get("id"))])
    session.clear()
    session.permanent = True
    current_app.extensions["people"].know(name, account)
    identifier = sessions().begin(name, account.mark, request.remote_addr or "", request.user_agent.string)
    session.update(id=identifier, role=account.role, csrf=secrets.token_urlsafe(24))


def end() -> None:
    """End the login: the cookie is worth nothing any more, wherever it was copied to."""
    sessions().end([str(session.get("id"))])
    session.clear()


def password_changed(name: str) -> None:
    """Whoever is logged in has just changed that person's password, or removed the person: no other session of theirs lasts."""
    people: People = current_app.extensions["people"]
    account = people.ask_again(name)
    if account is not None and g.person.name == name:
        sessions().renew(g.person.session, account.mark)
    else:
        sessions().end_all(name)


def sessions() -> Sessions:
    """Return the app's sessions."""
    found: Sessions = current_app.extensions["sessions"]
    return found


def needs(role: str) -> None:
    """Raise NotAllowed unless whoever is logged in has `role` or a higher one. The servers check it again."""
    if not g.person.reaches(role):
        raise NotAllowed(f"'{g.person.name}' is {g.person.role}; this needs {role}.")


def csrf_token() -> str:
    """Return the token that every change must carry: only our own pages know it."""
    token: str = session.setdefault("csrf", secrets.token_urlsafe(24))
    return token


def check_csrf() -> None:
    """Raise NotAllowed if a change does not come from one of our own pages."""
    given = request.headers.get("X-CSRF-Token") or request.form.get("csrf", "")
    expected = session.get("csrf")
    if not isinstance(expected, str) or not hmac.compare_digest(given.encode(), expected.encode()):
        raise NotAllowed(
            "This page was open for too long, or the request came from elsewhere. Reload it and try again."
        )


def wants_json() -> bool:
    """Whether a script asks rather than a person."""
    return request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json"


def session_key(settings: WebSettings) -> str:
    """Return the key that signs the cookies, made at the first start. Raise ConfigError if it can be neither read nor made."""
    path = settings.session_key_file
    try:
        if not path.exists():
            write_secret(path, secrets.token_hex(32))
        key = path.read_text().strip()
    except OSError as error:
        raise ConfigError(f"The key of the sessions: {path} cannot be used ({error.strerror}).") from None
    if len(key) < 32:
        raise ConfigError(f"The key of the sessions: {path} is too short. Remove it, and a new one is made.")
    return key
