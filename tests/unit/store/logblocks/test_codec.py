import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeward.store.logblocks import codec
from nodeward.store.logblocks.codec import Columns, Damaged

whole = st.integers(-(2**61), 2**61)
columns = st.one_of(
    st.lists(whole, max_size=40),
    st.lists(st.integers(0, 300), max_size=40),
    st.tuples(whole, st.integers(1, 10**6), st.integers(0, 40)).map(lambda a: [a[0] + a[1] * n for n in range(a[2])]),
)


@given(columns, st.booleans(), st.lists(st.integers(0, 9), max_size=5))
def test_columns_come_back_as_they_were(values, differences, others):
    column = np.array(values, np.int64)
    other = np.arange(len(values)) * 7
    data = codec.pack(column, differences) + codec.pack(other, True)
    read = Columns(data, ("one", "two"), len(values))
    some = np.arange(0, len(values), 9)
    assert read.at("one", some).tolist() == values[::9]
    assert read.get("one").tolist() == values
    assert read.at("one", some).tolist() == values[::9]
    assert read.get("two").tolist() == other.tolist()


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=20), st.data())
def test_text_comes_back_as_it_was_whole_and_in_parts(lines, data):
    ends = np.cumsum([len(line) for line in lines])
    text = codec.separate(b"".join(lines), ends)
    plain = b"".join(line + b"\n" for line in lines)
    assert text.tobytes() == plain
    packed = codec.pack_text(text)
    template = codec.unpack_template(packed)
    assert codec.fill_in(template, packed) == plain
    cuts = sorted(data.draw(st.lists(st.integers(0, len(plain)), max_size=6)))
    spans = list(zip(cuts[::2], cuts[1::2], strict=False))
    assert codec.cut_out(template, packed, spans) == [plain[begin:end] for begin, end in spans]


@pytest.mark.parametrize("spoil", [lambda d: d[:-1], lambda d: d + b"x", lambda d: b""])
def test_columns_of_another_length_are_damaged(spoil):
    with pytest.raises(Damaged):
        Columns(spoil(codec.pack(np.arange(5) ** 2)), ("a",), 5)


def test_a_flipped_bit_is_noticed():
    packed = bytearray(codec.compress(b"hello " * 100))
    packed[len(packed) // 2] ^= 4
    with pytest.raises(Damaged):
        codec.decompress(bytes(packed))
