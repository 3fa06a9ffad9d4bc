"""The search in the bar: nodes and services whose name has the words."""

from typing import Any

from flask import Blueprint, Response, jsonify, url_for

from nodeward.web import backends
from nodeward.web.backends import items
from nodeward.web.views import given

blueprint = Blueprint("search", __name__)

MOST = 12


@blueprint.get("/search")
def show() -> Response:
    """What was found: nodes first."""
    words = given("q").get("q", "")
    if not words:
        return jsonify(items=[])
    found: list[dict[str, Any]] = []
    for kind in ("node", "service"):
        rows = items(backends.monitor().get("/api/v1/states", {"q": words, "kind": kind, "sort": "node", "limit": 200}))
        found += sorted(rows, key=lambda row: words.lower() not in (row["service"] or row["node"]).lower())[: MOST // 2]
    return jsonify(items=[_entry(row) for row in found])


def _entry(row: dict[str, Any]) -> dict[str, Any]:
    if row["service"] is None:
        address = row.get("address") or "node"
        return {
            "url": url_for("nodes.one", name=row["node"]),
            "name": row["node"],
            "what": address,
            "state": row["state"],
        }
    url = url_for("services.show", node=row["node"], service=row["service"])
    return {"url": url, "name": row["service"], "what": row["node"], "state": row["state"]}
