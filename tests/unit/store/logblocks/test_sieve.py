import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeward.store.logblocks import sieve, words
from nodeward.store.logblocks.codec import Damaged

blocks = st.lists(  # of blocks, of pieces, the words of each
    st.lists(st.lists(st.integers(0, 300), max_size=40), min_size=1, max_size=4), min_size=1, max_size=5
)


def word(number):
    return int(words.hashes(b"w%d" % number)[0])


def filters_of(pieces):
    return words.build([np.unique(np.array([word(number) for number in piece], np.uint32)) for piece in pieces])


def own_answer(filters, wanted):
    result = np.ones(filters.pieces, np.bool_)
    for group in wanted:
        any_of = np.zeros(filters.pieces, np.bool_)
        for one in group:
            at = words.shard_of(one) * filters.shard_size
            shard = filters.data[at : at + filters.shard_size]
            any_of |= words.test(shard, filters, one)
        result &= any_of
    return result.tolist()


@given(blocks, st.lists(st.lists(st.integers(0, 400), min_size=1, max_size=3), min_size=1, max_size=3), st.data())
def test_a_sieve_answers_for_each_block_as_its_own_filters_do(given_blocks, asked, data):
    all_filters = [filters_of(pieces) for pieces in given_blocks]
    probes = st.sampled_from([words.FORMER_PROBES, words.PROBES])  # some were written when a word had fewer bits
    all_filters = [
        words.Filters(one.pieces, one.width, one.data, data.draw(probes), data.draw(st.booleans()))
        for one in all_filters
    ]
    gathered = sieve.gather([(number * 10, filters) for number, filters in enumerate(all_filters)])
    wanted = tuple(tuple(word(number) for number in group) for group in asked)
    answers = sieve.read_head(gathered.head).sift(wanted, gathered.shards.__getitem__)
    for number, filters in enumerate(all_filters):
        own = own_answer(filters, wanted)
        assert (answers[number * 10].tolist() if number * 10 in answers else [False] * len(own)) == own


def test_a_spoilt_shard_is_said_and_the_others_answer():
    gathered = sieve.gather([(1, filters_of([[1, 2, 3]])), (2, filters_of([[4]]))])
    spoilt = words.shard_of(word(1))
    shards = list(gathered.shards)
    shards[spoilt] = bytes(len(shards[spoilt]))
    read = sieve.read_head(gathered.head)
    with pytest.raises(Damaged, match=f"shard {spoilt} fails its checksum"):
        read.sift(((word(1),),), shards.__getitem__)
    other = next(number for number in range(2, 5) if words.shard_of(word(number)) != spoilt)
    assert read.sift(((word(other),),), shards.__getitem__)
    with pytest.raises(Damaged):
        read.check(shards.__getitem__)


@pytest.mark.parametrize("data", [b"", b"nonsense", zlib.compress(b"{}")])
def test_a_head_that_is_none_is_damage(data):
    with pytest.raises(Damaged):
        sieve.read_head(data)
