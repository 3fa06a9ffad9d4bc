"""The monitor's HTTP face."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from flask import Response, jsonify, request
from flask_openapi3 import OpenAPI
from pydantic import ValidationError

from nodeward.core import clock
from nodeward.core.auth import NODE, OPERATOR, SERVICE, VIEWER
from nodeward.core.errors import BadInput, NotFound, Unavailable
from nodeward.core.http import SECURITY, needs, principal, problems_of
from nodeward.core.results import Report
from nodeward.monitor import availability, people, rows
from nodeward.monitor.board import Board
from nodeward.monitor.definitions import Definitions
from nodeward.monitor.downtimes import Downtime
from nodeward.monitor.forms import (
    AckBodies,
    AvailabilityQuery,
    DowntimeBodies,
    DowntimePath,
    EventsQuery,
    KeyBodies,
    KeyQuery,
    NotificationsQuery,
    PerfdataQuery,
    StatesQuery,
)
from nodeward.monitor.metrics import Figures
from nodeward.monitor.observe import Observer
from nodeward.monitor.receive import receive
from nodeward.monitor.states import SECOND
from nodeward.monitor.writer import Writer
from nodeward.store.base_states import Doc, EventQuery, Key, StateShelf, chosen

_TIMES = ("at", "begin", "until", "since", "expires", "created", "due", "sent", "lease")
_NEVER = 2**62


@dataclass(frozen=True)
class Parts:
    """What the routes work with."""

    board: Board
    shelf: StateShelf
    writer: Writer
    observer: Observer
    definitions: Definitions
    ack_expiry: float
    wanted: Callable[[str], Collection[Key]] = lambda _reporter: ()


def mount(app: OpenAPI, parts: Parts) -> None:
    """Add the monitor's routes."""
    figures = Figures(app.extensions["metrics"], parts.board, parts.writer)
    _mount_results(app, parts, figures)
    _mount_states(app, parts)
    _mount_history(app, parts)
    _mount_acknowledgements(app, parts)
    _mount_downtimes(app, parts)
    _mount_series(app, parts)


def _mount_results(app: OpenAPI, parts: Parts, figures: Figures) -> None:
    @app.post(
        "/api/v1/results",
        summary="Take a report of results",
        description="`wanted` in the answer are checks to be run now: an alert waits for them, or a result must have been lost.",
        security=SECURITY,
    )
    @needs(NODE, SERVICE)
    def results(body: Report) -> Response:
        principal().must_speak_for(body.reporter)
        parts.definitions.catch_up(body.revision)
        if not parts.definitions.loaded:
            raise Unavailable("The monitor does not know its definitions yet; send the report again in a moment.")
        receipt = parts.writer.do(lambda draft: receive(draft, parts.observer, body))
        figures.count(receipt, body.results)
        wanted = [{"node": node, "service": service} for node, service in parts.wanted(body.reporter)]
        return jsonify(**receipt._asdict(), wanted=wanted)


def _mount_states(app: OpenAPI, parts: Parts) -> None:
    board = parts.board

    @app.get("/api/v1/states", summary="States: a list, or what changed", security=SECURITY)
    @needs(VIEWER)
    def states(query: StatesQuery) -> Response:
        if query.after is not None:
            return jsonify(_changed(board, query.after, query.wait, query.limit))
        seq, now = board.seq, clock.now()
        found = rows.fitting(board, _filter(query), now)
        items, following = rows.page(board, found, query.sort, query.cursor, query.limit, now)
        return jsonify(items=items, next=following, seq=seq)

    @app.get("/api/v1/summary", summary="Counts per state, and one sentence", security=SECURITY)
    @needs(VIEWER)
    def summary() -> Response:
        return jsonify(rows.summary(board, clock.now()))


def _filter(query: StatesQuery) -> rows.Filter:
    return rows.Filter(
        node=query.node, service=query.service, states=query.state or (), problems=query.problems,
        acknowledged=query.acknowledged, in_downtime=query.in_downtime, handled=query.handled, group=query.group,
        q=query.q, kind=query.kind,
    )  # fmt: skip


def _changed(board: Board, after: int, wait: float, limit: int) -> dict[str, Any]:
    """Rows changed after a sequence number; `reset` says that the caller knows too little and must load the list anew."""
    if not board.knows_since(after):
        return {"items": [], "seq": board.seq, "reset": True}
    wait_until(board, lambda: board.seq > after, wait)
    found, removed, reached = board.changed_since(after, limit)
    now = clock.now()
    gone = [{"node": node, "service": service, "removed": True} for node, service in removed]
    return {"items": [*gone, *(rows.row(board, state, now) for state in found)], "seq": reached}


