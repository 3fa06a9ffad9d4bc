"""Runs the examples of the servers' OpenAPI documents against a whole appliance, and says where an answer has another shape.

As a program it writes the answers into the rooms' `examples.json` anew: `script/openapi-examples`.
"""

import importlib.resources
import json
import re
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import urllib3

from nodeward.core import clock
from nodeward.core.client import Client
from nodeward.core.openapi import ROOMS, examples, operations
from nodeward.core.tickets import SECOND, Signer, Ticket
from support.appliance import SLEEPER, Supervisord, write_image
from support.appliance_in_view import PASSWORD, ROLES, ApplianceInView
from support.ports import free_port
from support.until import until

Doc = dict[str, Any]
FLEET = """
- {kind: contact, name: on-call, email: on-call@example.org}
- {kind: node, name: web-9, address: 192.0.2.9, groups: [web]}
- {kind: node, name: web-8, address: 192.0.2.8}
- {kind: runbook, name: look, steps: [{run: [uptime]}]}
- {kind: group, name: spare, description: taken away by an example}
"""
# These take many steps and other programs; their rooms' own tests and how-to pages walk through them.
CONVERSATIONS = ("/api/v1/rollouts", "/api/v1/runs", "/api/v1/files", "/api/v1/backup", "/api/v1/whole")
LONGEST_TEXT, MOST_ITEMS = 400, 2


