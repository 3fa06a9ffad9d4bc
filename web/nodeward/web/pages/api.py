"""What each server answers to programs: its own description, shown here because browsers may not reach the server itself."""

from typing import Any

from flask import Blueprint, Response, abort, jsonify, url_for

from nodeward.core import openapi
from nodeward.core.client import Client
from nodeward.core.errors import NotOurs, Unavailable
from nodeward.web import backends
from nodeward.web.backends import items

blueprint = Blueprint("api", __name__)

TITLES = {
    "configserver": "Config server", "logserver": "Log server", "monitor": "Monitor", "nodeserver": "Node server", "web": "Web",
}  # fmt: skip
DOCUMENT = "/api/v1/openapi.json"


@blueprint.get("/api-docs/<role>")
def show(role: str) -> Response:
    """The calls of a server, with an example of each."""
    others = [(title, url_for("api.show", role=name), name == role) for name, title in TITLES.items()]
    return openapi.page(_document(role), TITLES[role], url_for("api.document", role=role), others)


@blueprint.get("/api-docs/<role>/openapi.json")
def document(role: str) -> Response:
    """The same for programs."""
    return jsonify(_document(role))


def _document(role: str) -> dict[str, Any]:
    if role not in TITLES:
        abort(404)
    found: dict[str, Any] = _server(role).get(DOCUMENT)
    if role == "nodeserver":
        _must_be_shown(found)
    return found


def _must_be_shown(document: dict[str, Any]) -> None:
    """Raise NotOurs if no page can be made of what the first of the nodes answered."""
    try:
        _ = list(openapi.calls(document))
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        raise NotOurs("The node that was asked what a node server answers does not describe one.") from None


def _server(role: str) -> Client:
    """Any node server will do: they all answer the same."""
    if role != "nodeserver":
        return backends.backends().server(role)
    nodes = items(backends.config().get("/api/v1/objects/node", {"limit": 100}))
    name = next((node["name"] for node in nodes if node.get("agent", True) and node.get("address")), None)
    if name is None:
        raise Unavailable("No node server is known yet that could say what it answers.")
    return backends.node(name)
