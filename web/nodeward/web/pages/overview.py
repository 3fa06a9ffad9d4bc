"""The overview: what is wrong now, first."""

from typing import Any

from flask import Blueprint, Response, current_app, jsonify

from nodeward.web import backends
from nodeward.web.backends import items
from nodeward.web.faults import Asked
from nodeward.web.fleet import Fleet, causes
from nodeward.web.views import page
from nodeward.web.words import bars, shape

blueprint = Blueprint("overview", __name__)

MOST_CAUSES, MOST_EVENTS = 12, 14
BINS = 60


def fleet() -> Fleet:
    """Return the fleet that this app keeps."""
    found: Fleet = current_app.extensions["fleet"]
    return found


@blueprint.get("/")
def show() -> str:
    """The sentence, the problems by cause, the map, the log rate, what changed lately."""
    summary = Asked(lambda: backends.monitor().get("/api/v1/summary"), {})
    problems = Asked(lambda: fleet().problems(), [])
    events = Asked(lambda: items(backends.monitor().get("/api/v1/events", {"limit": MOST_EVENTS})), [])
    rate = Asked(lambda: bars(_histogram()), {})
    open_problems = [row for row in problems.value if not row.get("handled", row.get("acknowledged"))]
    found = causes(open_problems)
    return page(
        "overview.html",
        summary=summary,
        problems=problems,
        causes=found[:MOST_CAUSES],
        more=len(found) - MOST_CAUSES,
        handled=len(problems.value) - len(open_problems),
        events=events,
        rate=rate,
    )


@blueprint.get("/fleet")
def fleet_map() -> Response:
    """The map, compact: [node, group, shape, problems] of each node."""
    return jsonify(nodes=[[s.node, s.group, shape(s.state), s.problems] for s in fleet().squares()])


def _histogram() -> dict[str, Any]:
    found: dict[str, Any] = backends.logs().get("/api/v1/histogram", {"from": "1h", "bins": BINS}, timeout=5.0)
    return found
