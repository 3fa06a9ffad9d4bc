"""The node server's HTTP face: server information, the schedule, a check run now, a ping to a peer, supervisor's programs."""

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

from flask import Response, jsonify
from flask_openapi3 import OpenAPI
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from pydantic import BaseModel, Field

from nodeward.core import clock
from nodeward.core.auth import ADMIN, NODE, OPERATOR, VIEWER
from nodeward.core.http import SECURITY, Door, Query, create, needs, no_body, principal
from nodeward.core.refusals import Refusals
from nodeward.core.states import node_state, service_state
from nodeward.nodeserver import http_bundle, info
from nodeward.nodeserver.node import Node
from nodeward.nodeserver.peers import Peers
from nodeward.nodeserver.rotate import Rotation
from nodeward.nodeserver.runbooks import http as runbooks
from nodeward.nodeserver.runner import Row
from nodeward.nodeserver.schedule import Entry, is_soft
from nodeward.supervise import http as programs

log = logging.getLogger(__name__)

INFO_SECONDS = 1.0
NODE_ITSELF = "-"  # stands in a path for the check without a service: the node's own state


class CheckPath(BaseModel):
    """Which check."""

    service: str = Field(description="The service; '-' for the node's own check.")


class CheckQuery(Query):
    """Whose check."""

    node: str | None = Field(None, description="The target; by default this node.")


class PeerPath(BaseModel):
    """Which peer."""

    name: str = Field(description="The node's name at the config server.")


class PingQuery(Query):
    """How to ask."""

    count: int = Field(3, ge=1, le=10, description="How many echoes.")


def app(node: Node, door: Door, peers: Peers, refusals: Refusals, rotation: Rotation) -> OpenAPI:
    """Return the app of a node server."""
    made = create("nodeserver", "node server", door, node.not_ready, refusals)
    made.extensions["metrics"].register(_Figures(node))
    programs.mount(made, node.settings.var)
    http_bundle.mount(made, node)
    _information(made, node)
    _checks(made, node)
    _peers(made, node, peers)
    runbooks.mount(made, node.runs, node.settings.node, node.settings.copy_bytes)

    @made.post("/api/v1/token/rotate", summary="Let this node take a new credential", security=SECURITY)
    @needs(ADMIN)
    def rotate() -> Response:
        return jsonify(node=node.settings.node, token=rotation.rotate())

    return made


def _information(made: OpenAPI, node: Node) -> None:
    remembered = _Remembered(info.everything, INFO_SECONDS)

    @made.get("/api/v1/info", summary="Server information", security=SECURITY)
    @needs(VIEWER)
    def read_info() -> Response:
        return jsonify(node=node.settings.node, nodeserver=standing(node), **remembered.get())


def _checks(made: OpenAPI, node: Node) -> None:
    @made.get("/api/v1/checks", summary="The schedule", security=SECURITY)
    @needs(VIEWER)
    def list_checks() -> Response:
        now, wall = time.monotonic(), clock.now()
        rows = [entry_row(entry, now, wall) for entry in node.schedule.entries()]
        return jsonify(items=rows, next=None, nodeserver=standing(node))

    @made.post(
        "/api/v1/checks/<path:service>/run",
        summary="Run a check now",
        description="The answer is its result, which counts like any other. There is no body.",
        security=SECURITY,
    )
    @needs(OPERATOR)
    def run_check(path: CheckPath, query: CheckQuery) -> Response:
        no_body()
        target = query.node or node.settings.node
        service = None if path.service == NODE_ITSELF else path.service
        log.info("%s asks to run check '%s' of node '%s' now", principal().name, path.service, target)
        return jsonify(result_row(node.runner.run_now((target, service))))


def _peers(made: OpenAPI, node: Node, peers: Peers) -> None:
    @made.get("/api/v1/peers/hello", summary="Who is this, and who asks?", security=SECURITY)
    @needs(OPERATOR, NODE)
    def hello() -> Response:
        return jsonify(node=node.settings.node, caller=principal().node)

    @made.get("/api/v1/peers/<name>/ping", summary="Can this node reach that one?", security=SECURITY)
    @needs(OPERATOR, NODE)
    def ping_peer(path: PeerPath, query: PingQuery) -> Response:
        return jsonify(peers.ping(path.name, query.count))


