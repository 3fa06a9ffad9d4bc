"""Routes of the rollouts: start one, follow it, abort it; and what the one who rolls out tells."""

from typing import Any

from flask import Response, jsonify
from flask_openapi3 import OpenAPI

from nodeward.configserver import forms
from nodeward.configserver.parts import Parts, note
from nodeward.configserver.rollout.records import Row
from nodeward.core.auth import OPERATOR, SERVICE, VIEWER
from nodeward.core.http import SECURITY, needs, principal


def mount(app: OpenAPI, parts: Parts) -> None:
    """Add the routes."""
    _reading(app, parts)
    _doing(app, parts)


def _reading(app: OpenAPI, parts: Parts) -> None:
    found = parts.room.records

    @app.get("/api/v1/rollouts", summary="The rollouts, newest first", security=SECURITY)
    @needs(VIEWER)
    def list_rollouts(query: forms.NumberedPage) -> Response:
        rows = [row for row in found.all() if query.cursor is None or row["id"] < query.cursor]
        shown = rows[: query.limit]
        items = [in_short(row) for row in shown]
        return jsonify(items=items, next=shown[-1]["id"] if len(rows) > len(shown) else None)

    @app.get("/api/v1/rollouts/events", summary="What happens in any rollout", security=SECURITY)
    @needs(VIEWER)
    def rollouts_events(query: forms.EventsQuery) -> Response:
        rows, cursor, reset = found.since(query.after, query.wait)
        return jsonify(items=shown(rows), cursor=cursor, reset=reset)

    @app.get("/api/v1/rollouts/<int:number>", summary="One rollout, with how far each node is", security=SECURITY)
    @needs(VIEWER)
    def rollout(path: forms.NumberPath) -> Response:
        return jsonify(found.get(path.number))

    @app.get("/api/v1/rollouts/<int:number>/events", summary="What happened in a rollout", security=SECURITY)
    @needs(VIEWER)
    def rollout_events(path: forms.NumberPath, query: forms.EventsQuery) -> Response:
        row, after = found.get(path.number), query.after or 0
        items = found.events(path.number, after)
        if not items and row["state"] == "running" and query.wait:
            found.since(max(after, found.since(None, 0)[1]), query.wait)
            items = found.events(path.number, after)
        cursor = items[-1]["seq"] if items else after
        return jsonify(items=shown(items), cursor=cursor, state=found.get(path.number)["state"])

    @app.get("/api/v1/rollouts/<int:number>/output", summary="What Ansible said", security=SECURITY)
    @needs(OPERATOR)
    def rollout_output(path: forms.NumberPath) -> Response:
        return jsonify(output=found.output(path.number))


def _doing(app: OpenAPI, parts: Parts) -> None:
    room = parts.room

    @app.post("/api/v1/rollouts", summary="Start a rollout or a rollback", security=SECURITY)
    @needs(OPERATOR)
    def start_rollout(body: forms.Order) -> tuple[Response, int]:
        asker = principal()
        # A rollback gives each node what it had, which may be of as many revisions as there are nodes.
        revision = parts.registry.snapshot.revision if body.action == "rollout" else None
        if body.by_hand:
            row = room.begin(asker.name, body.action, body.limit, body.canary, revision)
        else:
            role = asker.role if asker.role != SERVICE else OPERATOR
            waiting = {"nodeward_wait_seconds": body.wait, "nodeward_now": body.now}
            row = room.start(asker.name, role, body.action, body.limit, body.canary, revision, waiting)
        note(parts, body.action, f"rollout {row['id']}" + (f", limited to {body.limit}" if body.limit else ""))
        return jsonify(row), 201

    @app.post("/api/v1/rollouts/<int:number>/events", summary="Tell how a rollout goes", security=SECURITY)
    @needs(OPERATOR)
    def tell_rollout(path: forms.NumberPath, body: forms.Told) -> Response:
        row = room.hear(path.number, [each.model_dump(exclude_unset=True) for each in body.events])
        return jsonify(state=row["state"], aborted_by=row["aborted_by"])

    @app.post("/api/v1/rollouts/<int:number>/abort", summary="Let it begin with no other node", security=SECURITY)
    @needs(OPERATOR)
    def abort_rollout(path: forms.NumberPath) -> Response:
        row = room.abort(path.number, principal().name)
        note(parts, "abort", f"rollout {row['id']}")
        return jsonify(row)


def shown(events: list[Row]) -> list[Row]:
    """Return events as the one who asks may see them: what changed in a node's files has the secrets of its checks in it."""
    if principal().reaches((OPERATOR,)):
        return events
    return [{key: value for key, value in event.items() if key != "diff"} for event in events]


def in_short(row: Row) -> dict[str, Any]:
    """Return a rollout for a list: how many nodes are in which state."""
    counts: dict[str, int] = {}
    for each in row["nodes"].values():
        counts[each["state"]] = counts.get(each["state"], 0) + 1
    return {**{key: value for key, value in row.items() if key != "nodes"}, "nodes": counts}
