"""The problems: worst first, to be taken on, several at once."""

from flask import Blueprint, Response, jsonify

from nodeward.web import backends
from nodeward.web.backends import items
from nodeward.web.faults import Asked
from nodeward.web.pages.overview import fleet
from nodeward.web.views import given, page

blueprint = Blueprint("problems", __name__)

LIMIT = 200
SHOWN = {"open": {"handled": "false"}, "handled": {"handled": "true"}, "all": {}}


@blueprint.get("/problems")
def show() -> str:
    """A page of them: those nobody has taken on, those somebody has, or all."""
    asked = given("q", "group", "state", "cursor")
    shown = given("show").get("show", "open")
    query = {"problems": "true", "sort": "worst", "limit": LIMIT, **SHOWN.get(shown, {}), **asked}
    answer = Asked(lambda: backends.monitor().get("/api/v1/states", query), {"items": [], "next": None})
    return page("problems.html", answer=answer, rows=items(answer.value), shown=shown)


@blueprint.get("/problems/count")
def count() -> Response:
    """How many there are that nobody has taken on."""
    return jsonify(problems=sum(1 for row in fleet().problems() if not row.get("handled", row.get("acknowledged"))))