class World:
    """An appliance with something in it to ask for."""

    def __init__(self, directory: Path, free_port: Callable[[], int]) -> None:
        self.var = directory / "var"
        self.var.mkdir()
        write_image(directory / "home", "test", {"sleeper": SLEEPER}, ["sleeper"])
        self.supervisord = Supervisord(directory / "home", "test", self.var)
        self.appliance = ApplianceInView(self.var, free_port, "eventlet")
        self.secrets: set[str] = set()  # what else must not be seen by strangers

    def __enter__(self) -> "World":
        self.supervisord.__enter__()
        try:
            self.appliance.__enter__()
            self.appliance.apply(FLEET)
            (self.var / "log" / "sleeper.log").write_text("asleep\n")
            self.admin = self.secret("cli")
            self.service = self.secret("monitor")
            until(lambda: self.ask("logserver", "GET", "/api/v1/logs?limit=5", self.admin).json()["items"])
            self.supervisord.until_state("sleeper", "RUNNING")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.appliance.stop()
        self.supervisord.__exit__()

    def secret(self, role: str) -> str:
        """Return a role's token."""
        return (self.var / "secrets" / role / "token").read_text().strip()

    def token(self, name: str, role: str, node: str | None = None) -> str:
        """Make a token."""
        body = {"name": name, "role": role, **({"node": node} if node else {})}
        made: str = self.appliance.config.post("/api/v1/tokens", body)["token"]
        return made

    def document(self, role: str) -> Doc:
        """Return a server's OpenAPI document."""
        found: Doc = self.ask(role, "GET", "/api/v1/openapi.json", "").json()
        return found

    def ask(self, role: str, method: str, path: str, token: str, body: bytes | None = None, kind: str = "") -> Any:
        """Send a request."""
        headers = {
            **({"Authorization": f"Bearer {token}"} if token else {}),
            **({"Content-Type": kind} if kind else {}),
        }
        url = self.appliance.address(role) + path
        return urllib3.request(method, url, body=body, headers=headers, retries=False, timeout=60, redirect=False)

    def shown(self, role: str, token: str, method: str, path: str) -> str:
        """Return what whoever has a token shows to a server: the token, or at the node server a ticket for that call."""
        if role != "nodeserver" or not token:
            return token
        may = "GET" if method == "GET" else f"{method} {path.partition('?')[0]}"
        if token == self.service:  # the config server gives nobody else a ticket of its own
            return self.signed(name="configserver", role="service", may=may)
        made: str = Client(self.appliance.address("configserver"), token).post(
            "/api/v1/tickets", {"node": "local", "may": may}
        )["ticket"]
        return made

    def signed(self, **given: Any) -> str:
        """Return a ticket as the config server would sign it: an administrator's, to look at node `local`, unless it is said."""
        now = clock.now()
        said = {
            "id": "x",
            "name": "ada",
            "role": "admin",
            "at": "local",
            "may": "GET",
            "issued": now,
            "until": now + 300 * SECOND,
        }
        key = (self.var / "secrets" / "configserver" / "ticket-key").read_text()
        return Signer(key).sign(Ticket.model_validate({**said, **given}))

    def local(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the node `local` as the administrator; return the JSON answer."""
        data = None if body is None else json.dumps(body).encode()
        shown = self.shown("nodeserver", self.admin, method, path)
        return self.ask("nodeserver", method, path, shown, data, "application/json" if data else "").json()

    def run(self, role: str, call: str, example: Doc, needs: list[str]) -> Any:
        """Send an example's request, with what only this world knows (ids, keys) in place of what the example shows."""
        method, _, path = call.partition(" ")
        given = {**example, **SPECIAL[call](self, role, example)} if call in SPECIAL else example
        for name, value in given.get("path", {}).items():
            path = path.replace(f"{{{name}}}", urllib.parse.quote(str(value), safe=""))
        query = urllib.parse.urlencode(given.get("query", {}), doseq=True)
        body = given.get("body")
        data = None if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        kind = example.get("type", "application/json") if data is not None else ""
        shown = self.shown(role, self._fitting(given, needs), method, path)
        return self.ask(role, method, f"{path}{'?' + query if query else ''}", shown, data, kind)

    def _fitting(self, given: Doc, needs: list[str]) -> str:
        if not needs:
            return ""
        if "token" in given:
            return str(given["token"])
        return self.admin if {"viewer", "operator", "admin"} & set(needs) else self.service


def _newest(world: World, path: str, wanted: Callable[[Doc], bool], role: str = "configserver") -> Any:
    items = world.ask(role, "GET", path, world.admin).json()["items"]
    return next(item["id"] for item in items if wanted(item))


def _some_token(world: World, _role: str, example: Doc) -> Doc:
    identifier = world.token("backup-job", "viewer").split("_")[1]
    return {"path": {**example["path"], "id": identifier}}


def _some_record(world: World, role: str, example: Doc) -> Doc:
    return {"path": {"id": _newest(world, "/api/v1/logs?limit=1", lambda _: True, role)}}


def _some_downtime(world: World, role: str, example: Doc) -> Doc:
    body = json.dumps({"node": "local", "to": "5m"}).encode()
    world.ask(role, "POST", "/api/v1/downtimes", world.admin, body, "application/json")
    return {"path": {"id": _newest(world, "/api/v1/downtimes", lambda _: True, role)}}


def _problem(world: World, _role: str, _example: Doc) -> Doc:
    world.appliance.turn("CRITICAL", "dark")
    until(lambda: world.appliance.state() == "CRITICAL")
    return {}


def _acknowledged(world: World, role: str, example: Doc) -> Doc:
    _problem(world, role, example)
    body = json.dumps({"node": "local", "service": "lamp"}).encode()
    world.ask(role, "POST", "/api/v1/acknowledgements", world.admin, body, "application/json")
    return {}


def _now(world: World, role: str, example: Doc) -> Doc:
    now = time.time_ns() // 1000
    results = [{**result, "started": now} for result in example["body"]["results"]]
    return {"body": {**example["body"], "sent": now, "results": results}}


# What an example cannot know beforehand.
SPECIAL: dict[str, Callable[[World, str, Doc], Doc]] = {
    "POST /api/v1/enrol": lambda world, _, example: {
        "body": {**example["body"], "key": (world.var / "secrets/node/enrol").read_text()}
    },
    "POST /api/v1/login": lambda _world, _, example: {"body": {**example["body"], "password": PASSWORD}},
    "POST /api/v1/tokens/rotate": lambda world, _, _example: {"token": world.token("backup-job", "viewer")},
    "POST /api/v1/tokens/{id}/rotate": _some_token,
    "DELETE /api/v1/tokens/{id}": _some_token,
    "GET /api/v1/logs/{id}": _some_record,
    "GET /api/v1/logs/{id}/context": _some_record,
    "DELETE /api/v1/downtimes/{id}": _some_downtime,
    "POST /api/v1/acknowledgements": _problem,
    "DELETE /api/v1/acknowledgements": _acknowledged,
    "POST /api/v1/results": _now,
}


def calls(world: World, role: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each call of a server, and who may make it."""
    for path, method, operation in operations(world.document(role)):
        yield f"{method} {path}", operation["x-needs"]


def content(answer: Any) -> Any:
    """Return what an answer says: a value, or text."""
    kind = answer.headers.get("Content-Type", "")
    return answer.json() if "json" in kind and "ndjson" not in kind else answer.data.decode()


def differences(shown: Any, got: Any, path: str = "") -> list[str]:
    """Return where what came has another shape than what is shown. More keys are welcome; null stands for anything."""
    if shown is None or got is None:
        return []
    if isinstance(shown, dict) and isinstance(got, dict):
        lacking = [f"{path}.{key} is not there" for key in shown if key not in got]
        return lacking + [
            each for key in shown if key in got for each in differences(shown[key], got[key], f"{path}.{key}")
        ]
    if isinstance(shown, list) and isinstance(got, list):
        return differences(shown[0], got[0], f"{path}[0]") if shown and got else []
    numbers = isinstance(shown, int | float) and isinstance(got, int | float)
    return (
        [] if numbers or type(shown) is type(got) else [f"{path} is {type(got).__name__}, not {type(shown).__name__}"]
    )


def tidy(value: Any, var: str) -> Any:
    """Return an answer as a page can show it: nobody's secrets, a list's first items, no more text than one reads."""
    if isinstance(value, dict):
        return {key: tidy(each, var) for key, each in value.items()}
    if isinstance(value, list):
        return [tidy(each, var) for each in value[:MOST_ITEMS]]
    if not isinstance(value, str):
        return value
    text = re.sub(r"nw_([0-9a-f]{12})_[\w-]{43}", r"nw_\1_…", value.replace(var, "/var/lib/nodeward"))
    text = re.sub(r"nwt\.([0-9a-f]{12})\.[\w.-]+", r"nwt.\1.…", text)
    text = re.sub(r"\b[0-9a-f]{64}\b", "…", text)
    text = re.sub(r"http://127\.0\.0\.1:\d+", "http://127.0.0.1:7400", text)
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def room_of(role: str, call: str) -> str:
    """Return the room whose file has the example of a call."""
    for room in (*ROOMS, role):
        if call in json.loads(_file(room).read_text()):
            return room
    return role


def _file(room: str) -> Path:
    return Path(str(importlib.resources.files(f"nodeward.{room}"))) / "examples.json"


def write() -> int:
    """Run every example and write what came into its file. Return the exit code."""

    with tempfile.TemporaryDirectory() as directory, World(Path(directory), free_port) as world:
        for role in ROLES:
            for call, needs in calls(world, role):
                example = examples(role).get(call)
                if example is None:
                    print(f"{role}: {call} has no example", file=sys.stderr)
                    continue
                answer = world.run(role, call, example, needs)
                if answer.status >= 400:
                    print(f"{role}: {call}: {answer.status} {answer.data.decode()}", file=sys.stderr)
                    continue
                _keep(room_of(role, call), call, answer, example, str(world.var))
    return 0


def _keep(room: str, call: str, answer: Any, example: Doc, var: str) -> None:
    path = _file(room)
    known = json.loads(path.read_text())
    kind = answer.headers.get("Content-Type", "application/json").partition(";")[0]
    shown = tidy(content(answer), var)
    only = example.get("only")
    shown = {key: shown[key] for key in only} if only else shown
    known[call] = {**example, "status": answer.status, "answer_type": kind, "answer": shown}
    path.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")
