"""The log server's HTTP face."""

import dataclasses

from flask import Response, jsonify, request
from flask_openapi3 import OpenAPI
from pydantic import ValidationError

from nodeward.core import clock
from nodeward.core.auth import ADMIN, NODE, SERVICE, VIEWER
from nodeward.core.batch import CONTENT_TYPE
from nodeward.core.errors import BadInput
from nodeward.core.http import SECURITY, needs, principal, problems_of
from nodeward.logserver import rows
from nodeward.logserver.follow import Follower
from nodeward.logserver.forms import (
    ContextQuery,
    FollowQuery,
    HistogramQuery,
    LinesBody,
    LogsQuery,
    RecordPath,
    TopQuery,
)
from nodeward.logserver.receive import Receiver
from nodeward.store.base import MAX_TIME, MIN_TIME, LogQuery, LogShelf, Outcome

DAY = 86_400_000_000


def mount(app: OpenAPI, shelf: LogShelf, receiver: Receiver) -> None:
    """Add the log server's routes."""
    _mount_batches(app, receiver)
    _mount_logs(app, shelf)
    _mount_counts(app, shelf)
    _mount_follow(app, shelf)
    _mount_verify(app, shelf)


def _mount_batches(app: OpenAPI, receiver: Receiver) -> None:
    @app.post(
        "/api/v1/batches",
        summary="Store log records",
        description=f"Batches as `{CONTENT_TYPE}`, or JSON `{{source, node, lines}}`. Once they are durable, it answers.",
        security=SECURITY,
    )
    @needs(NODE, SERVICE)
    def batches() -> Response:
        if request.mimetype == "application/json":
            outcome = _lines(receiver)
        elif request.mimetype == CONTENT_TYPE:
            outcome = receiver.batches(request.get_data(cache=False), principal())
        else:
            raise BadInput(f"The content type is {request.mimetype!r}; send {CONTENT_TYPE} or application/json.")
        return jsonify(accepted=outcome.accepted, repeated=outcome.repeated)


def _mount_logs(app: OpenAPI, shelf: LogShelf) -> None:
    @app.get("/api/v1/logs", summary="Search log records", security=SECURITY)
    @needs(VIEWER)
    def logs(query: LogsQuery) -> Response:
        found = shelf.search(query.build(), cursor=query.cursor, limit=query.limit, newest_first=query.order == "desc")
        return jsonify(rows.page(found))

    @app.get("/api/v1/logs/<string:id>", summary="One log record", security=SECURITY)
    @needs(VIEWER)
    def one(path: RecordPath) -> Response:
        return jsonify(rows.record(shelf.get(path.id)))

    @app.get("/api/v1/logs/<string:id>/context", summary="A log record between its neighbours", security=SECURITY)
    @needs(VIEWER)
    def context(path: RecordPath, query: ContextQuery) -> Response:
        before, found, after = shelf.context(path.id, query.before, query.after)
        return jsonify(
            before=[rows.record(each) for each in before],
            record=rows.record(found),
            after=[rows.record(each) for each in after],
        )


def _mount_counts(app: OpenAPI, shelf: LogShelf) -> None:
    @app.get("/api/v1/histogram", summary="Records over time, by level", security=SECURITY)
    @needs(VIEWER)
    def histogram(query: HistogramQuery) -> Response:
        return jsonify(rows.histogram(shelf.histogram(_bounded(query.build()), query.bins)))

    @app.get("/api/v1/top", summary="The most frequent values of a field", security=SECURITY)
    @needs(VIEWER)
    def top(query: TopQuery) -> Response:
        return jsonify(rows.top(shelf.top(_bounded(query.build()), query.field, query.limit)))

    @app.get("/api/v1/sources", summary="What each source of each node has stored", security=SECURITY)
    @needs(VIEWER)
    def sources() -> Response:
        return jsonify(items=[rows.source(each) for each in shelf.sources()], next=None)


def _mount_follow(app: OpenAPI, shelf: LogShelf) -> None:
    follower = Follower(shelf)

    @app.get("/api/v1/follow", summary="Log records in the order of arrival", security=SECURITY)
    @needs(VIEWER)
    def follow(query: FollowQuery) -> Response:
        return jsonify(rows.arrivals(follower.follow(query.build(), query.after, query.limit, query.wait)))


def _mount_verify(app: OpenAPI, shelf: LogShelf) -> None:
    @app.get("/api/v1/verify", summary="Read all records once, and tell what is damaged", security=SECURITY)
    @needs(ADMIN)
    def verify() -> Response:
        damaged = [
            {**dataclasses.asdict(one), "start": clock.rfc3339(one.start), "end": clock.rfc3339(one.end)}
            for one in shelf.verify()
        ]
        return jsonify(records=sum(one.records for one in shelf.sources()), damaged=damaged)


def _lines(receiver: Receiver) -> Outcome:
    try:
        body = LinesBody.model_validate(request.get_json())
    except ValidationError as error:
        raise BadInput("The lines are not valid.", problems_of(error)) from None
    sender = principal()
    node = body.node or sender.node
    if node is None:
        raise BadInput("The body names no node, and your token is not a node's.")
    sender.must_speak_for(node)
    return receiver.lines(node, body.source, body.lines)


def _bounded(query: LogQuery) -> LogQuery:
    """Return the query with both ends of its range: without an end until now, without a beginning a day before."""
    end = query.end if query.end < MAX_TIME else max(clock.now(), query.start + 1)
    start = query.start if query.start > MIN_TIME else end - DAY
    return dataclasses.replace(query, start=start, end=end)
