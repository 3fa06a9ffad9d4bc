"""Freshness: every result has a deadline, and silence past it is a result too."""

from dataclasses import replace

from nodeward.core import clock
from nodeward.core import states as words
from nodeward.monitor import reachability
from nodeward.monitor.board import Draft
from nodeward.monitor.observe import Observer
from nodeward.monitor.states import SECOND, Seen, State
from nodeward.store.base_states import Key


def look(draft: Draft, observer: Observer, key: Key) -> int | None:
    """Given a node or service whose moment has come, record its silence if its deadline is over.

    Return when to look again, None if a result must come first.
    """
    state = draft.look(key)
    if state is None or state.deadline is None or draft.fleet.definition(key) is None:
        return None
    if state.deadline > draft.now:
        return state.deadline
    if _waits_for_its_node(draft, state):
        later = draft.now + int(observer.policy(draft, key).patience * SECOND)
        draft.put_quietly(replace(state, deadline=later))
        return later
    observer.observe(draft, key, silence(draft, state))
    return None


def silence(draft: Draft, state: State) -> Seen:
    """Return the result that silence stands for."""
    node = draft.fleet.nodes[state.node]
    if state.service is not None:
        return Seen("UNKNOWN", draft.now, f"No result for {_since(draft, state)}.", silence=True)
    if node.agent:
        return Seen(
            "DOWN", draft.now, f"No sign of life from its node server for {_since(draft, state)}.", silence=True
        )
    blamed = reachability.blockers(draft.fleet, draft.look, node.name)
    checker = f"{node.checked_from} should check it; does its bundle say so?" if not blamed else f"{blamed[0]} is down."
    return Seen("UNREACHABLE", draft.now, f"No result for {_since(draft, state)}. {checker}", silence=True)


def after_absence(draft: Draft, grace: float) -> int:
    """The monitor was away: give everybody time to send what they kept meanwhile. Return how many deadlines moved."""
    earliest = draft.now + int(grace * SECOND)
    late = [state for state in draft.states.values() if state.deadline is not None and state.deadline < earliest]
    for state in late:
        draft.put_quietly(replace(state, deadline=earliest))
    return len(late)


def _waits_for_its_node(draft: Draft, state: State) -> bool:
    """A service stays PENDING as long as nobody has ever heard of its node, or of the node that checks it."""
    if state.service is None or state.state != words.PENDING:
        return False
    reporter = draft.fleet.nodes[state.node].reporter or state.node
    sources = (draft.look((name, None)) for name in {reporter, state.node})
    return any(source is not None and source.last_check is None for source in sources)


def _since(draft: Draft, state: State) -> str:
    if state.seen is None:
        return f"{_spoken(draft.now - state.since)}, since it was defined; never heard of"
    return f"{_spoken(draft.now - state.seen)}; last seen {clock.rfc3339(state.seen)[:19]}Z"


def _spoken(length: int) -> str:
    seconds = max(0, length // SECOND)
    days, seconds = divmod(seconds, 86400)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    parts = [
        f"{count} {unit}" for count, unit in ((days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")) if count
    ]
    return " ".join(parts[:2]) or "0 s"
