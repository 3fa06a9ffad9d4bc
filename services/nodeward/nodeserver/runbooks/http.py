"""Routes of the runs, and of the files that runs copy between nodes."""

from typing import Any

from flask import Response, jsonify, request
from flask_openapi3 import OpenAPI
from pydantic import BaseModel, ConfigDict, Field

from nodeward.core.auth import NODE, OPERATOR, VIEWER
from nodeward.core.errors import NotAllowed
from nodeward.core.http import SECURITY, Body, Query, needs, principal
from nodeward.nodeserver.runbooks import transfer, warrant
from nodeward.nodeserver.runbooks.record import STATES, Record
from nodeward.nodeserver.runbooks.recording import asciicast
from nodeward.nodeserver.runbooks.runs import Asked, Runs


class Caller(Body):
    """The run on another node that calls this one."""

    node: str = Field(max_length=63)
    run: str = Field(max_length=63)
    runbook: str = Field(
        max_length=63, description="The runbook whose step it is; the config server is asked whether it has it."
    )


class NewRun(Body):
    """What to run."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    runbook: str = Field(max_length=63, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", examples=["restart-program"])
    parameters: dict[str, Any] = Field({}, max_length=50, examples=[{"program": "web"}])
    caller: Caller | None = None


class Answer(Body):
    """An answer to what a run asks."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    answer: str = Field(max_length=65536, examples=["yes"])
    ask: str | None = Field(
        None, max_length=200, description="Which question is meant; by default whatever is asked now."
    )


class RunPath(BaseModel):
    """Which run."""

    id: str = Field(max_length=63)


class RunsQuery(Query):
    """Which runs."""

    runbook: str | None = Field(None, max_length=63)
    state: str | None = Field(None, max_length=200, description=f"By commas: {', '.join(STATES)}.")
    by: str | None = Field(None, max_length=200, description="Who started it.")
    q: str | None = Field(None, max_length=200, description="Text that the record or the output holds.")
    cursor: str | None = Field(None, max_length=63)
    limit: int = Field(50, ge=1, le=1000)


class OutputQuery(Query):
    """From where, and how long to wait."""

    after: int = Field(0, ge=0, le=2**53, description="`cursor` of the answer before.")
    wait: float = Field(0, ge=0, le=30)


class FileQuery(Query):
    """Which file, and which run's step says so."""

    path: str = Field(max_length=4096)
    run: str = Field(max_length=63)
    runbook: str = Field(max_length=63)


class NewFileQuery(FileQuery):
    """What it must be."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    mode: str = Field(pattern="^[0-7]{1,4}$")


def mount(app: OpenAPI, runs: Runs, node: str, copy_bytes: int) -> None:
    """Add the routes. `copy_bytes` is how large a file may be whose copy step does not say it."""

    @app.get("/api/v1/runs", summary="The runs, newest first", security=SECURITY)
    @needs(VIEWER)
    def list_runs(query: RunsQuery) -> Response:
        found = runs.find(runbook=query.runbook, state=query.state, by=query.by, q=query.q)
        found = [each for each in found if query.cursor is None or each.id < query.cursor]
        rows = found[: query.limit]
        return jsonify(items=[each.row() for each in rows], next=rows[-1].id if len(found) > len(rows) else None)

    @app.post("/api/v1/runs", summary="Start a run", security=SECURITY)
    @needs(OPERATOR, NODE)
    def begin(body: NewRun) -> tuple[Response, int]:
        who = principal()
        caller = body.caller.model_dump() if body.caller else None
        if who.role == NODE or caller is not None:
            warrant.may_call(runs.config, who, caller, body.runbook)
        by = f"node {who.node}" if who.role == NODE else who.name
        return jsonify(runs.begin(Asked(body.runbook, body.parameters, by, who.via, caller, who.proof)).row()), 201

    @app.get("/api/v1/runs/<id>", summary="One run", security=SECURITY)
    @needs(VIEWER, NODE)
    def read(path: RunPath) -> Response:
        return jsonify(_own(path.id).row())

    @app.get(
        "/api/v1/runs/<id>/output",
        summary="What a run printed and did, from the start or as it comes",
        security=SECURITY,
    )
    @needs(VIEWER, NODE)
    def output(path: RunPath, query: OutputQuery) -> Response:
        _own(path.id)
        items, cursor, state = runs.output(path.id, query.after, query.wait)
        return jsonify(items=items, cursor=str(cursor), state=state)

    @app.get("/api/v1/runs/<id>/recording", summary="A run as asciinema plays it (asciicast v2)", security=SECURITY)
    @needs(VIEWER)
    def recording(path: RunPath) -> Response:
        return Response(asciicast(runs.get(path.id)), content_type="application/x-asciicast")

    @app.post("/api/v1/runs/<id>/stop", summary="Stop a run", security=SECURITY)
    @needs(OPERATOR, NODE)
    def stop(path: RunPath) -> Response:
        _own(path.id)
        return jsonify(runs.end(path.id, principal().name, principal().proof).row())

    @app.post("/api/v1/runs/<id>/answers", summary="Answer what a run asks", security=SECURITY)
    @needs(OPERATOR)
    def answer(path: RunPath, body: Answer) -> Response:
        who = principal()
        return jsonify(runs.answer(path.id, body.ask, body.answer, who.name, who.proof).row())

    @app.get("/api/v1/files", summary="A file that another node's run copies", security=SECURITY)
    @needs(NODE)
    def send(query: FileQuery) -> Response:
        most = warrant.may_copy(runs.config, query.runbook, "from", node, query.path, copy_bytes)
        source = transfer.read(query.path, most)
        answer = Response(source.pieces(), content_type="application/octet-stream")
        answer.headers |= {
            "Content-Length": str(source.size), "Nodeward-Sha256": source.sha256, "Nodeward-Mode": f"{source.mode:o}",
        }  # fmt: skip
        answer.call_on_close(source.close)
        return answer

    @app.put("/api/v1/files", summary="A file from another node's run", security=SECURITY)
    @needs(NODE)
    def take(query: NewFileQuery) -> Response:
        most = warrant.may_copy(runs.config, query.runbook, "to", node, query.path, copy_bytes)
        request.max_content_length = None
        pieces = iter(lambda: request.stream.read(transfer.PIECE), b"")
        size = transfer.write(query.path, pieces, query.sha256, int(query.mode, 8), most, request.content_length)
        return jsonify(size=size, sha256=query.sha256)

    def _own(name: str) -> Record:
        """Return a run. Raise NotAllowed if a node asks for one that it did not call."""
        kept, who = runs.get(name), principal()
        if who.role == NODE and (kept.about["caller"] or {}).get("node") != who.node:
            raise NotAllowed(f"Run '{name}' was not called by node '{who.node}'.")
        return kept
