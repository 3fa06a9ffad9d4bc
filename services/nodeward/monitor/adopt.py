"""Adopts new definitions: what is new is PENDING, what is gone leaves the board, what stays keeps its state."""

from dataclasses import replace

from nodeward.monitor import flips
from nodeward.monitor.board import Draft
from nodeward.monitor.definitions import Fleet
from nodeward.monitor.observe import Observer
from nodeward.monitor.states import SECOND, State
from nodeward.store.base_states import Key

_ON_ITS_WAY = 60.0  # seconds that a new check takes at most to reach its node


def adopt(draft: Draft, observer: Observer, fleet: Fleet, first_contact: float) -> None:
    """Set the fleet, and make the states fit it."""
    before, draft.fleet = draft.fleet, fleet
    wanted = set(fleet.keys())
    for key in [key for key in draft.states if key not in wanted and draft.look(key)]:
        _remove(draft, key)
    for key in fleet.keys():  # noqa: SIM118 - nodes first, in the order of the document
        state = draft.look(key)
        if state is None:
            draft.put(_fresh(draft, observer, key, first_contact))
        elif before.nodes and before.definition(key) != fleet.definition(key):
            draft.put(_adjusted(draft, observer, state))
        elif not before.nodes and state.attempts != observer.policy(draft, key).attempts:
            draft.put(_adjusted(draft, observer, state))  # the monitor has just started: most has not changed meanwhile


def _fresh(draft: Draft, observer: Observer, key: Key, first_contact: float) -> State:
    policy = observer.policy(draft, key)
    wait = first_contact if key[1] is None else policy.patience + _ON_ITS_WAY
    is_heard = draft.fleet.nodes[key[0]].reporter is not None
    deadline = draft.now + int(wait * SECOND) if is_heard else None
    return State(*key, attempts=policy.attempts, since=draft.now, deadline=deadline)


def _adjusted(draft: Draft, observer: Observer, state: State) -> State:
    """Attempts count anew from the definition; a deadline that was further away than now needed comes nearer."""
    policy = observer.policy(draft, state.key)
    latest = draft.now + int((policy.patience + _ON_ITS_WAY) * SECOND)
    deadline = (
        min(state.deadline, latest) if state.deadline is not None and state.last_check is not None else state.deadline
    )
    if state.last_check is not None and not state.stale and draft.fleet.nodes[state.node].reporter is not None:
        deadline = latest if deadline is None else max(deadline, draft.now + int(_ON_ITS_WAY * SECOND))
    return replace(state, attempts=policy.attempts, attempt=min(state.attempt, policy.attempts), deadline=deadline)


def _remove(draft: Draft, key: Key) -> None:
    state = draft.look(key)
    flip = draft.flips.get((state.flip if state else None) or 0)
    if flip and flip.is_open:
        draft.flips[flip.id] = replace(flip, status=flips.DROPPED, reason="It is not defined any more.")
    draft.remove(key)