def wait_until(board: Board, condition: Callable[[], bool], seconds: float) -> None:
    """Return once `condition` holds, at the latest after so many seconds. Every change of the board wakes it."""
    with board.lock:
        board.lock.heard(condition, seconds)


def _mount_history(app: OpenAPI, parts: Parts) -> None:
    board, shelf = parts.board, parts.shelf

    @app.get("/api/v1/events", summary="The history: newest first, or what followed an id", security=SECURITY)
    @needs(VIEWER)
    def events(query: EventsQuery) -> Response:
        wanted = EventQuery(
            after=query.after, before=query.before, node=query.node, service=query.service, own=query.own,
            types=tuple(part.strip() for part in (query.type or "").split(",") if part.strip()),
            since=query.since, until=query.until, limit=query.limit,
        )  # fmt: skip
        if query.after is None:
            found = shelf.events(wanted)
            following = found[-1]["id"] if len(found) == query.limit else None
            newest = found[0]["id"] if found else board.last_event
            return jsonify(items=[outside(event) for event in found], cursor=newest, next=following)
        found, cursor = _followed(board, shelf, wanted, query.wait)
        return jsonify(items=[outside(event) for event in found], cursor=cursor, next=None)

    @app.get("/api/v1/notifications", summary="The outbox, with what became of each message", security=SECURITY)
    @needs(VIEWER)
    def notifications(query: NotificationsQuery) -> Response:
        found = shelf.flips(query.before, query.node, query.service, query.limit)
        following = found[-1]["id"] if len(found) == query.limit else None
        return jsonify(items=[_notification(flip) for flip in found], next=following)


def _followed(board: Board, shelf: StateShelf, wanted: EventQuery, wait: float) -> tuple[list[Doc], int]:
    """Return what follows `after` and the cursor to go on with. Waits for the first event that fits."""
    assert wanted.after is not None
    found: list[Doc] = []

    def look() -> bool:
        nonlocal found
        found = _newer(board, shelf, wanted)
        return bool(found)

    with board.lock:
        wait_until(board, look, wait)
        reached = board.last_event
    return found, found[-1]["id"] if len(found) == wanted.limit else max(reached, wanted.after)


def _newer(board: Board, shelf: StateShelf, wanted: EventQuery) -> list[Doc]:
    assert wanted.after is not None
    if wanted.after < board.events_from:
        return shelf.events(wanted)
    return chosen(list(board.events), wanted)


def _notification(flip: Doc) -> Doc:
    shown = outside(flip)
    shown["sent"] = _moment(min((each["sent"] for each in flip["deliveries"] if each["sent"]), default=None))
    shown["deliveries"] = [
        outside({key: value for key, value in each.items() if key not in ("what", "mark", "lease", "node", "service")})
        for each in flip["deliveries"]
    ]
    return shown


def outside(doc: Doc) -> Doc:
    """Return a document with its moments as RFC 3339."""
    return {key: _moment(value) if key in _TIMES else value for key, value in doc.items()}


def _moment(value: int | None) -> str | None:
    return None if value is None or value >= _NEVER else clock.rfc3339(value)


def _mount_acknowledgements(app: OpenAPI, parts: Parts) -> None:
    @app.post("/api/v1/acknowledgements", summary="Take on one or more problems", security=SECURITY)
    @needs(OPERATOR)
    def acknowledge(body: AckBodies) -> tuple[Response, int]:
        author, default = principal().name, clock.now() + int(parts.ack_expiry * SECOND)
        wishes = [
            people.AckWish(each.key, each.comment, _expiry(each.expires, default), each.sticky) for each in body.root
        ]
        done = parts.writer.do(lambda draft: people.acknowledge(draft, wishes, author))
        now = clock.now()
        return jsonify(items=[rows.row(parts.board, state, now) for state in done]), 201

    @app.delete("/api/v1/acknowledgements", summary="Take acknowledgements back", security=SECURITY)
    @needs(OPERATOR)
    def withdraw(query: KeyQuery) -> Response:
        author, keys = principal().name, _keys(query)
        return jsonify(withdrawn=parts.writer.do(lambda draft: people.withdraw(draft, keys, author)))


