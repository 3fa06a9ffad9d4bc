"""The config server's HTTP face: puts the routes together. Their rooms: `http_objects`, `http_nodes`,
`http_people`, `http_delivery`, `http_rollouts`, `http_tickets`."""

from flask import Response, g, jsonify
from flask_openapi3 import OpenAPI

from nodeward.configserver import (
    http_delivery,
    http_nodes,
    http_objects,
    http_people,
    http_rollouts,
    http_tickets,
)
from nodeward.configserver.forms import NumberedPage, Refusal
from nodeward.configserver.parts import Parts
from nodeward.core import clock, http
from nodeward.core.auth import NODE, OPERATOR, SERVICE, Principal
from nodeward.core.errors import NotAuthenticated
from nodeward.core.http import SECURITY, needs, principal
from nodeward.core.refusals import Refusals, Refused
from nodeward.supervise.http import mount as mount_programs


def create(parts: Parts, refusals: Refusals) -> OpenAPI:
    """Return the config server's app."""
    shelf = parts.registry.shelf
    app = http.create(
        "configserver", "config server", _door(parts), lambda: list(filter(None, [shelf.trouble()])), refusals
    )
    app.before_request(lambda: parts.credentials.proven(g.principal.token) if "principal" in g else None)
    http_objects.mount(app, parts)
    http_nodes.mount(app, parts)
    http_people.mount(app, parts)
    http_delivery.mount(app, parts)
    http_rollouts.mount(app, parts)
    http_tickets.mount(app, parts)
    mount_programs(app, parts.var)

    @app.get("/api/v1/audit", summary="Who did what, newest first", security=SECURITY)
    @needs(OPERATOR)
    def audit(query: NumberedPage) -> Response:
        deeds = parts.registry.shelf.deeds(query.cursor, query.limit)
        rows = [
            {
                "id": deed.id,
                "time": clock.rfc3339(deed.at),
                "who": deed.who,
                "via": deed.via,
                "address": deed.address,
                "action": deed.action,
                "what": deed.what,
            }
            for deed in deeds
        ]
        return jsonify(items=rows, next=deeds[-1].id if len(deeds) == query.limit else None)

    @app.post("/api/v1/refusals", summary="Whom another server refused", security=SECURITY)
    @needs(SERVICE, NODE)
    def refused(body: Refusal) -> Response:
        refusals.hear(Refused(body.who, body.address, body.what, via=principal().name))
        return jsonify(noted=True)

    return app


def _door(parts: Parts) -> http.Door:
    """Return the door that tokens open; of a node's that has ended it is remembered that it was shown."""
    tokens = http.tokens_of(parts.credentials)

    def admit() -> Principal:
        try:
            return tokens()
        except NotAuthenticated as error:
            parts.credentials.refused(error.token)
            raise

    return admit
