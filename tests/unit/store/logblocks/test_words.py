import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nodeward.store.logblocks import words

texts = st.one_of(st.binary(max_size=200), st.text("abAB_1 .-é", max_size=200).map(str.encode))


def plain_words(text):
    found, word = [], b""
    for byte in text.lower() + b" ":
        if (chr(byte).isascii() and (chr(byte).isalnum() or byte == ord("_"))) or byte > 127:
            word += bytes([byte])
        elif word:
            found.append(word)
            word = b""
    return found


@given(texts)
def test_words_are_hashed_the_same_wherever_they_stand(text):
    assert words.hashes(text).tolist() == [int(words.hashes(word)[0]) for word in plain_words(text)]


def test_a_long_text_is_hashed_in_slices_without_cutting_words():
    text = b" ".join(b"word%d" % number for number in range(60_000))
    assert len(words.hashes(text)) == 60_000
    assert words.hashes(text)[-1] == words.hashes(b"word59999")[0]


def test_a_word_longer_than_a_slice_is_no_trouble():
    assert len(words.hashes(b"x" * 500_000 + b" end")) >= 2
    assert words.hashes(b"x" * 500_000 + b" end")[-1] == words.hashes(b"end")[0]


def holds(filters, word):
    number = int(words.hashes(word)[0])
    size = filters.shard_size
    shard = words.shard_of(number)
    return words.test(filters.data[shard * size : (shard + 1) * size], filters, number).tolist()


@given(st.lists(st.lists(st.integers(0, 500), max_size=60), min_size=1, max_size=5))
def test_a_filter_never_denies_what_is_there(pieces):
    hashed = [words.distinct(words.hashes(" ".join(f"w{n}" for n in piece).encode())) for piece in pieces]
    filters = words.build(hashed)
    for number, piece in enumerate(pieces):
        for n in piece:
            assert holds(filters, b"W%d" % n)[number]


def test_a_filter_mostly_denies_what_is_not_there():
    piece = words.distinct(words.hashes(b" ".join(b"w%d" % n for n in range(5000))))
    filters = words.build([piece, piece])
    wrong = sum(sum(holds(filters, b"absent%d" % n)) for n in range(1000))
    assert wrong / 2000 < 0.01
    assert len(filters.data) <= 2 * 5000 * 1.8


def test_a_word_that_is_nowhere_never_seems_to_be_in_every_piece_though_all_have_the_same_words():
    piece = words.distinct(words.hashes(b" ".join(b"w%d" % n for n in range(1000))))
    filters = words.build([piece] * 100)
    wrong = [sum(holds(filters, b"absent%d" % n)) for n in range(1000)]
    assert max(wrong) < 20
    assert sum(wrong) < 1000


@given(st.lists(st.integers(0, 50), max_size=200))
def test_distinct_loses_no_hash(numbers):
    found = np.array(numbers, np.uint32) * np.uint32(65536)  # all in one slot: the worst case
    assert set(words.distinct(found).tolist()) == set(found.tolist())
