"""One's own account; for administrators the users and the tokens too."""

from typing import Any

from flask import Blueprint, Response, g, jsonify
from pydantic import Field

from nodeward.core.auth import ADMIN, PEOPLE
from nodeward.core.errors import BadInput, NotAuthenticated, NotFound
from nodeward.core.http import Body
from nodeward.core.words import counted
from nodeward.web import auth, backends
from nodeward.web.backends import items
from nodeward.web.faults import Asked
from nodeward.web.pages.actions import body, said
from nodeward.web.sessions import Session
from nodeward.web.views import page

blueprint = Blueprint("settings", __name__)

SHORTEST = 10
MOST_SESSIONS = 8  # of a person, as a page lists them

# What a browser's own description of itself contains, the more special first: Chromium also says Safari.
BROWSERS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrom", "Chrome"), ("Safari/", "Safari"), ("curl/", "curl"),
)  # fmt: skip
SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Mac OS X", "macOS"), ("Windows", "Windows"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


class Password(Body):
    """One's own new password."""

    present: str
    wanted: str = Field(min_length=SHORTEST, max_length=500)


class NewUser(Body):
    """A user, or a new role and password for one."""

    name: str = Field(pattern=r"^[A-Za-z0-9][\w.@-]{0,62}$")
    role: str = Field(pattern="^(viewer|operator|admin)$")
    password: str = Field("", max_length=500)


class Named(Body):
    """A user."""

    name: str


class Disabled(Named):
    """Whether a user is let in no more, for now."""

    disabled: bool


class NewToken(Body):
    """A token for a script."""

    name: str = Field(min_length=1, max_length=100)
    role: str = Field(pattern="^(viewer|operator|admin)$")


class TokenId(Body):
    """A token, by its id."""

    id: str = Field(pattern="^[0-9a-f]{12}$")


@blueprint.get("/settings")
def show() -> str:
    """The account; users and tokens for an administrator."""
    users: Asked | None = None
    tokens: Asked | None = None
    if g.person.may_administer:
        users = Asked(lambda: items(backends.config().get("/api/v1/objects/user")), [])
        tokens = Asked(lambda: items(backends.config().get("/api/v1/tokens")), [])
    mine = sorted(map(row, auth.sessions().of(g.person.name)), key=lambda each: not each["here"])
    shown, more = mine[:MOST_SESSIONS], max(0, len(mine) - MOST_SESSIONS)
    return page("settings.html", users=users, tokens=tokens, roles=PEOPLE, sessions=shown, more_sessions=more)


def row(session: Session) -> dict[str, Any]:
    """Return what a person is shown of one of their sessions."""
    return {
        "here": session.id == g.person.session,
        "browser": browser(session.agent),
        "address": session.address,
        "begun": session.begun,
        "seen": session.seen,
    }


def browser(agent: str) -> str:
    """Return a browser's name and system, as far as its own description tells: Firefox on Linux."""
    name = next((shown for sign, shown in BROWSERS if sign in agent), "A browser")
    system = next((shown for sign, shown in SYSTEMS if sign in agent), "")
    return f"{name} on {system}" if system else name


@blueprint.post("/settings/sessions/end")
def end_sessions() -> Response:
    """Log this person out everywhere, here too."""
    name = g.person.name
    count = auth.sessions().end_all(name)
    auth.end()
    return said(f"{name} is logged out of {counted(count, 'browser')}.")


@blueprint.post("/settings/password")
def password() -> Response:
    """Change one's own password: the present one proves that it is its owner who sits there."""
    wanted = body(Password)
    server = backends.backends().server("configserver")
    try:
        server.post("/api/v1/login", {"name": g.person.name, "password": wanted.present})
    except NotAuthenticated:
        raise BadInput("The present password is wrong.") from None
    own = server.acting_for(g.person.name, ADMIN)  # everybody may change their own; the audit shall say who did
    own.put(f"/api/v1/users/{g.person.name}/password", {"password": wanted.wanted})
    auth.password_changed(g.person.name)
    return said("Your password is changed. Other browsers you were logged in with are logged out.")


@blueprint.post("/settings/users")
def save_user() -> Response:
    """Make a user, or change one's role or password."""
    auth.needs("admin")
    wanted = body(NewUser)
    if wanted.password and len(wanted.password) < SHORTEST:
        raise BadInput(f"A password has at least {SHORTEST} characters.")
    path = _object(wanted.name)
    backends.config().put(path, {**_present(path), "kind": "user", "name": wanted.name, "role": wanted.role})
    if wanted.password:
        backends.config().put(f"/api/v1/users/{wanted.name}/password", {"password": wanted.password})
        auth.password_changed(wanted.name)
    return said(f"{wanted.name} is {wanted.role}.")


def _about_another(form: type[Any], deed: str) -> Any:
    """Return what an administrator asks about a user. Raise BadInput if that is they themselves, who would be locked out."""
    auth.needs("admin")
    wanted = body(form)
    if wanted.name == g.person.name:
        raise BadInput(f"You cannot {deed} yourself; another administrator can.")
    return wanted


def _object(name: str) -> str:
    return f"/api/v1/objects/user/{name}"


def _present(path: str) -> dict[str, Any]:
    """What is known of a user already: a change of the role leaves the rest as it is."""
    try:
        found: dict[str, Any] = backends.config().get(path)
    except NotFound:
        return {}
    return found


@blueprint.post("/settings/users/disable")
def disable_user() -> Response:
    """Let a user in no more, or again."""
    wanted = _about_another(Disabled, "disable")
    path = _object(wanted.name)
    backends.config().put(path, {**backends.config().get(path), "disabled": wanted.disabled})
    auth.password_changed(wanted.name)
    return said(f"{wanted.name} can {'no longer' if wanted.disabled else 'again'} log in.")


@blueprint.post("/settings/users/delete")
def delete_user() -> Response:
    """Take a user away."""
    wanted = _about_another(Named, "remove")
    backends.config().delete(_object(wanted.name))
    auth.sessions().end_all(wanted.name)
    return said(f"{wanted.name} is removed.")


@blueprint.post("/settings/tokens")
def make_token() -> Response:
    """Make a token; it is shown this once."""
    auth.needs("admin")
    wanted = body(NewToken)
    made = backends.config().post("/api/v1/tokens", {"name": wanted.name, "role": wanted.role})
    return jsonify(message=f"The token '{wanted.name}' is made.", token=made["token"])


@blueprint.post("/settings/tokens/revoke")
def revoke_token() -> Response:
    """Revoke a token."""
    auth.needs("admin")
    backends.config().delete(f"/api/v1/tokens/{body(TokenId).id}")
    return said("The token is revoked: within five seconds no server takes it any more.")