def _keys(query: KeyQuery) -> list[Key]:
    """Those of the query, else those of the JSON body: a DELETE need not have one."""
    if query.node is not None:
        return [(query.node, query.service)]
    try:
        body = KeyBodies.model_validate(request.get_json(silent=True))
    except ValidationError as error:
        raise BadInput("Name what is meant: `?node=…&service=…`, or a JSON list.", problems_of(error)) from None
    return [(each.node, each.service) for each in body.root]


def _expiry(given: int | str | None, default: int) -> int | None:
    return default if given is None else None if isinstance(given, str) else given


def _mount_downtimes(app: OpenAPI, parts: Parts) -> None:
    @app.get("/api/v1/downtimes", summary="The downtimes that are planned or in force", security=SECURITY)
    @needs(VIEWER)
    def downtimes() -> Response:
        now = clock.now()
        planned = sorted(parts.board.downtimes.copy().values(), key=lambda each: (each.begin, each.id))
        return jsonify(items=[_downtime(each, now) for each in planned if each.end > now], next=None)

    @app.post("/api/v1/downtimes", summary="Plan one or more downtimes", security=SECURITY)
    @needs(OPERATOR)
    def plan(body: DowntimeBodies) -> tuple[Response, int]:
        author, now = principal().name, clock.now()
        wishes = [
            people.DowntimeWish(
                (each.node, each.service), now if each.begin is None else each.begin, each.until, each.comment
            )
            for each in body.root
        ]
        made = parts.writer.do(lambda draft: people.plan(draft, wishes, author))
        return jsonify(items=[_downtime(each, now) for each in made]), 201

    @app.delete("/api/v1/downtimes/<int:id>", summary="End a downtime", security=SECURITY)
    @needs(OPERATOR)
    def cancel(path: DowntimePath) -> Response:
        return jsonify(_downtime(parts.writer.do(lambda draft: people.cancel(draft, path.id)), clock.now()))


def _downtime(downtime: Downtime, now: int) -> Doc:
    return {
        "id": downtime.id,
        "node": downtime.node,
        "service": downtime.service,
        "from": clock.rfc3339(downtime.begin),
        "to": clock.rfc3339(downtime.until),
        "comment": downtime.comment,
        "author": downtime.author,
        "created": clock.rfc3339(downtime.created),
        "in_force": downtime.holds(now),
        "cancelled": None if downtime.cancelled is None else clock.rfc3339(downtime.cancelled),
    }


def _mount_series(app: OpenAPI, parts: Parts) -> None:
    board, shelf = parts.board, parts.shelf

    @app.get("/api/v1/perfdata", summary="Performance data of one service over time", security=SECURITY)
    @needs(VIEWER)
    def perfdata(query: PerfdataQuery) -> Response:
        since, until = query.range(clock.now())
        step = _step(query.step, until - since)
        found = shelf.series((query.node, query.service), since, until, step)
        wanted = [vars(series) for series in found if query.label in (None, series.label) and series.points]
        return jsonify(series=wanted, step=step)

    @app.get("/api/v1/availability", summary="The share of each state over a range", security=SECURITY)
    @needs(VIEWER)
    def availability_(query: AvailabilityQuery) -> Response:
        now = clock.now()
        since, until = query.range(now)
        if since >= until:
            raise BadInput("`from` must lie before `to`.")
        items = []
        for node, service in _asked(board, query):
            events = shelf.state_events((node, service), since, until)
            items.append({"node": node, "service": service, **availability.shares(events, since, until, now)})
        return jsonify({"from": clock.rfc3339(since), "to": clock.rfc3339(min(until, now)), "items": items})


def _step(asked: str | None, length: int) -> int | None:
    """Raw up to six hours, five minutes up to a week, else hours: a graph's worth of points."""
    if asked is not None:
        return {"raw": None, "5m": 300, "1h": 3600}[asked]
    hours = length / 3_600_000_000
    return None if hours <= 6 else 300 if hours <= 7 * 24 else 3600


def _asked(board: Board, query: AvailabilityQuery) -> list[tuple[str, str | None]]:
    if query.service is not None and query.node is None:
        raise BadInput("A service is named by its node too: add `node`.")
    if query.node is not None and query.node not in board.fleet.nodes:
        raise NotFound(f"There is no node {query.node}.")
    if query.node is None:
        nodes = board.fleet.nodes.values()
        return [(node.name, None) for node in nodes if query.group is None or query.group in node.groups]
    if query.service is None:
        return [(query.node, None), *board.fleet.services_of.get(query.node, ())]
    if not board.look((query.node, query.service)):
        raise NotFound(f"There is no service {query.service} on node {query.node}.")
    return [(query.node, query.service)]
