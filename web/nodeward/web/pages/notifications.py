"""The outbox: what was told to whom, and what became of it."""

from flask import Blueprint

from nodeward.web import backends
from nodeward.web.backends import items
from nodeward.web.faults import Asked
from nodeward.web.views import given, page

blueprint = Blueprint("notifications", __name__)


@blueprint.get("/notifications")
def show() -> str:
    """Newest first."""
    asked = given("node", "service", "before")
    answer = Asked(lambda: backends.monitor().get("/api/v1/notifications", {"limit": 100, **asked}), {"items": []})
    contacts = Asked(lambda: items(backends.config().get("/api/v1/objects/contact")), [])
    return page(
        "notifications.html",
        answer=answer,
        rows=items(answer.value),
        following=answer.value.get("next"),
        contacts=contacts,
    )
