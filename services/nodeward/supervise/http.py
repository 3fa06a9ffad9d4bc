"""Supervisor's programs over HTTP. Every role mounts this on its app, so each container's programs can be seen and restarted."""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from flask import Response, jsonify, request
from flask_openapi3 import OpenAPI
from pydantic import BaseModel, Field

from nodeward.core import clock
from nodeward.core.auth import ADMIN, VIEWER
from nodeward.core.deeds import Deed, note
from nodeward.core.http import SECURITY, Query, needs, no_body, principal
from nodeward.supervise.client import TAIL_BYTES, Program, Programs

log = logging.getLogger(__name__)


class ProgramPath(BaseModel):
    """Which program."""

    name: str = Field(pattern=r"^[\w.@:-]{1,100}$", description="The program's name, as supervisor knows it.")


class ActionPath(ProgramPath):
    """Which program, and what is to be done with it."""

    action: Literal["start", "stop", "restart"]


class LogQuery(Query):
    """How much of the log."""

    bytes: int = Field(TAIL_BYTES, ge=1, le=1024 * 1024, description="At most so many bytes from its end.")


def mount(app: OpenAPI, var: Path) -> None:
    """Add the routes for the programs of the supervisor under `var` (a role's `settings.var`)."""
    programs = Programs(var)

    @app.get(
        "/api/v1/programs",
        summary="The programs and their states",
        description="`supervisor` tells which one has them: two servers that give the same have the same programs.",
        security=SECURITY,
    )
    @needs(VIEWER)
    def list_programs() -> Response:
        return jsonify(items=[row(program) for program in programs.list()], supervisor=programs.which(), next=None)

    @app.post(
        "/api/v1/programs/<name>/<action>",
        summary="Start, stop or restart a program",
        description="The audit list of the config server says who did. There is no body.",
        security=SECURITY,
    )
    @needs(ADMIN)
    def act_on_program(path: ActionPath) -> tuple[Response, int]:
        no_body()
        log.info("%s asks to %s the program %s", principal().name, path.action, path.name)
        act = {"start": programs.start, "stop": programs.stop, "restart": programs.restart}[path.action]
        done = act(path.name)
        note(var, _deed(path, app.name.removeprefix("nodeward.")))
        return jsonify(row(done)), 202

    @app.get("/api/v1/programs/<name>/log", summary="The end of a program's output", security=SECURITY)
    @needs(VIEWER)
    def read_program_log(path: ProgramPath, query: LogQuery) -> Response:
        return jsonify(name=path.name, log=programs.tail(path.name, query.bytes))


def _deed(path: ActionPath, role: str) -> Deed:
    """Return what the one who is asking has just done, by way of the server that asks for them, or of this one."""
    who = principal()
    address = who.address or request.remote_addr
    return Deed(clock.now(), who.name, f"{path.action} program", path.name, who.via or role, address, who.proof)


def row(program: Program) -> dict[str, Any]:
    """Return a program as the API gives it: `since` as RFC 3339."""
    fields = asdict(program)
    del fields["output"]
    fields["since"] = None if program.since is None else clock.rfc3339(program.since)
    return fields
