import itertools
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from nodeward.store.logblocks import neighbours
from nodeward.store.logblocks.neighbours import FEW, MUCH, SIZES, grouped


@dataclass(frozen=True)
class Entry:
    seq: int
    count: int
    bytes: int


def entries_of(first, counts, size=100):
    ends = list(itertools.accumulate(counts, initial=first))
    return [Entry(seq, count, count * size) for seq, count in zip(ends, counts, strict=False)]


counts = st.lists(st.sampled_from([1, 2, 5, 40, 300, 5000]), max_size=200)


@given(st.integers(1, 100_000), counts)
def test_groups_are_all_batches_in_their_order(first, given_counts):
    entries = entries_of(first, given_counts)
    groups = grouped(entries)
    assert [entry for group in groups for entry in group] == entries
    for group in groups:
        assert len(group) == 1 or (len(group) >= FEW and sum(entry.bytes for entry in group) <= MUCH)


@given(counts, st.integers(0, 200), st.integers(0, 200))
def test_a_group_stays_the_same_while_more_comes_and_others_are_compacted(given_counts, begin, end):
    entries = entries_of(1, given_counts)
    part = entries[begin : max(begin, end)]
    whole = {tuple(group) for group in grouped(entries) if len(group) > 1}
    cut_at_the_beginning = part[0].seq // SIZES[0] if part else -1
    for group in grouped(part):
        if len(group) > 1 and group[0].seq // SIZES[0] not in (cut_at_the_beginning, part[-1].seq // SIZES[0]):
            assert tuple(group) in whole


def test_a_thousand_small_batches_are_few_groups():
    assert len(grouped(entries_of(1, [5] * 1000))) <= 1 + 4096 // 256 + 256 // 5 + 1


def test_large_batches_stay_alone():
    assert all(len(group) == 1 for group in grouped(entries_of(1, [5000] * 10)))
    assert all(len(group) == 1 for group in grouped(entries_of(1, [50] * 400, size=neighbours.MUCH)))
