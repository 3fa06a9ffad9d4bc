"""States, and the one function that decides them: old state + result → new state, and what is worth an event.

The rules are Nagios': a problem is soft until it was seen `attempts` times in a row, then hard; only hard changes are told
to people; a recovery from a soft problem is silent. While its node is down, a service's problem is hard at once (there is
no point in retrying) and told to nobody.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

from nodeward.core import states as words
from nodeward.monitor import flapping
from nodeward.store.base_states import Key

SOFT, HARD = "soft", "hard"
SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Ack:
    """Somebody has taken a problem on: until `expires` (None: until it is over), through changes of state if `sticky`."""

    author: str
    comment: str
    at: int
    expires: int | None
    sticky: bool


@dataclass(frozen=True, slots=True)
class State:
    """What is known of one node (service None) or service. Times are microseconds since 1970.

    `problem` is the id of the event with which the present problem became hard, None while there is none: it names the
    episode; `flip` is the last change that went into the outbox. `seen` is the last result or sign of life, `judged` the last
    reason to say what it is now, which a long silence is too; `deadline` is when silence becomes a problem.
    """

    node: str
    service: str | None
    state: str = words.PENDING
    state_type: str = HARD
    attempt: int = 1
    attempts: int = 1
    since: int = 0
    hard: str = words.PENDING
    hard_since: int = 0
    first_failed: int | None = None
    last_check: int | None = None
    next_check: int | None = None
    output: str = ""
    long_output: str = ""
    perfdata: str = ""
    unparsed: str = ""
    duration: float = 0.0
    latency: float = 0.0
    stale: bool = False
    flapping: bool = False
    history: str = ""
    problem: int | None = None
    ack: Ack | None = None
    seen: int | None = None
    judged: int | None = None
    deadline: int | None = None
    flip: int | None = None
    reminded: int | None = None
    seq: int = 0

    @property
    def key(self) -> Key:
        """What names it."""
        return self.node, self.service

    @property
    def is_problem(self) -> bool:
        """Whether somebody should look at it, even if it is soft yet."""
        return words.is_problem(self.state)

    @property
    def is_hard_problem(self) -> bool:
        """Whether it is a problem that has been confirmed."""
        return self.state_type == HARD and self.is_problem

    def doc(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        document = {name: getattr(self, name) for name in self.__slots__}
        document["ack"] = asdict(self.ack) if self.ack else None
        return document


def from_doc(document: dict[str, Any]) -> State:
    """Return the state that `State.doc` wrote; what an older version did not know has its default."""
    known = {name: document[name] for name in State.__slots__ if name in document}
    if known.get("ack"):
        known["ack"] = Ack(**known["ack"])
    return State(**known)


@dataclass(frozen=True, slots=True)
class Policy:
    """How results of one node or service are judged. Durations are seconds."""

    interval: float = 60.0
    retry: float = 15.0
    attempts: int = 3
    timeout: float = 10.0
    volatile: bool = False
    slack: float = 15.0

    @property
    def patience(self) -> float:
        """How long after one result begins the next must be here."""
        return max(self.interval, self.retry) + self.timeout + self.slack


@dataclass(frozen=True, slots=True)
class Seen:
    """A result in the monitor's own terms: the state it stands for, and the moments by the monitor's clock."""

    state: str
    at: int
    output: str = ""
    long_output: str = ""
    perfdata: str = ""
    unparsed: str = ""
    duration: float = 0.0
    latency: float = 0.0
    next_check: int | None = None
    silence: bool = False  # no result at all: what the monitor makes of a deadline that passed
    certain: bool = False  # hard at once: silence, or a service whose node is down


@dataclass(frozen=True, slots=True)
class Turn:
    """A change that is worth an event. `kind` is problem, recovery, or none where nobody is to be told."""

    kind: str | None
    before: str
    state: str
    state_type: str
    at: int
    new_episode: bool = False
    flapping: bool | None = None  # began (True) or ended (False)


PROBLEM, RECOVERY = "problem", "recovery"


def step(old: State, seen: Seen, policy: Policy) -> tuple[State, list[Turn]]:
    """Given the old state and a result, return the new state and the turns in it, if any.

    A result that is older than the last one changes nothing. Moments of turns never go back: a late result that ends
    a silence is dated behind it.
    """
    if not seen.silence and old.last_check is not None and seen.at <= old.last_check:
        return old, []
    at = max(seen.at, old.since + 1) if old.since else seen.at
    attempt, state_type = _attempt(old, seen, policy)
    new = _judged(old, seen, policy, at, attempt, state_type)
    turns = [*_turns(old, new, policy, at), *_flaps(old, new, at)]
    return new, turns


def reclassified(old: State, state: str, at: int, output: str) -> tuple[State, list[Turn]]:
    """Return a hard problem under another name, e.g. UNREACHABLE once the parent is down too. No result says so."""
    new = replace(old, state=state, hard=state, since=max(at, old.since + 1), hard_since=at, output=output)
    return new, [Turn(PROBLEM, old.state, state, HARD, new.since)]


def _attempt(old: State, seen: Seen, policy: Policy) -> tuple[int, str]:
    if not words.is_problem(seen.state):
        return 1, HARD
    if seen.certain or seen.silence:
        return min(old.attempt, policy.attempts) if old.is_problem else 1, HARD
    if old.is_hard_problem:
        return old.attempt, HARD
    attempt = old.attempt + 1 if old.is_problem else 1
    return min(attempt, policy.attempts), HARD if attempt >= policy.attempts else SOFT


def _judged(old: State, seen: Seen, policy: Policy, at: int, attempt: int, state_type: str) -> State:
    changed = seen.state != old.state
    history = flapping.remember(old.history, seen.state)
    hard = seen.state if state_type == HARD else old.hard
    problem = words.is_problem(seen.state)
    return replace(
        old,
        state=seen.state,
        state_type=state_type,
        attempt=attempt,
        attempts=policy.attempts,
        since=at if changed else old.since,
        hard=hard,
        hard_since=at if hard != old.hard else old.hard_since,
        first_failed=(old.first_failed or at) if problem else None,
        last_check=old.last_check if seen.silence else seen.at,
        next_check=None if seen.silence else seen.next_check,
        output=seen.output,
        long_output=seen.long_output,
        perfdata="" if seen.silence else seen.perfdata,
        unparsed="" if seen.silence else seen.unparsed,
        duration=seen.duration,
        latency=seen.latency,
        stale=seen.silence,
        seen=old.seen if seen.silence else max(seen.at, old.seen or 0),
        judged=max(seen.at, old.judged or 0),
        history=history,
        flapping=flapping.is_flapping(history, old.flapping),
        problem=old.problem if problem else None,
        ack=_ack(old, seen.state),
    )


def _ack(old: State, state: str) -> Ack | None:
    """An acknowledgement ends with the problem; one that is not sticky ends with any change of state."""
    if old.ack is None or not words.is_problem(state) or (state != old.state and not old.ack.sticky):
        return None
    return old.ack


def _turns(old: State, new: State, policy: Policy, at: int) -> list[Turn]:
    def turn(kind: str | None, new_episode: bool = False) -> list[Turn]:
        return [Turn(kind, old.state, new.state, new.state_type, at, new_episode)]

    if new.state_type == SOFT:
        return turn(None) if (new.state, new.attempt) != (old.state, old.attempt) else []
    if new.is_problem:
        if old.is_hard_problem and old.state == new.state:
            return turn(PROBLEM) if policy.volatile and not new.stale else []
        return turn(PROBLEM, new_episode=not old.is_hard_problem)
    if old.is_hard_problem:
        return turn(RECOVERY)
    return turn(None) if old.state != new.state else []


def _flaps(old: State, new: State, at: int) -> list[Turn]:
    if old.flapping == new.flapping:
        return []
    return [Turn(None, old.state, new.state, new.state_type, at, flapping=new.flapping)]
