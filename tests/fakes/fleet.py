"""A config server, a monitor and a log server over real HTTP with a fleet of any size: for testing web without the others.

They speak the contract of docs/where-things-are.md; what a test changes through `set_state` reaches whoever waits at once.
"""

import threading
import time
from typing import Any

from flask import Flask, Response, jsonify, request

from fakes.config import FakeConfig
from nodeward.core import clock
from nodeward.core.server import Server
from nodeward.core.states import WORST_FIRST, is_problem

SERVICES = ("load", "memory", "disk-root", "ssh", "clock")
MINUTE = 60_000_000


def rollout(number: int, state: str) -> dict[str, Any]:
    """Return a rollout as the config server has it."""
    nodes = {
        "web-1": {"state": "healthy", "batch": 1, "revision": 2},
        "web-2": {"state": "rolled back", "batch": 2, "detail": "it was <not> well"},
        "web-3": {"state": "current"},
    }
    return {
        "id": number, "action": "rollout", "state": state, "who": "ada", "started": "2026-01-02T03:04:05Z", "ended": None,
        "limit": "", "canary": 1, "revision": 2, "reason": "", "aborted_by": None, "nodes": nodes,
    }  # fmt: skip


def standing(node: str, handed: int, newest: int) -> dict[str, Any]:
    """Return how a node stands, as the config server has it."""
    return {
        "node": node, "delivery": "rollout", "running": handed, "handed": handed, "newest": newest, "error": None,
        "waiting": handed != newest, "drift": False, "refused": None, "heard": "2026-01-02T03:04:05Z",
    }  # fmt: skip


