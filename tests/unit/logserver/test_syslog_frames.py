import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeward.logserver.syslog_frames import MAX_MESSAGE, Frames

MESSAGES = [b"<13>one", b"<14>two of\nthree lines", b"<15>four"]


def in_pieces(data, cuts):
    frames, found = Frames(), []
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for begin, end in itertools.pairwise(edges):
        found += frames.feed(data[begin:end])
    return found + frames.finish()


@given(st.lists(st.integers(0, 1000), max_size=8))
def test_counted_messages_come_out_whole_however_they_are_cut(cuts):
    data = b"".join(b"%d %s" % (len(message), message) for message in MESSAGES)
    assert in_pieces(data, cuts) == MESSAGES


@given(st.lists(st.integers(0, 1000), max_size=8))
def test_lines_come_out_whole_however_they_are_cut(cuts):
    assert in_pieces(b"<13>one\r\n\n<14>1 two\0 3 plain\nlast without end", cuts) == [
        b"<13>one", b"<14>1 two", b" 3 plain", b"last without end",
    ]  # fmt: skip


@given(st.lists(st.integers(0, 1000), max_size=8))
def test_both_framings_may_be_mixed(cuts):
    assert in_pieces(b"<13>line\n8 <14>four<13>line\n", cuts) == [b"<13>line", b"<14>four", b"<13>line"]


def test_a_line_that_begins_with_a_number_is_a_line():
    assert in_pieces(b"2026-11-24 x\n12 monkeys\n", [3, 14]) == [b"2026-11-24 x", b"12 monkeys"]


def test_a_line_without_end_is_cut_and_its_rest_left_out():
    frames = Frames()
    found = [message for _ in range(40) for message in frames.feed(b"x" * 100_000)]
    assert [len(message) for message in found] == [MAX_MESSAGE]
    assert frames.feed(b"rest\n<13>next\n") == [b"<13>next"]


def test_a_message_announced_too_long_is_refused():
    with pytest.raises(ValueError, match="at most"):
        Frames().feed(b"999999999 <13>x")
