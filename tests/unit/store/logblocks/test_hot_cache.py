"""What is kept of hot batches: the room that they take is counted as it is."""

from typing import Any

from nodeward.store.logblocks.hot import _Cache


def test_a_batch_that_several_bring_at_the_same_time_is_counted_once() -> None:
    unit: Any = object()
    cache = _Cache(100)
    for seq in (1, 1, 1, 2):
        cache.put(seq, unit, 40)
    assert [cache.get(seq) for seq in (1, 2)] == [unit, unit]
    cache.put(3, unit, 40)
    assert [cache.get(seq) for seq in (1, 2, 3)] == [None, unit, unit]
    for seq in (2, 3):
        cache.drop(seq)
    assert cache._used == 0
