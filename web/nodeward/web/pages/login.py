"""Logging in and out."""

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from nodeward.core.errors import NodewardError, NotAuthenticated
from nodeward.web import auth
from nodeward.web.backends import backends

blueprint = Blueprint("login", __name__)


@blueprint.get("/login")
def show() -> str | Response:
    """The form; whoever is logged in already goes on."""
    wanted = own_path(request.args.get("next", ""))
    if g.person:
        return redirect(wanted)
    ended = "ended" in request.args
    return render_template("login.html", wanted=wanted, name="", error="", ended=ended)


@blueprint.post("/login")
def log_in() -> Response | tuple[str, int]:
    """Ask the config server; begin a session or say what was wrong."""
    name, password = request.form.get("name", "").strip(), request.form.get("password", "")
    wanted = own_path(request.form.get("next", ""))
    try:
        if not name or not password:
            raise NotAuthenticated("Type your name and your password.")
        body = {"name": name, "password": password, "address": request.remote_addr or ""}
        user = backends().server("configserver").post("/api/v1/login", body)
    except NodewardError as error:
        return render_template("login.html", wanted=wanted, name=name, error=error.detail), error.status
    auth.begin(user["name"], auth.Account(user["role"], user["mark"]))
    return redirect(wanted)


@blueprint.post("/logout")
def log_out() -> Response:
    """End this browser's session, and no other."""
    auth.end()
    return redirect(url_for("login.show"))


def own_path(path: str) -> str:
    """Return `path` if it is one of ours, else the first page: a login must not lead elsewhere."""
    fits = path.startswith("/") and not path.startswith("//") and path.isprintable() and "\\" not in path
    return path if fits else url_for("overview.show")
