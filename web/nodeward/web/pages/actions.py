"""What people do about states and programs: acknowledge, plan a downtime, check again, restart. Scripts of our pages post here.

Everything is done in the person's own name; the servers decide whether they may.
"""

from typing import Any

from flask import Blueprint, Response, g, jsonify, request
from pydantic import Field, ValidationError

from nodeward.core import clock
from nodeward.core.client import Client
from nodeward.core.errors import BadInput
from nodeward.core.http import Body, problems_of
from nodeward.web import auth, backends
from nodeward.web.pages.recheck import running, sentence, worst
from nodeward.web.views import all_at_once

blueprint = Blueprint("actions", __name__, url_prefix="/do")

MOST = 1000


class Target(Body):
    """A node (service null) or a service."""

    node: str = Field(min_length=1, max_length=300)
    service: str | None = None


class Targets(Body):
    """What is meant."""

    targets: list[Target] = Field(min_length=1, max_length=MOST)


class Acknowledge(Targets):
    """`expires`: a duration, "never", or nothing for the monitor's own default."""

    comment: str = Field("", max_length=2000)
    expires: str = ""


class Downtime(Targets):
    """From now on for `length`, such as 2h."""

    comment: str = Field("", max_length=2000)
    length: str = Field(min_length=1, max_length=40)


class ProgramAction(Body):
    """`place` is a server's role, or `node:` and a node's name."""

    place: str
    name: str
    action: str = Field(pattern="^(start|stop|restart)$")


def body(model: type[Any]) -> Any:
    """Return the request's JSON as `model`. Raise BadInput with every fault."""
    try:
        return model.model_validate(request.get_json(silent=True))
    except ValidationError as error:
        raise BadInput("That cannot be done.", problems_of(error)) from None


@blueprint.post("/acknowledge")
def acknowledge() -> Response:
    """Take problems on."""
    wanted = body(Acknowledge)
    more = {"comment": wanted.comment, **({"expires": wanted.expires} if wanted.expires else {})}
    sent = [{**target.model_dump(), **more} for target in wanted.targets]
    backends.monitor().post("/api/v1/acknowledgements", sent)
    return said(f"Acknowledged: {_what(wanted.targets)}.")


@blueprint.post("/unacknowledge")
def unacknowledge() -> Response:
    """Take acknowledgements back."""
    wanted = body(Targets)
    for target in wanted.targets:
        backends.monitor().delete("/api/v1/acknowledgements", target.model_dump())
    return said(f"No longer acknowledged: {_what(wanted.targets)}.")


@blueprint.post("/downtime")
def downtime() -> Response:
    """Plan downtimes that begin now."""
    wanted = body(Downtime)
    try:
        until = clock.rfc3339(clock.now() + int(clock.parse_duration(wanted.length) * 1_000_000))
    except (ValueError, OverflowError):
        raise BadInput(f"{wanted.length!r} is not a length of time; write for example 30m, 2h or 1d.") from None
    sent = [{**target.model_dump(), "to": until, "comment": wanted.comment} for target in wanted.targets]
    backends.monitor().post("/api/v1/downtimes", sent)
    return said(f"In downtime for {wanted.length}: {_what(wanted.targets)}.")


@blueprint.post("/recheck")
def recheck() -> Response:
    """Run checks now, each on its node; say what they found, and which could not be run."""
    auth.needs("operator")
    wanted = body(Targets)
    asks = {name: running(target.node, target.service, name) for target in wanted.targets for name in [_named(target)]}
    outcomes = list(all_at_once(asks).values())
    if not any(outcome.state for outcome in outcomes):
        raise BadInput(sentence(outcomes))
    failed = sum(not outcome.state for outcome in outcomes)
    return jsonify(message=sentence(outcomes), state=worst(outcomes), failed=failed)


@blueprint.post("/program")
def program() -> Response:
    """Start, stop or restart a program."""
    auth.needs("admin")
    wanted = body(ProgramAction)
    place(wanted.place).post(f"/api/v1/programs/{wanted.name}/{wanted.action}", timeout=70.0)
    return said(f"{wanted.name}: {wanted.action} asked for by {g.person.name}.")


def place(name: str) -> Client:
    """Return the client of a server by its role, or of a node by `node:NAME`. Raise BadInput if it is neither."""
    kind, _, node = name.partition(":")
    if kind == "node" and node:
        return backends.node(node)
    if name not in backends.ROLES:
        raise BadInput(f"There is no server '{name[:60]}'.")
    return backends.asking(backends.backends().server(name))


def said(sentence: str) -> Response:
    """Return what was done, as a sentence."""
    return jsonify(message=sentence)


def _what(targets: list[Target]) -> str:
    return _named(targets[0]) if len(targets) == 1 else f"{len(targets)} of them"


def _named(target: Target) -> str:
    return f"{target.node} · {target.service}" if target.service else target.node
