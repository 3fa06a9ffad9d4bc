"""What the loop that follows decides: whose turn it is, which file is closed, where a rotation happened, who is called what."""

from types import SimpleNamespace

import pytest

from nodeward.tailflog.config import Source
from nodeward.tailflog.follow.descriptors import Descriptors
from nodeward.tailflog.follow.files import rotated
from nodeward.tailflog.follow.spooling import SpoolFault, Spooling
from nodeward.tailflog.follow.stream import Stream
from nodeward.tailflog.follow.streams import Streams
from nodeward.tailflog.follow.turns import Turns
from nodeward.tailflog.life import begin, newest
from nodeward.tailflog.parse import Parser


def _stream(path="/logs/app.log", inode=1, born=5):
    return Stream(begin("s", path, 9, inode, born), Parser(Source(source="s", paths=["/logs/*"]), "n", 0), path)


def test_who_took_least_of_the_time_is_next_and_an_idle_one_saved_nothing_up():
    turns, cheap, dear, idle = Turns(), _stream(), _stream(inode=2), _stream(inode=3)
    turns.wake(dear)
    turns.wake(dear)  # once is enough
    turns.wake(cheap)
    assert turns.next() is dear
    dear.spent += 2.0
    turns.wake(dear)
    assert turns.next() is cheap
    cheap.spent += 1.0
    turns.wake(cheap)
    assert turns.next() is cheap
    turns.wake(idle)
    assert idle.spent == 1.0
    assert [turns.next(), turns.next()] == [idle, dear] and not turns


def test_an_open_record_has_its_turn_when_it_is_due_and_not_before():
    turns, stream, none = Turns(), _stream(), _stream(inode=2)
    stream.due = 7.0
    for one in (stream, stream, none):
        turns.wake_at_due(one)
    assert turns.due == 7.0
    turns.wake_due(6.9)
    assert not turns
    turns.wake_due(7.0)
    assert turns.next() is stream and not turns and turns.due is None


def test_the_file_longest_idle_is_closed_first_but_not_one_with_an_open_record():
    opened, first, second, third = Descriptors(), _stream(), _stream(inode=2), _stream(inode=3)
    for stream in (first, second, third):
        opened.add(stream)
    opened.touch(first)
    second.due = 1.0
    assert opened.idlest() is third
    opened.discard(third)
    opened.discard(first)
    assert opened.idlest() is second and not opened.used_up
    opened.touch(first)  # it is not here
    assert list(opened) == [second]


def test_a_rotation_happened_where_a_file_is_no_longer_or_its_life_is_lost():
    here, moved, lost = _stream("/logs/a"), _stream("/logs/b", inode=2), begin("s", "/logs/c", 9, 3, 4)
    moved.listed, moved.seen = False, (10, 6_000)
    assert rotated([here, moved], [lost]) == {("s", "/logs/b"): 6_000, ("s", "/logs/c"): 4_000}
    older = begin("s", "/logs/b", 9, 4, 2)
    assert rotated([moved], [older])[("s", "/logs/b")] == 2_000


def test_a_stream_is_found_by_its_inode_and_by_the_name_it_has_now():
    streams, stream = Streams(), _stream()
    streams.add(stream)
    streams.move(stream, "/logs/app.log.1")
    assert streams.get(("s", 9, 1)) is stream and list(streams.at("/logs/app.log.1")) == [stream]
    assert not streams.at("/logs/app.log")
    other = _stream("/logs/app.log", inode=2)
    streams.add(other)
    assert set(streams.alike(stream)) == {stream, other} and streams.besides({stream.key}) == [other]
    streams.drop(stream)
    assert list(streams) == [other] and len(streams) == 1 and not streams.at("/logs/app.log.1")


def test_of_two_lives_of_one_inode_the_older_one_has_ended():
    old, new = begin("s", "/logs/a", 9, 1, 1), begin("s", "/logs/a", 9, 1, 2)
    assert newest([new, old]) == ({("s", 9, 1): new}, [old])


def test_a_spool_that_cannot_be_written_moves_nothing():
    def append(*_):
        raise OSError(28, "No space left on device")

    spooling = Spooling(SimpleNamespace(append=append))
    with pytest.raises(SpoolFault, match=r"No space left on device.*free space") as fault:
        spooling.keep(begin("s", "/logs/a", 9, 1, 1))
    assert fault.value.retry and spooling.counts.lines == 0
