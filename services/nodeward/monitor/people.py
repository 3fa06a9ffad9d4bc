"""What people do: take a problem on, plan a downtime. Each command checks everything, then changes the draft."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nodeward.core.errors import BadInput, Conflict, NotFound, Problem
from nodeward.monitor.board import Draft
from nodeward.monitor.downtimes import Downtime
from nodeward.monitor.states import Ack, State
from nodeward.store.base_states import Key


@dataclass(frozen=True)
class AckWish:
    """Somebody takes a problem on; `expires` in µs since 1970, None for until it is over."""

    key: Key
    comment: str
    expires: int | None
    sticky: bool


@dataclass(frozen=True)
class DowntimeWish:
    """Somebody plans work; moments in µs since 1970."""

    key: Key
    begin: int
    until: int
    comment: str


def acknowledge(draft: Draft, wishes: Sequence[AckWish], author: str) -> list[State]:
    """Acknowledge problems, all or none. Raise NotFound or Conflict with every reason why that cannot be."""
    _must_exist(draft, [wish.key for wish in wishes])
    faults = [
        Problem(_path(place, wishes), f"{_name(wish.key)} has no problem now, so there is nothing to acknowledge.")
        for place, wish in enumerate(wishes)
        if not draft.states[wish.key].is_problem
    ]
    if faults:
        raise Conflict("Only a problem can be acknowledged.", faults)
    for wish in wishes:
        ack = Ack(author, wish.comment, draft.now, wish.expires, wish.sticky)
        draft.put(replace(draft.states[wish.key], ack=ack))
        draft.record(
            "acknowledgement", wish.key, what="set", author=author, comment=wish.comment, expires=wish.expires,
            sticky=wish.sticky,
        )  # fmt: skip
    return [draft.states[wish.key] for wish in wishes]


def withdraw(draft: Draft, keys: Sequence[Key], author: str) -> int:
    """Take acknowledgements back. Return how many there were; one that is gone already is no error."""
    _must_exist(draft, keys)
    held = [state for key in keys if (state := draft.look(key)) and state.ack]
    for state in held:
        draft.put(replace(state, ack=None))
        draft.record("acknowledgement", state.key, what="withdrawn", author=author)
    return len(held)


def plan(draft: Draft, wishes: Sequence[DowntimeWish], author: str) -> list[Downtime]:
    """Plan downtimes, all or none. Raise NotFound or BadInput with every fault."""
    _must_exist(draft, [wish.key for wish in wishes])
    faults = [
        Problem(_path(place, wishes), "It is over already: its end must lie in the future.")
        for place, wish in enumerate(wishes)
        if wish.until <= draft.now
    ]
    if faults:
        raise BadInput("The downtime cannot be planned.", faults)
    made = []
    for wish in wishes:
        draft.last_downtime += 1
        downtime = Downtime(
            draft.last_downtime, *wish.key, wish.begin, wish.until, wish.comment, author, created=draft.now
        )
        draft.plan(downtime)
        draft.record(
            "downtime", wish.key, what="planned", downtime=downtime.id, author=author, comment=wish.comment,
            begin=wish.begin, until=wish.until,
        )  # fmt: skip
        made.append(downtime)
    return made


def cancel(draft: Draft, number: int) -> Downtime:
    """End a downtime now, or take back one that has not begun. Raise NotFound if there is none of that number."""
    downtime = draft.downtimes.get(number)
    if downtime is None or downtime.ended:
        raise NotFound(f"There is no downtime {number} that is planned or in force.")
    cancelled = replace(downtime, cancelled=draft.now)
    draft.plan(cancelled)
    return cancelled


def _must_exist(draft: Draft, keys: Sequence[Key]) -> None:
    faults = [
        Problem(_path(place, keys), f"There is no {_name(key)}.")
        for place, key in enumerate(keys)
        if not draft.look(key)
    ]
    if faults:
        raise NotFound("Not everything that was named is there.", faults)


def _path(place: int, among: Sequence[object]) -> str:
    return f"[{place}]" if len(among) > 1 else ""


def _name(key: Key) -> str:
    return f"service {key[1]} on node {key[0]}" if key[1] else f"node {key[0]}"
