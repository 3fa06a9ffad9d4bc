"""Routes of people and tokens."""

import logging
from typing import Any

from flask import Response, g, jsonify, request
from flask_openapi3 import OpenAPI

from nodeward.configserver import forms
from nodeward.configserver.parts import Parts, note
from nodeward.core import clock
from nodeward.core.auth import ADMIN, NODE, SERVICE, VIEWER, Credential
from nodeward.core.errors import BadInput, NotAllowed, NotAuthenticated, Problem, TooMany
from nodeward.core.http import SECURITY, needs, principal

log = logging.getLogger(__name__)


def mount(app: OpenAPI, parts: Parts) -> None:
    """Add the routes."""

    @app.post("/api/v1/login", summary="Does this password belong to this user?", security=SECURITY)
    @needs(SERVICE)
    def login(body: forms.Login) -> Response:
        address = body.address or request.remote_addr or ""
        g.who, g.address = body.name, address  # for the audit list, should this be refused
        try:
            account = parts.people.log_in(body.name, body.password, address)
        except (NotAuthenticated, TooMany) as error:
            log.warning("'%s' at %s was not let in: %s", body.name, address, error)
            raise
        note(parts, "login", f"user {body.name}", who=body.name)
        return jsonify(account)

    @app.get("/api/v1/users/<name>", summary="What a user may do, and a mark of the password", security=SECURITY)
    @needs(SERVICE)
    def account(path: forms.NodePath) -> Response:
        return jsonify(parts.people.account(path.name))

    @app.put("/api/v1/users/<name>/password", summary="Give a user a password", security=SECURITY)
    @needs(ADMIN)
    def set_password(path: forms.NodePath, body: forms.Password) -> Response:
        parts.people.set_password(path.name, body.password)
        note(parts, "password", f"user {path.name}")
        return jsonify(name=path.name)

    @app.get("/api/v1/tokens", summary="The tokens, without their secrets", security=SECURITY)
    @needs(ADMIN)
    def list_tokens() -> Response:
        return jsonify(items=[_row(each) for each in parts.credentials.all()], next=None)

    @app.post("/api/v1/tokens", summary="Make a token; the answer is the only place that shows it", security=SECURITY)
    @needs(ADMIN)
    def make_token(body: forms.NewToken) -> tuple[Response, int]:
        _belongs_to_a_node(parts, body)
        expires = forms.expiry(body.expires, parts.now()) if body.expires else None
        token = parts.credentials.make(body.name, body.role, body.node, expires)
        note(parts, "create", f"token {body.name} ({body.role})")
        return jsonify(token=token, name=body.name, role=body.role, node=body.node), 201

    @app.post(
        "/api/v1/tokens/rotate", summary="A new token in place of the one that asks; that ends with its first use",
        security=SECURITY,
    )  # fmt: skip
    @needs(VIEWER, NODE)
    def rotate_own() -> tuple[Response, int]:
        asker = principal()
        if asker.via or asker.role == SERVICE:
            raise NotAllowed(
                "The tokens of the appliance's own servers are the config server's: it makes them when it starts."
            )
        return _rotated(str(asker.token))

    @app.post("/api/v1/tokens/<id>/rotate", summary="A new token in place of another", security=SECURITY)
    @needs(ADMIN)
    def rotate_token(path: forms.TokenPath) -> tuple[Response, int]:
        return _rotated(path.id)

    def _rotated(identifier: str) -> tuple[Response, int]:
        made, token = parts.credentials.rotate(identifier)
        note(parts, "rotate", f"token {made.name} ({identifier} → {made.id})")
        return jsonify(token=token, **_row(made)), 201

    @app.delete("/api/v1/tokens/<id>", summary="Revoke a token", security=SECURITY)
    @needs(ADMIN)
    def revoke_token(path: forms.TokenPath) -> Response:
        revoked = parts.credentials.revoke(path.id)
        note(parts, "revoke", f"token {revoked.name} ({path.id})")
        return jsonify(_row(revoked))


def _belongs_to_a_node(parts: Parts, body: forms.NewToken) -> None:
    if body.role != NODE and body.node is not None:
        raise BadInput("The token is not valid.", [Problem("node", "only a token of role node speaks for a node")])
    if body.role == NODE and (body.node is None or body.node not in parts.registry.snapshot.fleet.facts):
        raise BadInput(
            "The token is not valid.", [Problem("node", "a token of role node needs the name of a node that is there")]
        )


def _row(credential: Credential) -> dict[str, Any]:
    times = {
        key: None if value is None else clock.rfc3339(value)
        for key, value in (
            ("created", credential.created),
            ("expires", credential.expires),
            ("revoked", credential.revoked),
        )
    }
    return {"id": credential.id, "name": credential.name, "role": credential.role, "node": credential.node, **times}
