"""Who did what."""

from flask import Blueprint

from nodeward.web import auth, backends
from nodeward.web.backends import items
from nodeward.web.faults import Asked
from nodeward.web.views import given, page

blueprint = Blueprint("audit", __name__)

KNOWN = ("id", "time", "at", "when", "who", "name", "actor", "action", "what")


@blueprint.get("/audit")
def show() -> str:
    """Newest first."""
    auth.needs("operator")
    query = {"limit": 100, **given("cursor")}
    answer = Asked(lambda: backends.config().get("/api/v1/audit", query), {"items": []})
    following = answer.value.get("next") if isinstance(answer.value, dict) else None
    return page("audit.html", answer=answer, rows=items(answer.value), following=following, known=KNOWN)
