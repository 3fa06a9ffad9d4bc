"""Results that must have been lost: what a node server is asked to check again, so that no verdict waits for a whole interval.

A node server and the monitor count attempts each for themselves. Where a result did not count here (it came while the config
server was away and its check was not known yet, say), the node server takes a problem for certain one attempt too early, and goes
back to its interval while the monitor still waits for the retry.
"""

from nodeward.core import states as words
from nodeward.monitor.board import Board
from nodeward.monitor.definitions import Node, Service
from nodeward.monitor.states import SECOND, SOFT, State
from nodeward.store.base_states import Key

FIRST_RESULT = 30.0  # seconds after which a check that its node server runs has a result
MUCH_LATER = 5.0  # a retry that is planned so many seconds too late is none
MOST = 50  # … in one answer: a node server that is asked for all it has at once is not helped


def results(board: Board, reporter: str, now: int) -> list[Key]:
    """Return what `reporter` should check now."""
    found: list[Key] = []
    for key in board.fleet.reported_by.get(reporter, ()):
        state, definition = board.look(key), board.fleet.definition(key)
        if state is not None and definition is not None and is_lost(state, definition, now):
            found.append(key)
        if len(found) == MOST:
            break
    return found


def is_lost(state: State, definition: Node | Service, now: int) -> bool:
    """Say whether a first result should have been here long ago, or a problem is unconfirmed and its retry not planned."""
    if state.state == words.PENDING:
        return now - state.since > FIRST_RESULT * SECOND
    if state.state_type != SOFT or not state.is_problem or state.last_check is None or state.next_check is None:
        return False
    retry = min(definition.retry, definition.interval)
    planned = (state.next_check - state.last_check) / SECOND - state.duration
    return planned > retry + MUCH_LATER and now - state.last_check >= retry * SECOND
