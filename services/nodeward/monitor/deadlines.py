"""A queue of moments: which node or service to look at next."""

import heapq
from itertools import count

from nodeward.store.base_states import Key

_AT_ONCE = 2000


class Deadlines:
    """Which nodes and services to look at when. It may know a moment too early, never too late: the state itself decides."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Key]] = []
        self._number = count()  # keys cannot be compared: a node's own has no service
        self._planned: dict[Key, int] = {}

    def plan(self, key: Key, deadline: int | None) -> None:
        """Look at `key` at `deadline`, unless it is looked at before that anyway."""
        planned = self._planned.get(key)
        if deadline is not None and (planned is None or deadline < planned):
            self._planned[key] = deadline
            heapq.heappush(self._heap, (deadline, next(self._number), key))

    def due(self, now: int, limit: int = _AT_ONCE) -> list[Key]:
        """Take out those whose moment has come."""
        found: list[Key] = []
        while self._heap and self._heap[0][0] <= now and len(found) < limit:
            moment, _, key = heapq.heappop(self._heap)
            if self._planned.get(key) == moment:
                del self._planned[key]
                found.append(key)
        return found

    def __len__(self) -> int:
        return len(self._planned)
