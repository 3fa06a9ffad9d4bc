"""Runbooks: what there is to run, a form made of the parameters, a run as it happens, and the runs that were."""

import errno
import logging
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, jsonify, request, url_for
from pydantic import Field

from nodeward.core.errors import NodewardError
from nodeward.core.http import Body
from nodeward.web import auth, backends
from nodeward.web.backends import items
from nodeward.web.faults import Asked
from nodeward.web.pages.actions import body, said
from nodeward.web.pages.overview import fleet
from nodeward.web.runs import past
from nodeward.web.views import given, page

blueprint = Blueprint("runbooks", __name__)
log = logging.getLogger(__name__)

Row = dict[str, Any]
MOST = 10_000  # nodes and runbooks to choose from
STATES = ("running", "asking", "succeeded", "failed", "stopped", "interrupted")


class Start(Body):
    """What to run, and where."""

    runbook: str = Field(min_length=1, max_length=63)
    node: str = Field(min_length=1, max_length=63)
    parameters: dict[str, Any] = Field({}, max_length=50)


class One(Body):
    """A run."""

    node: str = Field(min_length=1, max_length=63)
    id: str = Field(min_length=1, max_length=63)


class Reply(One):
    """An answer to what a run asks."""

    ask: str = Field(max_length=200)
    answer: str = Field(max_length=65536)


@blueprint.get("/runbooks")
def show() -> str:
    """The runbooks, and the runs, newest first."""
    books = Asked(lambda: items(backends.config().get("/api/v1/objects/runbook", {"limit": MOST})), [])
    nodes = Asked(_nodes, [])
    asked = given("node", "runbook", "state", "q")
    found = past(asked | given("cursor"), nodes.value, Asked(_down, ()).value)
    return page("runbooks.html", books=books, nodes=nodes, past=found, runs=found.rows, asked=asked, states=STATES)


@blueprint.get("/runbooks/<name>")
def one(name: str) -> str:
    """A runbook: its form, what it does, and its runs."""
    book = backends.config().get(f"/api/v1/objects/runbook/{name}")
    nodes = Asked(_nodes, [])
    found = past({"runbook": name}, nodes.value, Asked(_down, ()).value)
    parameters = {key: about or {} for key, about in (book.get("parameters") or {}).items()}
    steps = [(part, step) for part in ("steps", "always") for step in book.get(part) or []]
    return page(
        "runbook.html", name=name, book=book, parameters=parameters, nodes=nodes, runs=found.rows[:20], past=found,
        given=request.args, steps=steps, title=title,
    )  # fmt: skip


@blueprint.get("/runs/<node>/<run>")
def run(node: str, run: str) -> str:
    """A run: its steps, its terminal, what it asks."""
    row = backends.node(node).get(f"/api/v1/runs/{run}")
    return page("run.html", node=node, run=row)


@blueprint.get("/runs/<node>/<run>/output")
def output(node: str, run: str) -> Response:
    """What a run's journal has after a cursor, for the page's script."""
    answer = backends.node(node).get(f"/api/v1/runs/{run}/output", {"after": request.args.get("after", "0")})
    return jsonify(answer)


@blueprint.get("/runs/<node>/<run>/recording")
def recording(node: str, run: str) -> Response:
    """The recording, to keep."""
    pieces = backends.node(node).pieces(f"/api/v1/runs/{run}/recording")
    first = next(pieces, b"")  # an error here still becomes an answer with a sentence
    name = f'attachment; filename="{run}.cast"'
    return Response(_all(first, pieces), content_type="application/x-asciicast", headers={"Content-Disposition": name})


def _all(first: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    """Pass on what comes, also where it is long: nothing of it is kept here. Where it breaks off, so does what is passed on."""
    yield first
    try:
        yield from others
    except NodewardError as error:
        log.warning("A recording was not passed on whole: %s", error)
        raise ConnectionResetError(errno.ECONNRESET, "The node server broke off.") from None


@blueprint.post("/do/run")
def start() -> Response:
    """Start a run."""
    auth.needs("operator")
    wanted = body(Start)
    sent = {"runbook": wanted.runbook, "parameters": wanted.parameters}
    row = backends.node(wanted.node).post("/api/v1/runs", sent, timeout=30.0)
    return jsonify(message=f"{wanted.runbook} has begun.", url=url_for("runbooks.run", node=wanted.node, run=row["id"]))


@blueprint.post("/do/run/stop")
def stop() -> Response:
    """Stop a run."""
    auth.needs("operator")
    wanted = body(One)
    backends.node(wanted.node).post(f"/api/v1/runs/{wanted.id}/stop", {})
    return said("It is being stopped.")


@blueprint.post("/do/run/answer")
def answer() -> Response:
    """Answer what a run asks."""
    auth.needs("operator")
    wanted = body(Reply)
    sent = {"answer": wanted.answer, "ask": wanted.ask}
    backends.node(wanted.node).post(f"/api/v1/runs/{wanted.id}/answers", sent)
    return said("Answered.")


def title(step: Row) -> str:
    """Return in a few words what a step does."""
    if step.get("name"):
        return str(step["name"])
    if "run" in step:
        return " ".join(map(str, step["run"]))
    if "shell" in step:
        return str(step["shell"]).strip().partition("\n")[0]
    if "ask" in step:
        return str(step["ask"]["question"])
    if "call" in step:
        return f"call {step['call']['runbook']}"
    if "ssh" in step:
        return " ".join(
            ["ssh", step["ssh"].get("node") or step["ssh"].get("host", ""), *step["ssh"].get("command", [])]
        )
    if "copy" in step:
        return f"copy {step['copy']['from']['path']} to {step['copy']['to'].get('node') or 'this node'}"
    return "wait for " + ", ".join(f"{key} {value}" for key, value in step.get("wait_for", {}).items())


@blueprint.app_template_filter("value")
def value(given: Any) -> str:
    """Return a parameter's value as people write it."""
    if isinstance(given, bool):
        return "yes" if given else "no"
    return ", ".join(map(str, given)) if isinstance(given, list) else str(given)


def _nodes() -> list[Row]:
    found = items(backends.config().get("/api/v1/objects/node", {"limit": MOST}))
    return [row for row in found if row.get("agent", True)]


def _down() -> set[str]:
    return {row["node"] for row in fleet().problems() if row["service"] is None}
