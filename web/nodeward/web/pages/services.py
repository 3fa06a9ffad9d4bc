"""One service."""

from flask import Blueprint, Response, jsonify, request

from nodeward.core.errors import NotFound
from nodeward.web import backends
from nodeward.web.backends import items
from nodeward.web.faults import Asked
from nodeward.web.views import given, page

blueprint = Blueprint("services", __name__)

RANGES = {"1h": "1 hour", "6h": "6 hours", "24h": "1 day", "7d": "7 days", "30d": "30 days"}


@blueprint.get("/services/<node>/<path:service>")
def show(node: str, service: str) -> str:
    """Its state, output, graphs and history."""
    rows = items(backends.monitor().get("/api/v1/states", {"node": node, "service": service}))
    if not rows:
        raise NotFound(f"There is no service '{service}' on node '{node}'.")
    query = {"node": node, "service": service, "limit": 50, **given("before")}
    history = Asked(lambda: backends.monitor().get("/api/v1/events", query), {"items": []})
    check = Asked(lambda: backends.config().get(f"/api/v1/objects/check/{service}"), {})
    length = given("range").get("range", "6h")
    return page(
        "service.html", row=rows[0], node=node, service=service, history=history,
        check=check.value.get("object", check.value), ranges=RANGES, length=length if length in RANGES else "6h",
    )  # fmt: skip


@blueprint.get("/perfdata")
def perfdata() -> Response:
    """The series of a node, or of one of its services, for the graphs."""
    query = given("node", "service", "from", "to")
    if request.args.get("own"):
        query.pop("service", None)
    return jsonify(backends.monitor().get("/api/v1/perfdata", query))
