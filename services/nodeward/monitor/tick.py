"""What time alone brings about: silences, downtimes that begin and end, acknowledgements that expire, reminders."""

import logging
from collections.abc import Callable
from dataclasses import replace

from nodeward.core import clock
from nodeward.monitor import flips, freshness
from nodeward.monitor.board import Board, Draft
from nodeward.monitor.dispatch import Outbox
from nodeward.monitor.downtimes import Downtime
from nodeward.monitor.observe import Observer
from nodeward.monitor.states import SECOND, State
from nodeward.monitor.writer import Writer
from nodeward.store.base_states import Key

log = logging.getLogger(__name__)

_SAVE_EVERY = 10 * SECOND
_AWAY = 20 * SECOND  # a gap between two ticks that means the monitor stood still: suspended, stopped, or starved
_SCAN_EVERY = 5 * SECOND


class Tick:
    """One `unit` is one look at the clock; a worker calls it a few times a second."""

    def __init__(
        self,
        board: Board,
        writer: Writer,
        observer: Observer,
        outbox: Outbox,
        *,
        grace: float,
        remind: float = 0.0,
        now: Callable[[], int] = clock.now,
    ) -> None:
        self._board, self._writer, self._observer, self._outbox = board, writer, observer, outbox
        self._grace, self._remind, self._now = grace, int(remind * SECOND), now
        self._saved = self._scanned = 0
        self._alive = int(board.meta.get("alive", 0))
        self._started = False

    def unit(self) -> bool:
        """Do what is due. Return whether more is."""
        now = self._now()
        due = self._board.deadlines.due(now) if self._started else []
        again: list[tuple[Key, int]] = []
        try:
            self._writer.do(lambda draft: again.extend(self._advance(draft, due)))
        except Exception:
            again = [(key, now) for key in due]  # nothing happened: all of them are still to be looked at
            raise
        finally:
            for key, moment in again:
                self._board.deadlines.plan(key, moment)
        return len(due) > 0

    def _advance(self, draft: Draft, due: list[Key]) -> list[tuple[Key, int]]:
        self._notice_absence(draft)
        looked = [(key, freshness.look(draft, self._observer, key)) for key in sorted(due, key=_nodes_first)]
        for downtime in list(draft.downtimes.values()):
            self._advance_downtime(draft, downtime)
        if draft.now - self._scanned >= _SCAN_EVERY:
            self._scanned = draft.now
            for key in [state.key for state in self._board.states.values() if state.is_problem]:
                if state := draft.look(key):
                    self._advance_problem(draft, state)
        self._outbox.route(draft)
        self._save(draft)
        return [(key, moment) for key, moment in looked if moment is not None]

    def _notice_absence(self, draft: Draft) -> None:
        """While the monitor was away nobody could reach it: what it did not hear then is no silence."""
        away = draft.now - self._alive
        if not self._started or away > _AWAY:
            moved = freshness.after_absence(draft, self._grace)
            if self._alive:
                draft.record("monitor", ("", None), what="back", away=away // SECOND)
                log.info("the monitor was away for %d s; %d deadlines moved", away // SECOND, moved)
        self._started, self._alive = True, draft.now

    def _advance_downtime(self, draft: Draft, downtime: Downtime) -> None:
        if not downtime.began and downtime.holds(draft.now):
            downtime = replace(downtime, began=True)
            self._mark(draft, downtime, "began")
        if not downtime.ended and draft.now >= downtime.end:
            downtime = replace(downtime, ended=True)
            self._mark(draft, downtime, "ended" if downtime.cancelled is None else "cancelled")

    def _mark(self, draft: Draft, downtime: Downtime, what: str) -> None:
        draft.plan(downtime)
        draft.record(
            "downtime", downtime.key, what=what, downtime=downtime.id, author=downtime.author, comment=downtime.comment
        )
        covered = (
            [downtime.key] if downtime.service else [downtime.key, *draft.fleet.services_of.get(downtime.node, ())]
        )
        for key in covered:
            draft.touch(key)

    def _advance_problem(self, draft: Draft, state: State) -> None:
        if state.ack and state.ack.expires is not None and state.ack.expires <= draft.now:
            draft.record(
                "acknowledgement", state.key, what="expired", author=state.ack.author, comment=state.ack.comment
            )
            self._remember(draft, replace(state, ack=None))
        elif self._remind and state.problem is not None and state.ack is None:
            told = state.reminded or state.hard_since
            if draft.now - told >= self._remind and not draft.calendar.covering(state.key, draft.now):
                self._remember(draft, state)

    def _remember(self, draft: Draft, state: State) -> None:
        """Tell a problem that lasts once more, unless its first telling is still to come."""
        flip = draft.flips.get(state.flip or 0)
        if state.problem is not None and not (flip and flip.is_open):
            number = draft.record("reminder", state.key, state=state.state, since=state.since)
            state = self._observer.flip(draft, state, flips.REMINDER, state.state, number, state.problem)
        draft.put(replace(state, reminded=draft.now))

    def _save(self, draft: Draft) -> None:
        """Now and then: the signs of life that nothing else came with, and that the monitor itself is alive."""
        if draft.now - self._saved < _SAVE_EVERY:
            return
        self._saved = draft.now
        for key in list(self._board.unsaved):
            draft.touch(key)
        draft.meta.update(alive=draft.now, seq=draft.seq, last_event=draft.last_event)


def _nodes_first(key: Key) -> tuple[bool, str]:
    """A node's silence comes before its services': it is their cause."""
    return key[1] is not None, key[0]
