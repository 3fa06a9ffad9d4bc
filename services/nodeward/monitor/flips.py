"""Flips: the outbox. A flip is written with the state it led to, and stays open until it was told or need not be.

    flip      waiting → (held ↔ waiting) → told | dropped
    delivery  waiting → sending → sent | failed | dropped

Whether a flip may go out is decided here, from what is known now; `dispatch` acts on it.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from nodeward.core import clock
from nodeward.monitor import reachability, states
from nodeward.monitor.definitions import ALL_PROBLEMS, Fleet
from nodeward.monitor.downtimes import Calendar
from nodeward.monitor.states import State
from nodeward.store.base_states import HELD, SENDING, WAITING, Key

TOLD, DROPPED, SENT, FAILED = "told", "dropped", "sent", "failed"
PROBLEM, RECOVERY, REMINDER = states.PROBLEM, states.RECOVERY, "reminder"


@dataclass(frozen=True, slots=True)
class Flip:
    """A change to be told. `episode` is the id of the flip with which the problem began; `due` is when to look at it next."""

    id: int
    node: str
    service: str | None
    kind: str
    state: str
    before: str
    at: int
    output: str
    episode: int
    due: int
    status: str = WAITING
    reason: str = ""

    @property
    def key(self) -> Key:
        """What it is of."""
        return self.node, self.service

    @property
    def is_open(self) -> bool:
        """Whether it may still go out."""
        return self.status in (WAITING, HELD)

    def doc(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One flip to one address of one contact. `target` names the address without its secrets; `mark` recognises it.
    `what` is the flip as it was decided to be told."""

    id: int
    flip: int
    node: str
    service: str | None
    contact: str
    channel: str
    target: str
    mark: str
    created: int
    due: int
    what: dict[str, Any]
    status: str = WAITING
    tries: int = 0
    lease: int | None = None
    sent: int | None = None
    error: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it may still be sent."""
        return self.status in (WAITING, SENDING)

    def doc(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


class Send(NamedTuple):
    """Tell it now."""


class Hold(NamedTuple):
    """Not yet: look again when one of `watch` changes, or at `until`. A result of `wanted` would settle it."""

    reason: str
    watch: tuple[Key, ...]
    until: int | None = None
    wanted: tuple[Key, ...] = ()


class Drop(NamedTuple):
    """Never."""

    reason: str


Verdict = Send | Hold | Drop
_SECOND = 1_000_000
_BROUGHT_ALONG = 15 * _SECOND  # how old results may be in the first report of a node that is back


def judge(flip: Flip, fleet: Fleet, calendar: Calendar, look: Callable[[Key], State | None], now: int) -> Verdict:
    """Given an open flip that is due, say whether it may be told now. A recovery always may: its receivers know the problem."""
    state = look(flip.key)
    definition = fleet.definition(flip.key)
    if state is None or definition is None:
        return Drop("It is not defined any more.")
    if flip.kind == RECOVERY:
        return Send()
    if state.problem != flip.episode or state.state != flip.state:
        return Drop("It was over before anybody was told.")
    if flip.state not in (definition.notify or ALL_PROBLEMS):
        return Drop(f"Its definition does not notify of {flip.state}.")
    return _masked(state, fleet, look) or _silenced(state, calendar, now) or _unsure(state, fleet, look, now) or Send()


def _masked(state: State, fleet: Fleet, look: Callable[[Key], State | None]) -> Hold | None:
    """One cause, one alert: what hides behind a node that is down is not told."""
    if not (hiding := reachability.masked_by(fleet, look, state.key)):
        return None
    first = look((hiding[0], None))
    known_as = first.state if first else "down"
    return Hold(f"Node {hiding[0]} is {known_as}; that is the cause.", (state.key, *((name, None) for name in hiding)))


def _silenced(state: State, calendar: Calendar, now: int) -> Hold | None:
    """Somebody knows already. If the problem outlasts that, it is told then."""
    if downtime := calendar.covering(state.key, now):
        return Hold(f"In downtime until {clock.rfc3339(downtime.end)}: {downtime.comment}", (state.key,), downtime.end)
    if state.ack:
        return Hold(f"Acknowledged by {state.ack.author}: {state.ack.comment}", (state.key,), state.ack.expires)
    if state.flapping:
        return Hold("It is flapping.", (state.key,))
    return None


def _is_from_before(service: State, node: State, fleet: Fleet) -> bool:
    """Say whether a service was last judged before its node came back. What a node itself brings along is fresh."""
    definition = fleet.nodes.get(node.node)
    margin = _BROUGHT_ALONG if definition is not None and definition.agent else 0
    was_down = "D" in node.history and not node.is_problem
    return was_down and (service.judged or 0) < node.since - margin


def _unsure(state: State, fleet: Fleet, look: Callable[[Key], State | None], now: int) -> Hold | None:
    """The cause may lie elsewhere, or the problem may be over: wait for fresh word of either."""
    node = look((state.node, None))
    if state.service is not None and node is not None and _is_from_before(state, node, fleet):
        return Hold("Its node is back; waiting for a fresh result.", (state.key, node.key), wanted=(state.key,))
    if state.state == "UNREACHABLE" and state.deadline is not None:
        return Hold("The way to it is open again; waiting for word of it.", (state.key,), wanted=(state.key,))
    began = state.judged if state.stale else state.first_failed
    if names := reachability.unsettled(fleet, look, state.key, began or 0):
        causes = tuple((name, None) for name in names)
        silent = tuple(key for key in causes if (there := look(key)) and (there.judged or 0) < (began or 0))
        words = f"Waiting for fresh word of {', '.join(names)}, which may be the cause."
        return Hold(words, (state.key, *causes), now + _SECOND, silent)
    return None