def standing(node: Node) -> dict[str, Any]:
    """Return how the node server itself is doing."""
    own, counts, spool = node.standing(), node.runner.counts, node.spool.figures
    return {
        "revision": own.revision, "checks": own.checks, "uptime": round(own.uptime), "faults": own.faults,
        "executed": {"builtin": counts.builtin, "external": counts.external},
        "timed_out": counts.timed_out, "late": counts.late, "running": node.runner.plugins.running,
        "hanging": node.runner.pool.hanging, "workers_lost": node.runner.plugins.lost_workers,
        "spool": {"pending": spool.pending, "bytes": spool.size, "dropped": spool.dropped, "damaged": spool.damaged},
    }  # fmt: skip


def entry_row(entry: Entry, now: float, wall: int) -> dict[str, Any]:
    """Return a line of the schedule; times as RFC 3339."""
    check, progress = entry.check, entry.progress
    return {
        "node": check.node, "service": check.service, "plugin": check.plugin, "command": check.command,
        "args": check.args, "interval": check.interval, "retry": check.retry, "attempts": check.attempts,
        "timeout": check.timeout, "running": entry.running, "attempt": progress.attempt,
        "state": state_of(check.service, progress.code), "soft": is_soft(check, progress),
        "last_check": None if progress.last is None else clock.rfc3339(progress.last),
        "next_check": None if entry.due is None else clock.rfc3339(wall + int((entry.due - now) * 1e6)),
    }  # fmt: skip


def result_row(result: Row) -> dict[str, Any]:
    """Return a result for people: the state's word, times as RFC 3339."""
    moments = {name: clock.rfc3339(result[name]) for name in ("started", "next_check")}
    return {**result, **moments, "state": state_of(result["service"], result["code"])}


def state_of(service: str | None, code: int | None) -> str:
    """Return the word for a code."""
    if code is None:
        return "PENDING"
    return service_state(code) if service is not None else node_state(code)


class _Remembered:
    """What is costly to find out, kept for a moment."""

    def __init__(self, find: Callable[[], dict[str, Any]], seconds: float) -> None:
        self._find, self._seconds = find, seconds
        self._found: tuple[float, dict[str, Any]] | None = None

    def get(self) -> dict[str, Any]:
        found = self._found
        if found is None or time.monotonic() > found[0] + self._seconds:
            found = self._found = (time.monotonic(), self._find())
        return found[1]


class _Figures:
    """The node server's own figures for Prometheus, read when they are asked for."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def collect(self) -> Iterator[Metric]:
        """Yield each figure with its sentence."""
        runner, spool, reporter = self._node.runner, self._node.spool.figures, self._node.reporter
        counts = runner.counts
        executed = CounterMetricFamily("nodeward_checks_executed", "Checks run", labels=["kind"])
        executed.add_metric(["builtin"], counts.builtin)
        executed.add_metric(["external"], counts.external)
        yield executed
        for name, text, value in (
            ("checks_late", "Checks that began more than 5 s after they were due", counts.late),
            ("checks_timed_out", "External plugins ended for want of time", counts.timed_out),
            ("checks_latency_seconds", "Time between due and begun, summed", counts.latency),
            ("plugin_workers_lost", "Worker processes that ended unexpectedly or hung", runner.plugins.lost_workers),
            ("results_dropped", "Results given up because the spool was full", spool.dropped + reporter.overflowed),
            ("results_refused", "Results that the monitor would not take", reporter.refused),
        ):
            yield CounterMetricFamily(f"nodeward_{name}", text, value=value)
        for name, text, value in (
            ("checks", "Checks in the schedule", len(self._node.schedule.entries())),
            ("plugins_running", "External plugins at work", runner.plugins.running),
            ("plugins_waiting", "External plugins that wait for a place", runner.plugins.waiting),
            ("checks_hanging", "Threads given up because their check does not return", runner.pool.hanging),
            ("results_spooled", "Results that the monitor has not yet", spool.pending),
            ("runs_under_way", "Runs of runbooks under way", self._node.runs.running),
            ("revision", "The configuration revision in force", self._node.reporter.revision or 0),
        ):
            yield GaugeMetricFamily(f"nodeward_{name}", text, value=value)
