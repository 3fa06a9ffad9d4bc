"""Downtimes: work was planned, so nobody is told. One of a node covers its services."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from nodeward.store.base_states import Key


@dataclass(frozen=True, slots=True)
class Downtime:
    """From `begin` until (not including) `until`, microseconds since 1970. `cancelled` is when somebody ended it early."""

    id: int
    node: str
    service: str | None
    begin: int
    until: int
    comment: str
    author: str
    created: int
    cancelled: int | None = None
    began: bool = False  # its beginning has been recorded as an event
    ended: bool = False  # and its end

    @property
    def key(self) -> Key:
        """What it is of."""
        return self.node, self.service

    @property
    def is_open(self) -> bool:
        """Whether anything is still to come of it."""
        return not self.ended

    @property
    def end(self) -> int:
        """When it is over, or was."""
        return self.until if self.cancelled is None else min(self.until, self.cancelled)

    def covers(self, key: Key) -> bool:
        """Say whether it is of this node or service, or of the service's node."""
        return self.node == key[0] and self.service in (None, key[1])

    def holds(self, at: int) -> bool:
        """Say whether `at` lies within it."""
        return self.begin <= at < self.end

    def doc(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


class Calendar:
    """The downtimes that are not over, by node. Immutable: a change makes another one."""

    def __init__(self, downtimes: Iterable[Downtime] = ()) -> None:
        self._by_node: dict[str, list[Downtime]] = {}
        for each in downtimes:
            self._by_node.setdefault(each.node, []).append(each)

    def covering(self, key: Key, at: int) -> Downtime | None:
        """Return the downtime that covers `key` at that moment, the one that ends last, if any does."""
        holding = (each for each in self._by_node.get(key[0], ()) if each.covers(key) and each.holds(at))
        return max(holding, key=lambda each: each.end, default=None)

    def __iter__(self) -> Iterator[Downtime]:
        for each in self._by_node.values():
            yield from each
