"""States as rows: how they look from outside, which are wanted, and in which order."""

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from nodeward.core import clock
from nodeward.core import states as words
from nodeward.core.errors import BadInput, Problem
from nodeward.core.words import counted
from nodeward.monitor import reachability
from nodeward.monitor.board import Board
from nodeward.monitor.states import State

Row = dict[str, Any]
_WORST = {state: place for place, state in enumerate(words.WORST_FIRST)}


@dataclass(frozen=True)
class Filter:
    """Which rows are wanted; what is None or empty does not matter."""

    node: str | None = None
    service: str | None = None
    states: tuple[str, ...] = ()
    problems: bool | None = None
    acknowledged: bool | None = None
    in_downtime: bool | None = None
    handled: bool | None = None
    group: str | None = None
    q: str | None = None
    kind: str | None = None


def row(board: Board, state: State, now: int) -> Row:
    """Return the row of a state, as the API gives it."""
    node = board.fleet.nodes.get(state.node)
    downtime = board.calendar.covering(state.key, now)
    masked = reachability.masked_by(board.fleet, board.look, state.key) if state.is_problem else ()
    shown: Row = {
        "seq": state.seq,
        "node": state.node,
        "service": state.service,
        "state": state.state,
        "state_type": state.state_type,
        "attempt": state.attempt,
        "attempts": state.attempts,
        "since": _time(state.since),
        "last_check": _time(state.seen if state.service is None else state.last_check),
        "next_check": _time(state.next_check),
        "output": state.output,
        "long_output": state.long_output,
        "perfdata": state.perfdata,
        "unparsed_perfdata": state.unparsed,
        "duration": state.duration,
        "latency": state.latency,
        "acknowledged": state.ack is not None,
        "acknowledgement": acknowledgement(state),
        "in_downtime": downtime is not None,
        "downtime": downtime.id if downtime else None,
        "flapping": state.flapping,
        "stale": state.stale,
        "masked_by": list(masked),
        "handled": state.is_problem and bool(state.ack or downtime or masked),
    }
    if state.service is None and node is not None:
        shown |= {"address": node.address, "groups": list(node.groups), "parents": list(node.parents)}
    return shown


def acknowledgement(state: State) -> Row | None:
    """Return who has taken the problem on, if anybody has."""
    ack = state.ack
    if ack is None:
        return None
    return {
        "author": ack.author, "comment": ack.comment, "at": _time(ack.at), "expires": _time(ack.expires), "sticky": ack.sticky,
    }  # fmt: skip


def fitting(board: Board, wanted: Filter, now: int) -> list[State]:
    """Return the states that fit, in no order."""
    return [
        state
        for state in list(board.states.values())
        if _fits(board, state, wanted) and _fits_now(board, state, wanted, now)
    ]


def handled(board: Board, state: State, now: int) -> bool:
    """Say whether a problem needs nobody: it is acknowledged, in downtime, or another one stands for it."""
    return state.is_problem and bool(
        state.ack
        or board.calendar.covering(state.key, now)
        or reachability.masked_by(board.fleet, board.look, state.key)
    )


def _fits(board: Board, state: State, wanted: Filter) -> bool:
    node = board.fleet.nodes.get(state.node)
    return (
        (wanted.node is None or state.node == wanted.node)
        and (wanted.service is None or state.service == wanted.service)
        and (not wanted.states or state.state in wanted.states)
        and (wanted.problems is None or state.is_problem == wanted.problems)
        and (wanted.acknowledged is None or (state.ack is not None) == wanted.acknowledged)
        and (wanted.kind is None or (state.service is None) == (wanted.kind == "node"))
        and (wanted.group is None or (node is not None and wanted.group in node.groups))
        and (not wanted.q or _contains(state, wanted.q.casefold()))
    )


def _fits_now(board: Board, state: State, wanted: Filter, now: int) -> bool:
    if wanted.in_downtime is not None and (board.calendar.covering(state.key, now) is not None) != wanted.in_downtime:
        return False
    return wanted.handled is None or handled(board, state, now) == wanted.handled


