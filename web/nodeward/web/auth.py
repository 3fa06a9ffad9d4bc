"""Who is logged in.

The config server knows names and passwords; a login is a signed cookie that says who and when. What somebody may do is asked
again every minute, so a user who was removed, or has another role now, is not trusted for as long as the cookie lasts.
"""

import hmac
import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from flask import Flask, current_app, g, redirect, request, session, url_for
from werkzeug.wrappers import Response

from nodeward.core.auth import ADMIN, OPERATOR, PEOPLE, Principal
from nodeward.core.client import Client
from nodeward.core.errors import ConfigError, NodewardError, NotAllowed, NotAuthenticated, NotFound
from nodeward.core.files import write_secret
from nodeward.web.backends import Backends
from nodeward.web.settings import WebSettings

log = logging.getLogger(__name__)

RECHECK_SECONDS = 60.0
OPEN = {"login.show", "login.log_in", "static"}
SAFE = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True)
class Person:
    """Whoever is logged in."""

    name: str
    role: str

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


class People:
    """The roles that people have now, as the config server says; the last answer stands while it is away."""

    def __init__(self, config: Callable[[], Client], clock: Callable[[], float] = time.monotonic) -> None:
        self._config, self._clock = config, clock
        self._known: dict[str, tuple[str | None, float]] = {}
        self._lock = threading.Lock()

    def know(self, name: str, role: str) -> None:
        """Take note of a role that was given just now."""
        with self._lock:
            self._known[name] = (role, self._clock())

    def role(self, name: str, claimed: str) -> str | None:
        """Return the role of `name`, or None if there is no such user any more. `claimed` stands until it can be asked."""
        known, at = self._known.get(name, (claimed, float("-inf")))
        if self._clock() - at < RECHECK_SECONDS:
            return known
        with self._lock:  # one request asks; those beside it go on with what is known, also that somebody is gone
            self._known[name] = (known, self._clock())
        role = self._ask(name, known)
        with self._lock:
            self._known[name] = (role, self._clock())
        return role

    def _ask(self, name: str, known: str | None) -> str | None:
        try:
            found = self._config().get(f"/api/v1/objects/user/{name}", timeout=2.0)
        except NotFound:
            return None
        except NodewardError as error:
            log.debug("the role of %s could not be asked: %s", name, error)
            return known
        return role if (role := found.get("object", found).get("role")) in PEOPLE else known


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
    name, claimed = session.get("name"), session.get("role")
    if not isinstance(name, str) or claimed not in PEOPLE:
        return None
    people: People = current_app.extensions["people"]
    role = people.role(name, claimed)
    return Person(name, role) if role else None


def begin(name: str, role: str) -> None:
    """Begin a login: a new session with nothing of the old one."""
    session.clear()
    session.permanent = True
    session.update(name=name, role=role, csrf=secrets.token_urlsafe(24))
    current_app.extensions["people"].know(name, role)


def end() -> None:
    """End the login."""
    session.clear()


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
