"""What stands between the monitor and a node: its parents, and the node that checks it.

Only alerting is suppressed by this, never a check, and never the recovery of something that was told. A node nobody has
ever heard of is no evidence, so it blocks nothing.
"""

from collections.abc import Callable

from nodeward.core import states as words
from nodeward.monitor.definitions import Fleet
from nodeward.monitor.states import SOFT, State
from nodeward.store.base_states import Key

Look = Callable[[Key], State | None]


def node_problem(fleet: Fleet, look: Look, name: str, state: str) -> tuple[str, tuple[str, ...]]:
    """Given that a node is in trouble, return (DOWN or UNREACHABLE, the nodes that are to blame)."""
    blamed = blockers(fleet, look, name)
    return (words.NODE_STATES[2], blamed) if blamed else (state, ())


def blockers(fleet: Fleet, look: Look, name: str) -> tuple[str, ...]:
    """Return the nodes that hide this one: the one that checks it, if that is down; else its parents, if all are."""
    node = fleet.nodes.get(name)
    if node is None:
        return ()
    if not node.agent and node.checked_from and _is_down(look, node.checked_from):
        return (node.checked_from,)
    known = [parent for parent in node.parents if _is_known(look, parent)]
    return tuple(known) if known and all(_is_down(look, parent) for parent in known) else ()


def masked_by(fleet: Fleet, look: Look, key: Key) -> tuple[str, ...]:
    """Return the nodes whose problem stands for this one: telling of theirs is enough."""
    node = fleet.nodes.get(key[0])
    if key[1] is None or node is None:
        return blockers(fleet, look, key[0])
    if _is_down(look, key[0]):
        return (key[0],)
    if node.reporter and node.reporter != key[0] and _is_down(look, node.reporter):
        return (node.reporter,)
    return ()


def unsettled(fleet: Fleet, look: Look, key: Key, since: int) -> tuple[str, ...]:
    """Return the nodes that may turn out to be the cause of a problem that began at `since`: those not heard of after it,
    and those whose own trouble is not confirmed yet."""
    return tuple(name for name in _causes(fleet, key) if _is_unsettled(look((name, None)), since))


def _causes(fleet: Fleet, key: Key) -> list[str]:
    node = fleet.nodes.get(key[0])
    if node is None:
        return []
    reporter = [node.reporter] if node.reporter and node.reporter != node.name else []
    return [*reporter, *(node.parents if key[1] is None else [node.name])]


def _is_unsettled(state: State | None, since: int) -> bool:
    if state is None or state.judged is None or state.deadline is None:
        return False  # nothing will ever be heard of it, or its silence is known
    return state.judged < since or (state.state_type == SOFT and state.is_problem)


def _is_known(look: Look, name: str) -> bool:
    state = look((name, None))
    return state is not None and state.last_check is not None


def _is_down(look: Look, name: str) -> bool:
    state = look((name, None))
    return state is not None and state.last_check is not None and state.is_hard_problem
