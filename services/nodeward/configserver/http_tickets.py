"""Routes of the tickets: what node servers are shown, and the keys with which they verify it."""

from flask import Response, jsonify, request
from flask_openapi3 import OpenAPI

from nodeward.configserver import forms
from nodeward.configserver.answers import document, tagged
from nodeward.configserver.parts import Parts
from nodeward.configserver.tickets import checked_may
from nodeward.core import clock
from nodeward.core.auth import NODE, VIEWER
from nodeward.core.http import SECURITY, needs, principal
from nodeward.core.tickets import SECOND


def mount(app: OpenAPI, parts: Parts) -> None:
    """Add the routes."""

    @app.post("/api/v1/tickets", summary="A ticket for a node's server, which takes no token", security=SECURITY)
    @needs(VIEWER, NODE)
    def make(body: forms.Wanted) -> tuple[Response, int]:
        text, ticket = parts.tickets.issue(principal(), body.node, checked_may(body.may), request.remote_addr)
        seconds = (ticket.until - ticket.issued) / SECOND
        return jsonify(ticket=text, node=body.node, until=clock.rfc3339(ticket.until), seconds=seconds), 201

    @app.get("/api/v1/ticket-keys", summary="The public keys that sign tickets", security=SECURITY)
    @needs(VIEWER, NODE)
    def keys() -> Response:
        return tagged(*document({"keys": parts.tickets.keys()}))
