"""A config server over real HTTP whose answers a test sets: for testing one role without the others."""

import hashlib
import json
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify, request

from fakes.serving import Serving
from nodeward.core import clock, tokens
from nodeward.core.tickets import Signer, Ticket, new_id, new_key


class FakeConfig(Serving):
    """Answers `servers`, `credentials`, `monitoring`, `nodes/{name}/bundle`, `runbooks/{name}`, `audit`, `find`, `enrol`,
    `login`, `tickets`, `ticket-keys`.

    `tokens["viewer"]` and so on are valid tokens; `node_token(name)` makes one of a node. What a test changes in
    `servers`, `monitoring` or `bundles` is what the next request gets.
    """

    def __init__(self) -> None:
        self.credentials: list[dict[str, Any]] = []
        self.servers: dict[str, str] = {}
        self.monitoring: dict[str, Any] = {
            "revision": 1, "nodes": [], "services": [], "contacts": [], "periods": [], "routes": [],
        }  # fmt: skip
        self.bundles: dict[str, dict[str, Any]] = {}
        self.nodes: list[dict[str, Any]] = []  # what `find` looks through, by name
        self.runbooks: dict[str, dict[str, Any]] = {}
        self.deeds: list[dict[str, str]] = []  # what the audit list was told
        self.users: dict[str, tuple[str, str]] = {}  # name: (password, role)
        self.enrol_key = "enrolment-key"
        self.enrolled: list[str] = []
        self.refused: list[dict[str, Any]] = []
        self.signer = Signer(new_key())
        self.tokens = {role: self.token(role, role) for role in ("viewer", "operator", "admin", "service")}
        super().__init__(self._app())

    def token(self, name: str, role: str, node: str | None = None, **more: Any) -> str:
        """Make a credential and return its token."""
        token, identifier, digest = tokens.mint()
        self.credentials.append({"id": identifier, "name": name, "role": role, "hash": digest, "node": node, **more})
        return token

    def revoke(self, token: str) -> None:
        """Revoke a token."""
        for each in self.credentials:
            if each["id"] == tokens.identifier(token):
                each["revoked"] = 1

    def node_token(self, node: str) -> str:
        """Make the credential of a node and return its token."""
        return self.token(node, "node", node)

    def ticket(self, token: str, at: str, may: str = "GET") -> str:
        """Return a ticket for a node, for whoever has that token."""
        (who,) = (each for each in self.credentials if each["id"] == tokens.identifier(token))
        now = clock.now()
        made = Ticket(
            id=new_id(), name=who["name"], role=who["role"], node=who["node"], token=who["id"], at=at, may=may, issued=now,
            until=now + 60_000_000,
        )  # fmt: skip
        return self.signer.sign(made)

    def give_token(self, var: Path, role: str, token: str) -> None:
        """Put a token where a role looks for it."""
        path = var / "secrets" / role / "token"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(token)
        path.chmod(0o600)

    def _app(self) -> Flask:
        app = Flask("fake-config")

        @app.get("/api/v1/servers")
        def servers() -> Response:
            return _tagged({"configserver": self.url, **self.servers})

        @app.get("/api/v1/credentials")
        def credentials() -> Response:
            return _tagged(self.credentials)

        @app.get("/api/v1/ticket-keys")
        def ticket_keys() -> Response:
            return _tagged({"keys": [{"id": self.signer.id, "key": self.signer.public}]})

        @app.post("/api/v1/tickets")
        def tickets() -> tuple[Response, int]:
            body = request.get_json()
            token = request.headers["Authorization"].removeprefix("Bearer ")
            return jsonify(ticket=self.ticket(token, body["node"], body["may"]), node=body["node"], seconds=60.0), 201

        @app.post("/api/v1/tokens/rotate")
        def rotate() -> Response:
            asker = tokens.identifier(request.headers["Authorization"].removeprefix("Bearer "))
            (node,) = (each["node"] for each in self.credentials if each["id"] == asker)
            return jsonify(token=self.node_token(node))

        @app.post("/api/v1/refusals")
        def refusals() -> Response:
            self.refused.append(request.get_json())
            return jsonify(noted=True)

        @app.get("/api/v1/monitoring")
        def monitoring() -> Response:
            return _tagged(self.monitoring)

        @app.get("/api/v1/nodes/<name>/bundle")
        def bundle(name: str) -> Response | tuple[Response, int]:
            if name not in self.bundles:
                return _problem(404, f"There is no node '{name}'.")
            return _tagged(self.bundles[name])

        @app.get("/api/v1/find")
        def find() -> Response:
            name = request.args.get("name")
            return jsonify(items=[node for node in self.nodes if name in (None, node["name"])], next=None)

        @app.get("/api/v1/runbooks/<name>")
        def runbook(name: str) -> Response | tuple[Response, int]:
            if name not in self.runbooks:
                return _problem(404, f"There is no runbook '{name}'.")
            return jsonify(runbook=self.runbooks[name], revision=7)

        @app.post("/api/v1/audit")
        def take_deed() -> Response:
            self.deeds.append(request.get_json())
            return jsonify(noted=True)

        @app.post("/api/v1/enrol")
        def enrol() -> Response | tuple[Response, int]:
            body = request.get_json()
            if body["key"] != self.enrol_key:
                return _problem(401, "That enrolment key is not known.")
            self.enrolled.append(body["node"])
            return jsonify(token=self.node_token(body["node"]))

        @app.post("/api/v1/login")
        def login() -> Response | tuple[Response, int]:
            body = request.get_json()
            password, role = self.users.get(body["name"], (None, None))
            if password is None or password != body["password"]:
                return _problem(401, "The name or the password is wrong.")
            return jsonify(name=body["name"], role=role, mark=_mark(password))

        @app.get("/api/v1/users/<name>")
        def account(name: str) -> Response | tuple[Response, int]:
            password, role = self.users.get(name, (None, None))
            if password is None:
                return _problem(404, f"There is no user '{name}' who can log in.")
            return jsonify(name=name, role=role, mark=_mark(password))

        @app.put("/api/v1/users/<name>/password")
        def set_password(name: str) -> Response:
            self.users[name] = (request.get_json()["password"], self.users[name][1])
            return jsonify(name=name)

        return app


def _mark(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()[:16]


def _tagged(value: Any) -> Response:
    body = json.dumps(value)
    etag = hashlib.sha256(body.encode()).hexdigest()[:16]
    answer = Response(body, content_type="application/json")
    answer.set_etag(etag)
    answer.make_conditional(request)
    return answer


def _problem(status: int, detail: str) -> tuple[Response, int]:
    answer = jsonify(type="about:blank", title="", status=status, detail=detail, instance=request.path, errors=[])
    answer.content_type = "application/problem+json"
    return answer, status
