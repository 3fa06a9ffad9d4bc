"""One file while it is followed, and what tells its life again."""

import os

import pytest

from nodeward.tailflog.config import Source
from nodeward.tailflog.follow.stream import CHUNK, Rewritten, Stream
from nodeward.tailflog.life import begin, behind, unpacked
from nodeward.tailflog.parse import Parser


def _stream(path, **more):
    status = path.stat()
    parser = Parser(Source(source="s", paths=[str(path)], **more), "n", 0)
    stream = Stream(begin("s", str(path), status.st_dev, status.st_ino, 1), parser, str(path))
    stream.open()
    return stream


def test_taking_twice_without_accepting_gives_the_same(tmp_path):
    path = tmp_path / "a.log"
    path.write_bytes(b"one\ntwo\nthr")
    stream = _stream(path)
    first = stream.take()
    again = stream.take()
    assert first.lines.lines == again.lines.lines == [b"one", b"two"]
    stream.accept(again)
    assert stream.take() is None
    assert stream.take(final=True).lines.lines == [b"thr"]
    stream.close()


def test_a_life_is_told_again_by_its_bytes_and_a_changed_file_is_not(tmp_path):
    path = tmp_path / "a.log"
    path.write_bytes(b"".join(b"line %d\n" % number for number in range(1000)))
    stream = _stream(path)
    while (chunk := stream.take()) is not None:
        stream.accept(chunk)
    life = unpacked(stream.life.packed())
    assert life == stream.life and life.offset == path.stat().st_size
    assert life.continues(stream.read, path.stat().st_size)
    with path.open("r+b") as file:
        file.write(b"LINE")
    assert not life.continues(stream.read, path.stat().st_size)
    os.truncate(path, 10)
    with pytest.raises(Rewritten):
        stream.take()
    stream.close()


def test_what_is_passed_over_at_once_is_the_same_life_as_what_is_read_line_by_line(tmp_path):
    path = tmp_path / "a.log"
    path.write_bytes(b"x" * 99 + b"\n" + b"".join(b"line %d\n" % number for number in range(5000)))
    stream = _stream(path)
    started = stream.life
    while (chunk := stream.take()) is not None:
        stream.accept(chunk)
    passed = behind(started, stream.read, path.stat().st_size)
    assert (passed.offset, passed.crc, passed.tail, passed.marks) == (
        stream.life.offset,
        stream.life.crc,
        stream.life.tail,
        stream.life.marks,
    )
    stream.close()


def test_a_file_written_anew_is_told_by_its_head_even_where_size_and_end_are_the_same(tmp_path):
    path = tmp_path / "a.log"
    path.write_bytes(b"one\n" + b"same\n" * 100)
    stream = _stream(path)
    stream.accept(stream.take())
    path.write_bytes(b"two\n" + b"same\n" * 100)
    with pytest.raises(Rewritten):
        stream.take()
    stream.close()


def test_an_open_record_is_given_when_it_is_due_and_what_the_clock_cut_off_is_marked(tmp_path):
    path = tmp_path / "a.log"
    path.write_bytes(b"> one\nmore\n> two\nmore\n")
    stream = _stream(path, multiline={"start": "^>", "wait": 0.001})
    first = stream.take()
    assert first.lines.lines == [b"> one\nmore"] and first.settled
    stream.accept(first)
    assert stream.rest() is None
    assert stream.take() is None and stream.due > 0
    assert stream.rest().lines.lines == [b"> two\nmore"]
    stream.due = 0.000001  # long past
    second = stream.take()
    assert second.lines.lines == [b"> two\nmore"] and not second.settled
    stream.accept(second)
    assert stream.life.offset == path.stat().st_size and stream.due == 0
    stream.close()


@pytest.mark.parametrize(
    ("encoding", "end"), [("", b"\r\n"), ("utf-16-le", b"\r\0\n\0"), ("utf-16-be", b"\0\r\0\n"), ("shift_jis", b"\n")]
)
@pytest.mark.parametrize("shift", range(-5, 5))
def test_a_line_end_that_the_edge_of_a_buffer_cuts_is_one(tmp_path, encoding, end, shift):
    path, letter = tmp_path / "a.log", "ソ".encode(encoding or "utf-8")
    first = letter * ((CHUNK + shift) // len(letter) - 1)
    path.write_bytes(first + end + letter + end)
    stream = _stream(path, encoding=encoding)
    found = []
    for _ in range(4):
        if (chunk := stream.take()) is not None:
            found += chunk.lines.lines
            stream.accept(chunk)
    assert found == [first.decode(encoding or "utf-8").encode(), "ソ".encode()]
    assert stream.life.offset == path.stat().st_size
    stream.close()