def _contains(state: State, text: str) -> bool:
    return any(text in part.casefold() for part in (state.node, state.service or "", state.output))


def _name(state: State) -> list[Any]:
    return [state.node, state.service or ""]


ORDERS: dict[str, Callable[[State, bool], list[Any]]] = {
    "worst": lambda state, handled: [
        not state.is_problem,
        handled,
        _WORST.get(state.state, 99),
        state.state_type == "soft",
        -state.since,
        *_name(state),
    ],
    "node": lambda state, _: _name(state),
    "service": lambda state, _: [state.service or "", state.node],
    "since": lambda state, _: [state.since, *_name(state)],
    "last_check": lambda state, _: [state.last_check or 0, *_name(state)],
}


def page(
    board: Board, states: Iterable[State], order: str, cursor: str | None, limit: int, now: int
) -> tuple[list[Row], str | None]:
    """Return one page of `states` as rows in `order`, and the cursor of the next one. A cursor is a place: pages never shift."""
    place = ORDERS[order]
    ordered = sorted(((place(each, handled(board, each, now)), each) for each in states), key=lambda pair: pair[0])
    if cursor:
        last = _decoded(cursor)
        try:
            ordered = [pair for pair in ordered if pair[0] > last]
        except TypeError:
            raise _bad_cursor() from None
    following = _encoded(ordered[limit - 1][0]) if len(ordered) > limit else None
    return [row(board, each, now) for _, each in ordered[:limit]], following


def summary(board: Board, now: int) -> Row:
    """Return the counts of the overview and its sentence."""
    nodes: Counter[str] = Counter()
    services: Counter[str] = Counter()
    open_problems: list[State] = []
    aside = 0
    for state in list(board.states.values()):
        (nodes if state.service is None else services)[state.state] += 1
        if handled(board, state, now):
            aside += 1
        elif state.is_problem:
            open_problems.append(state)
    with_problems = len({state.node for state in open_problems})
    return {
        "seq": board.seq,
        "revision": board.fleet.revision,
        "nodes": _counts(nodes, ("UP", "DOWN", "UNREACHABLE", "PENDING")),
        "services": _counts(services, ("OK", "WARNING", "CRITICAL", "UNKNOWN", "PENDING")),
        "problems": len(open_problems),
        "handled": aside,
        "nodes_with_problems": with_problems,
        "sentence": _sentence(len(open_problems), aside, with_problems, nodes, services),
    }


def _counts(found: Counter[str], names: Iterable[str]) -> dict[str, int]:
    return {"total": found.total(), **{name: found[name] for name in names}}


def _sentence(problems: int, handled: int, where: int, nodes: Counter[str], services: Counter[str]) -> str:
    total = nodes.total()
    if not total:
        return "No node is defined yet."
    aside = f" ({handled:,} more acknowledged, in downtime, or behind another)" if handled else ""
    if problems:
        return f"{counted(problems, 'problem')} on {where:,} of {counted(total, 'node')}{aside}."
    waiting = nodes[words.PENDING] + services[words.PENDING]
    if waiting == total + services.total():
        return f"Nothing has been heard yet of {counted(total, 'node')} with {counted(services.total(), 'service')}."
    pending = f" {waiting:,} not heard of yet." if waiting else ""
    return f"All is well on {counted(total, 'node')} with {counted(services.total(), 'service')}{aside}.{pending}"


def _time(moment: int | None) -> str | None:
    return None if moment is None else clock.rfc3339(moment)


def _encoded(place: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _decoded(cursor: str) -> list[Any]:
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor.encode()))
    except ValueError:
        raise _bad_cursor() from None
    if not isinstance(place, list):
        raise _bad_cursor()
    return place


def _bad_cursor() -> BadInput:
    return BadInput("The cursor is not one that this list gave.", [Problem("cursor", "Leave it out to begin anew.")])
