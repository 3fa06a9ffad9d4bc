"""Routes of delivery: which node has what, releasing a bundle to a node, and reaching the nodes' own servers for a rollout."""

from typing import Any

from flask import Response, jsonify
from flask_openapi3 import OpenAPI

from nodeward.configserver import forms
from nodeward.configserver.answers import tagged
from nodeward.configserver.credentials import NO_WAY_YET, WayIn, advice
from nodeward.configserver.parts import Parts, note
from nodeward.core.auth import OPERATOR, VIEWER
from nodeward.core.http import SECURITY, needs
from nodeward.core.placing import Anew, Placing, Quiet


def mount(app: OpenAPI, parts: Parts) -> None:
    """Add the routes."""
    _standing(app, parts)
    _reaching(app, parts)


def _standing(app: OpenAPI, parts: Parts) -> None:
    @app.get("/api/v1/delivery", summary="Which revision each node has, and is handed", security=SECURITY)
    @needs(VIEWER)
    def delivery(query: forms.Page) -> Response:
        facts = parts.registry.snapshot.fleet.facts
        names = [name for name in sorted(facts) if facts[name]["agent"] and (not query.cursor or name > query.cursor)]
        shown = names[: query.limit]
        ways = parts.credentials.ways_in()
        rows = [_row(parts, name, ways.get(name, NO_WAY_YET)) for name in shown]
        return jsonify(items=rows, next=shown[-1] if len(names) > len(shown) else None)

    @app.get("/api/v1/nodes/<name>/delivery", summary="Which revision a node has, and is handed", security=SECURITY)
    @needs(VIEWER)
    def standing_of(path: forms.NodePath) -> Response:
        parts.nodes.must_have_server(path.name)
        return jsonify(_row(parts, path.name, parts.credentials.way_in(path.name)))

    @app.get("/api/v1/nodes/<name>/handed", summary="The bundle that a node is to have now", security=SECURITY)
    @needs(OPERATOR)
    def handed(path: forms.NodePath) -> Response:
        return tagged(*parts.delivery.handed(path.name))

    @app.put("/api/v1/nodes/<name>/release", summary="Let a node be handed a bundle", security=SECURITY)
    @needs(OPERATOR)
    def release(path: forms.NodePath, body: forms.Released) -> Response:
        parts.bundles.get(path.name)
        given = {"revision": body.revision, "files": body.files}
        parts.delivery.release(path.name, given, body.refused, body.why)
        back = f", instead of one that was rolled back: {body.why}" if body.refused else ""
        note(parts, "release", f"revision {body.revision} to node {path.name}{back}")
        return jsonify(parts.delivery.row(path.name))


def _row(parts: Parts, name: str, way: WayIn) -> dict[str, Any]:
    """Return what a node has and is handed, and what is to be done so that it gets in, if anything is."""
    return {**parts.delivery.row(name), "credential": advice(name, way, parts.now())}


def _reaching(app: OpenAPI, parts: Parts) -> None:
    @app.get("/api/v1/nodes/<name>/placed", summary="What lies on a node's disk", security=SECURITY)
    @needs(OPERATOR)
    def placed(path: forms.NodePath) -> Response:
        return jsonify(parts.nodes.look(path.name))

    @app.put("/api/v1/nodes/<name>/placed", summary="Put files in place on a node", security=SECURITY)
    @needs(OPERATOR)
    def place(path: forms.NodePath, body: Placing) -> Response:
        answer = parts.nodes.put(path.name, body.files, body.check)
        if answer["changed"] and not body.check:
            note(parts, "place", f"{', '.join(answer['changed'])} on node {path.name}")
        return jsonify(answer)

    @app.put(
        "/api/v1/nodes/<name>/drain",
        summary="Let a node take no new runs, since its node server is about to be started anew",
        description="It lasts while it is said again, and for some minutes at most. Where nothing would end the runs, nothing "
        "is done: `ends_runs` is false.",
        security=SECURITY,
    )
    @needs(OPERATOR)
    def drain(path: forms.NodePath, body: Quiet) -> Response:
        return jsonify(parts.nodes.drain(path.name, body.model_dump()))

    @app.delete("/api/v1/nodes/<name>/drain", summary="Let a node take new runs again", security=SECURITY)
    @needs(OPERATOR)
    def lift(path: forms.NodePath) -> Response:
        return jsonify(parts.nodes.lift(path.name))

    @app.post("/api/v1/nodes/<name>/programs", summary="Start anew what its files changed for", security=SECURITY)
    @needs(OPERATOR)
    def node_programs(path: forms.NodePath, body: Anew) -> Response:
        answer = parts.nodes.programs(path.name, body.reload, body.check)
        if answer["restarted"] and not body.check:
            note(parts, "restart", f"{', '.join(answer['restarted'])} on node {path.name}")
        return jsonify(answer)

    @app.get("/api/v1/nodes/<name>/metrics", summary="A node server's figures for Prometheus", security=SECURITY)
    @needs(VIEWER)
    def node_metrics(path: forms.NodePath) -> Response:
        return Response(parts.nodes.metrics(path.name), content_type="text/plain; version=0.0.4")

    @app.get("/api/v1/nodes/<name>/health", summary="Is a node well?", security=SECURITY)
    @needs(OPERATOR)
    def health(path: forms.NodePath, query: forms.HealthQuery) -> Response:
        return jsonify(parts.nodes.health(path.name, query.revision, query.heard_after, query.own))