class FleetConfig(FakeConfig):
    """A fake config server that also answers `objects`, `revisions`, `apply`, `audit` and `tokens`."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, dict[str, Any]]] = {"node": {}, "check": {}, "user": {}, "group": {}}
        self.applied: list[str] = []
        self.rollouts: dict[int, dict[str, Any]] = {2: rollout(2, "running"), 1: rollout(1, "failed")}
        self.rollout_events = [
            {"seq": 1, "rollout": 2, "type": "started"},
            {"seq": 2, "rollout": 2, "type": "node", "node": "web-1", "state": "staged", "diff": "@@ -1 +1 @@\n-1\n+2"},
        ]
        self.ordered: list[dict[str, Any]] = []
        self.standing = [standing("web-1", 1, 2), standing("web-2", 2, 2), {**standing("web-3", 2, 2), "drift": True}]
        super().__init__()
        files = {"nodeserver.json": "{\n2\n}", "tailflog.json": "{}"}
        self.bundles["web-1"] = {"node": "web-1", "revision": 2, "files": files}

    def _app(self) -> Flask:
        app = super()._app()

        @app.get("/api/v1/objects/<kind>")
        def objects(kind: str) -> Response:
            after, limit = request.args.get("cursor", ""), request.args.get("limit", 100, int)
            names = sorted(name for name in self.objects.get(kind, {}) if request.args.get("q", "") in name)
            left = [name for name in names if name > after]
            shown = [self.objects[kind][name] for name in left[:limit]]
            return jsonify(items=shown, next=left[limit - 1] if len(left) > limit else None)

        @app.get("/api/v1/rollouts")
        def rollouts() -> Response:
            return jsonify(items=[{**row, "nodes": {"healthy": 1}} for row in self.rollouts.values()], next=None)

        @app.get("/api/v1/rollouts/<int:number>")
        def rollout(number: int) -> Response | tuple[Response, int]:
            found = self.rollouts.get(number)
            return jsonify(found) if found else _problem(404, f"There is no rollout {number}.")

        @app.get("/api/v1/rollouts/<int:number>/events")
        def rollout_events(number: int) -> Response:
            return jsonify(items=self.rollout_events, cursor=len(self.rollout_events), state="running")

        @app.get("/api/v1/rollouts/events")
        def rollouts_events() -> Response:
            after = request.args.get("after", type=int)
            found = [row for row in self.rollout_events if after is not None and row["seq"] > after]
            return jsonify(items=found, cursor=len(self.rollout_events), reset=False)

        @app.get("/api/v1/rollouts/<int:number>/output")
        def rollout_output(number: int) -> Response:
            return jsonify(output="PLAY [Roll out]")

        @app.post("/api/v1/rollouts")
        def start_rollout() -> tuple[Response, int]:
            self.ordered.append(request.get_json())
            return jsonify(id=3), 201

        @app.post("/api/v1/rollouts/<int:number>/abort")
        def abort_rollout(number: int) -> Response:
            self.ordered.append({"abort": number})
            return jsonify(self.rollouts[number])

        @app.get("/api/v1/delivery")
        def delivery() -> Response:
            return jsonify(items=self.standing, next=None)

        @app.get("/api/v1/nodes/<name>/delivery")
        def delivery_of(name: str) -> Response | tuple[Response, int]:
            found = next((row for row in self.standing if row["node"] == name), None)
            return jsonify(found) if found else _problem(404, f"There is no node '{name}'.")

        @app.get("/api/v1/nodes/<name>/handed")
        def handed(name: str) -> Response:
            return jsonify(node=name, revision=1, files={"nodeserver.json": "{\n1\n}", "tailflog.json": "{}"})

        @app.get("/api/v1/objects/<kind>/<name>")
        def one(kind: str, name: str) -> Response | tuple[Response, int]:
            found = self.objects.get(kind, {}).get(name)
            return jsonify(found) if found else _problem(404, f"There is no {kind} '{name}'.")

        @app.put("/api/v1/objects/<kind>/<name>")
        def put(kind: str, name: str) -> Response:
            self.objects[kind][name] = request.get_json()
            return jsonify(revision=2, changes=[])

        @app.get("/api/v1/revisions")
        def revisions() -> Response:
            made = clock.rfc3339(clock.now() - 90 * MINUTE)
            return jsonify(items=[{"revision": 1, "who": "admin", "time": made, "why": "first fleet"}], next=None)

        @app.get("/api/v1/audit")
        def audit() -> Response:
            at = clock.rfc3339(clock.now() - 3 * MINUTE)
            return jsonify(
                items=[{"id": 1, "time": at, "who": "admin", "action": "login", "what": "from 127.0.0.1"}], next=None
            )

        return app


class FakeFleet:
    """The monitor and the log server of a fleet of `nodes` nodes with five services each; all is well at first."""

    def __init__(self, config: FleetConfig, nodes: int = 3) -> None:
        self.config = config
        self.seq, self.event = 0, 0
        self.states: dict[tuple[str, str | None], dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.sources: list[dict[str, Any]] = []
        self.notifications: list[dict[str, Any]] = []
        self.away = False
        self._news, self._over = threading.Condition(), False
        for number in range(nodes):
            self._add(f"web-{number + 1}")
        self._servers = {
            "monitor": Server(self._monitor(), "127.0.0.1", 0, threads=24),
            "logserver": Server(self._logserver(), "127.0.0.1", 0, threads=8),
        }

    def __enter__(self) -> "FakeFleet":
        for role, server in self._servers.items():
            server.start()
            self.config.servers[role] = f"http://127.0.0.1:{server.port}"
        return self

    def __exit__(self, *_: object) -> None:
        with self._news:
            self._over = True
            self._news.notify_all()
        for server in self._servers.values():
            server.stop()

    def set_state(self, node: str, service: str | None, state: str, output: str, **more: Any) -> None:
        """Let a node or service turn to a state, now."""
        with self._news:
            row = self.states[node, service]
            before, now = row["state"], clock.rfc3339(clock.now())
            self.seq += 1
            row.update(state=state, output=output, seq=self.seq, last_check=now, **more)
            if before != state:
                row["since"] = more.get("since", now)
                self._note("state", row, before=before)
            self._news.notify_all()

    def _note(self, what: str, row: dict[str, Any], /, **more: Any) -> None:
        self.event += 1
        event = {"id": self.event, "at": clock.rfc3339(clock.now()), "type": what, "node": row["node"], **more}
        self.events.append({**event, "service": row["service"], "state": row["state"], "output": row["output"],
                            **{name: row[name] for name in ("state_type", "attempt", "attempts")}})  # fmt: skip

    def _add(self, name: str) -> None:
        rack = sum(name.encode()) % 4 + 1
        node = {"kind": "node", "name": name, "address": "127.0.0.1", "groups": ["linux", f"rack-{rack}"], "labels": {}}
        self.config.objects["node"][name] = node
        self._row(name, None, "UP", "reached in 0.4 ms", "rtt=0.0004s;;;0")
        self.states[name, None].update(groups=node["groups"], address="127.0.0.1")
        for service in SERVICES:
            self._row(
                name,
                service,
                "OK",
                f"{service} is fine",
                "load1=0.31;4;8;0 load5=0.22;4;8;0" if service == "load" else "",
            )

    def _row(self, node: str, service: str | None, state: str, output: str, perfdata: str) -> None:
        self.seq += 1
        now = clock.now()
        self.states[node, service] = {
            "seq": self.seq, "node": node, "service": service, "state": state, "state_type": "hard", "attempt": 1,
            "attempts": 3, "since": clock.rfc3339(now - 300 * MINUTE), "last_check": clock.rfc3339(now - 20_000_000),
            "next_check": clock.rfc3339(now + 40_000_000), "output": output, "long_output": "", "perfdata": perfdata,
            "acknowledged": False, "acknowledgement": None, "in_downtime": False, "flapping": False, "stale": False,
        }  # fmt: skip

    def _wait(self, ready: Any) -> None:
        with self._news:
            self._news.wait_for(lambda: self._over or ready(), timeout=float(request.args.get("wait", 0)))

    def _monitor(self) -> Flask:
        app = Flask("fake-monitor")

        @app.before_request
        def _() -> tuple[Response, int] | None:
            return _problem(503, "The monitor is being restarted.") if self.away else None

        @app.get("/api/v1/states")
        def states() -> Response:
            if "after" in request.args:
                after = int(request.args["after"])
                self._wait(lambda: self.seq > after)
                rows = sorted((row for row in self.states.values() if row["seq"] > after), key=lambda row: row["seq"])
                return jsonify(items=rows, seq=self.seq)
            return jsonify(self._page(self._filtered(request.args)))

        @app.get("/api/v1/summary")
        def summary() -> Response:
            return jsonify(self._summary())

        @app.get("/api/v1/events")
        def events() -> Response:
            if "after" in request.args:
                after = int(request.args["after"])
                self._wait(lambda: self.event > after)
                return jsonify(items=[event for event in self.events if event["id"] > after], cursor=str(self.event))
            found = [event for event in reversed(self.events) if _fits(event, request.args)]
            return jsonify(items=found[: int(request.args.get("limit", 100))], cursor=str(self.event), next=None)

        @app.post("/api/v1/acknowledgements")
        def acknowledge() -> Response:
            return jsonify(items=self._mark(acknowledged=True, acknowledgement={"author": "someone", "comment": ""}))

        @app.delete("/api/v1/acknowledgements")
        def unacknowledge() -> Response:
            return jsonify(items=self._mark(acknowledged=False, acknowledgement=None))

        @app.post("/api/v1/downtimes")
        def down() -> Response:
            return jsonify(items=self._mark(in_downtime=True))

        @app.get("/api/v1/downtimes")
        def none() -> Response:
            return jsonify(items=[], next=None)

        @app.get("/api/v1/notifications")
        def notifications() -> Response:
            return jsonify(items=self.notifications, next=None)

        @app.get("/api/v1/perfdata")
        def perfdata() -> Response:
            now = clock.now()
            points = [[now - step * MINUTE, 0.3 + (step * 7919 % 100) / 400] for step in range(180, 0, -1)]
            series = {"label": "load1", "unit": "", "warning": 4, "critical": 8, "points": points}
            return jsonify(series=[series] if request.args.get("service") == "load" else [])

        return app

    def _mark(self, **marks: Any) -> list[dict[str, Any]]:
        targets = [dict(request.args)] if request.method == "DELETE" else request.get_json()
        said = {"items": targets, "for": request.headers.get("Nodeward-User")}
        self.asked.append((f"{request.method} {request.path}", said))
        rows = [self.states[target["node"], target.get("service")] for target in targets]
        with self._news:
            for row in rows:
                self.seq += 1
                row.update(marks, seq=self.seq)
                self._note(
                    "acknowledgement" if "acknowledged" in marks else "downtime", row, author="someone", what="set"
                )
            self._news.notify_all()
        return rows

    def _filtered(self, given: Any) -> list[dict[str, Any]]:
        rows = [row for row in self.states.values() if _fits(row, given)]
        return sorted(rows, key=lambda row: (WORST_FIRST.index(row["state"]), row["node"], row["service"] or ""))

    def _page(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        start, limit = int(request.args.get("cursor") or 0), int(request.args.get("limit", 100))
        following = str(start + limit) if start + limit < len(rows) else None
        return {"items": rows[start : start + limit], "next": following, "seq": self.seq, "total": len(rows)}

    def _summary(self) -> dict[str, Any]:
        counts: dict[str, dict[str, int]] = {"nodes": {"total": 0}, "services": {"total": 0}}
        for (_, service), row in self.states.items():
            part = counts["services" if service else "nodes"]
            part[row["state"]] = part.get(row["state"], 0) + 1
            part["total"] += 1
        bad = [row for row in self.states.values() if is_problem(row["state"]) and not row["acknowledged"]]
        nodes = sum(1 for _, service in self.states if service is None)
        said = f"{len(bad)} problems on {len({row['node'] for row in bad})} of {nodes} nodes."
        return {
            **counts,
            "problems": len(bad),
            "sentence": said if bad else f"All is well on {nodes} nodes.",
            "seq": self.seq,
        }

    def _logserver(self) -> Flask:
        app = Flask("fake-logserver")

        @app.get("/api/v1/histogram")
        def histogram() -> Response:
            now, width = clock.now(), MINUTE
            bins = []
            for step in range(60, 0, -1):
                total, errors = 200 + step * step * 37 % 90, (step * 31 % 11 == 0) * 12
                start = now - step * width
                levels = {"info": total - errors, "error": errors}
                ends = {"from": clock.rfc3339(start), "to": clock.rfc3339(start + width)}
                bins.append({**ends, "total": total, "levels": levels})
            return jsonify(bins=bins, exact=True)

        @app.get("/api/v1/sources")
        def sources() -> Response:
            return jsonify(self.sources)

        return app


def _fits(row: dict[str, Any], given: Any) -> bool:
    if given.get("node") and row["node"] != given["node"]:
        return False
    if given.get("service") and row["service"] != given["service"]:
        return False
    if given.get("kind") and (row["service"] is None) != (given["kind"] == "node"):
        return False
    if given.get("handled") and row["acknowledged"] != (given["handled"] == "true"):
        return False
    if given.get("problems") in ("true", "1") and not is_problem(row["state"]):
        return False
    if given.get("state") and row["state"] not in given["state"].split(","):
        return False
    words = given.get("q", "")
    return not words or words in row["node"] or words in (row["service"] or "")


def _problem(status: int, detail: str) -> tuple[Response, int]:
    answer = jsonify(type="about:blank", title="", status=status, detail=detail, instance=request.path, errors=[])
    answer.content_type = "application/problem+json"
    return answer, status


def wait_until_ready(url: str, seconds: float = 90.0) -> None:
    """Wait until a server answers /healthz."""
    from nodeward.core.client import Client
    from nodeward.core.errors import NodewardError

    deadline = time.monotonic() + seconds
    while True:
        try:
            Client(url).get("/healthz", timeout=1.0)
            return
        except NodewardError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
