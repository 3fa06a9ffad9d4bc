"""Takes one result, or one silence, through the state machine, with all that follows from it."""

from dataclasses import replace

from nodeward.core import clock
from nodeward.core import states as words
from nodeward.monitor import flips, reachability, states
from nodeward.monitor.board import Draft
from nodeward.monitor.definitions import Node
from nodeward.monitor.flips import Flip
from nodeward.monitor.states import SECOND, Policy, Seen, State, Turn
from nodeward.store.base_states import Key


class Observer:
    """Changes drafts. `slack` and `gather` are seconds (see the settings)."""

    def __init__(self, slack: float = 15.0, gather: float = 3.0) -> None:
        self._slack, self._gather = slack, int(gather * SECOND)

    def policy(self, draft: Draft, key: Key) -> Policy:
        """Return how results of `key` are judged; it must be defined."""
        definition = draft.fleet.definition(key)
        assert definition is not None
        volatile = not isinstance(definition, Node) and definition.volatile
        return Policy(
            definition.interval, definition.retry, definition.attempts, definition.timeout, volatile, self._slack
        )

    def observe(self, draft: Draft, key: Key, seen: Seen) -> bool:
        """Take a result. Return whether it counted: one that is older than the last does not."""
        old = draft.look(key)
        if old is None:
            return False
        policy = self.policy(draft, key)
        new, turns = states.step(old, self._in_context(draft, key, seen), policy)
        if new is old:
            return False
        silent = seen.silence
        self._settle(draft, old, replace(new, deadline=None if silent else self._deadline(draft, new, policy)), turns)
        return True

    def alive(self, draft: Draft, name: str) -> None:
        """A node's own server has reported: that is a sign of life. It ends a silence, but not a problem it reports itself."""
        old = draft.look((name, None))
        node = draft.fleet.nodes.get(name)
        if old is None or node is None or not node.agent:
            return
        if old.state == "UP" or (old.is_problem and not old.stale):
            deadline = draft.now + int(self.policy(draft, old.key).patience * SECOND)
            draft.put_quietly(replace(old, seen=draft.now, judged=draft.now, deadline=deadline))
            return
        self.observe(draft, old.key, Seen("UP", draft.now, "Its node server reports."))

    def reclassify_behind(self, draft: Draft, name: str) -> None:
        """A node went down or came back: those behind it that are down are unreachable now, or get time to be heard of."""
        for child in draft.fleet.behind.get(name, ()):
            state = draft.look((child, None))
            if state is None or not state.is_hard_problem:
                continue
            blamed = reachability.blockers(draft.fleet, draft.look, child)
            if blamed and state.state == "DOWN":
                output = f"Behind {', '.join(blamed)}. {state.output}"
                new, turns = states.reclassified(state, "UNREACHABLE", draft.now, output)
                self._settle(draft, state, new, turns)
            elif not blamed and state.state == "UNREACHABLE":
                patience = self.policy(draft, state.key).patience
                draft.put(replace(state, deadline=draft.now + int(patience * SECOND)))

    def flip(self, draft: Draft, state: State, kind: str, before: str, number: int, episode: int) -> State:
        """Put a change into the outbox; an open flip of the same thing is overtaken by it. Return the state that names it."""
        other = draft.flips.get(state.flip or 0)
        if other and other.is_open:
            reason = f"Overtaken: it is {state.state} since {clock.rfc3339(state.since)[:19]}Z."
            draft.flips[other.id] = replace(other, status=flips.DROPPED, reason=reason)
        draft.flips[number] = Flip(
            number, state.node, state.service, kind, state.state, before, state.since, state.output, episode,
            due=draft.now + (self._gather if kind != flips.RECOVERY else 0),
        )  # fmt: skip
        return replace(state, flip=number)

    def _in_context(self, draft: Draft, key: Key, seen: Seen) -> Seen:
        """A node in trouble is DOWN or UNREACHABLE; a service of such a node needs no retries."""
        if not words.is_problem(seen.state):
            return seen
        if key[1] is None:
            state, blamed = reachability.node_problem(draft.fleet, draft.look, key[0], seen.state)
            output = f"Behind {', '.join(blamed)}. {seen.output}" if blamed else seen.output
            return replace(seen, state=state, output=output)
        return replace(seen, certain=bool(reachability.masked_by(draft.fleet, draft.look, key)))

    def _deadline(self, draft: Draft, state: State, policy: Policy) -> int | None:
        node = draft.fleet.nodes.get(state.node)
        if node is None or node.reporter is None:
            return None
        planned = (state.last_check or draft.now) + int((policy.patience + state.duration) * SECOND)
        return max(planned, draft.now + int(policy.slack * SECOND))

    def _settle(self, draft: Draft, old: State, new: State, turns: list[Turn]) -> None:
        for turn in turns:
            new = self._write(draft, old, new, turn)
        draft.put(new)
        if new.service is None and old.hard != new.hard:
            if old.is_hard_problem != new.is_hard_problem:
                self._node_changed(draft, new)
            self.reclassify_behind(draft, new.node)

    def _write(self, draft: Draft, old: State, new: State, turn: Turn) -> State:
        if turn.flapping is not None:
            what = "began" if turn.flapping else "ended"
            draft.record("flapping", new.key, turn.at, what=what, state=new.state)
            return new
        number = draft.record(
            "state", new.key, turn.at, before=turn.before, state=turn.state, state_type=turn.state_type,
            attempt=new.attempt, attempts=new.attempts, output=new.output, stale=new.stale,
        )  # fmt: skip
        if turn.kind is None:
            return new
        episode = number if turn.new_episode or old.problem is None else old.problem
        new = self.flip(draft, new, turn.kind, turn.before, number, episode)
        return replace(new, problem=episode if turn.kind == states.PROBLEM else None, reminded=None)

    def _node_changed(self, draft: Draft, node: State) -> None:
        """Its services' rows look different now; after a recovery those that were silent get time to be heard of again."""
        for key in draft.fleet.services_of.get(node.node, ()):
            service = draft.look(key)
            if service is None:
                continue
            if not node.is_problem and (service.stale or service.deadline is None):
                patience = self.policy(draft, key).patience
                service = replace(service, deadline=draft.now + int(patience * SECOND))
            draft.put(service)
