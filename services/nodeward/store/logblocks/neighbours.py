"""Small batches that came one after the other, joined for searching.

A thousand of them, looked into one by one, take tens of milliseconds, though all their lines are looked through in one.

A run begins where the sequence number is a multiple of one of `SIZES`, so it stays the same while more comes behind it and while
others are compacted; what is too new for a run is looked into as it came.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from nodeward.store.logblocks.codec import Damaged
from nodeward.store.logblocks.rows import join
from nodeward.store.logblocks.units import Hot

SIZES = (4096, 256)  # records
FEW = 4  # batches that are not worth it
MUCH = 4 * 1024 * 1024  # bytes of batches that are looked into one by one quickly enough
_KEPT = 32 * 1024 * 1024  # bytes of joined batches

Key = tuple[int, int]  # the sequence numbers of the first record, and behind the last


@dataclass(frozen=True, slots=True)
class Run:
    """Batches in a row, and the times they have."""

    entries: Sequence[Any]
    min_time: int
    max_time: int


class Neighbours:
    """Gives batches as runs, and joins those of a run. `unit` gives what to search in of a single batch."""

    def __init__(self, unit: Callable[[Any], Hot]) -> None:
        self._unit = unit
        self._lock = threading.Lock()
        self._last: tuple[Sequence[Any], list[Run]] = ((), [])
        self._kept: OrderedDict[Key, Hot] = OrderedDict()
        self._apart: set[Key] = set()

    def runs(self, entries: Sequence[Any]) -> list[Run]:
        """Return all batches that are hot, as runs in their order."""
        of, found = self._last
        if of is not entries:
            found = [
                _run(part)
                for group in grouped(entries)
                for part in (grouped(group, ()) if _key(group) in self._apart else [group])
            ]
            self._last = entries, found
        return found

    def joined(self, run: Run) -> Hot | None:
        """Return what to search in, or None if one of them cannot be read: from then on `runs` gives each of them for itself.

        Raise Gone if they were compacted.
        """
        key = _key(run.entries)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        try:
            found = Hot(join([self._unit(entry).data for entry in run.entries]))
        except Damaged:
            self._apart.add(key)
            self._last = (), []
            return None
        with self._lock:
            self._kept[key] = found
            while sum(unit.weight for unit in self._kept.values()) > _KEPT and len(self._kept) > 1:
                self._kept.popitem(last=False)
        return found


def grouped(entries: Sequence[Any], sizes: Sequence[int] = SIZES) -> list[Sequence[Any]]:
    """Return batches as groups: several where they are small and no more can come between them."""
    if not sizes:
        return [[entry] for entry in entries]
    groups = [list(group) for _, group in groupby(entries, key=lambda entry: entry.seq // sizes[0])]
    found: list[Sequence[Any]] = []
    for group in groups:
        if group is not groups[-1] and len(group) >= FEW and sum(entry.bytes for entry in group) <= MUCH:
            found.append(group)
        else:
            found += grouped(group, sizes[1:])
    return found


def _key(entries: Sequence[Any]) -> Key:
    return entries[0].seq, entries[-1].end


def _run(entries: Sequence[Any]) -> Run:
    return Run(entries, min(entry.min_time for entry in entries), max(entry.max_time for entry in entries))
