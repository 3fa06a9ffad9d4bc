"""The queue of a browser's packets under eventlet: order, waiting, and readers that come to an end."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import eventlet
    from eventlet.queue import Empty

from nodeward.web.outbox import Outbox


def reader(box: Outbox, into: list[Any]) -> Callable[[], None]:
    """Return what reads until it is given None."""

    def read() -> None:
        while (item := box.get()) is not None:
            into.append(item)
            box.task_done()
        box.task_done()

    return read


def test_what_is_put_is_taken_in_its_order() -> None:
    box, got = Outbox(), []
    reading = eventlet.spawn(reader(box, got))
    for number in range(5):
        box.put(number)
        eventlet.sleep(0)
    for number in range(5, 9):
        box.put(number)
    box.put(None)
    reading.wait()
    assert got == list(range(9))
    assert box.empty()


def test_one_frame_wakes_everybody_and_each_gets_it_once() -> None:
    boxes, got = [Outbox() for _ in range(300)], [[] for _ in range(300)]
    readings = [eventlet.spawn(reader(box, into)) for box, into in zip(boxes, got, strict=True)]
    eventlet.sleep(0)
    for item in ("frame", "another"):
        for box in boxes:
            box.put(item)
        eventlet.sleep(0)
    for box in boxes:
        box.put(None)
    for reading in readings:
        reading.wait()
    assert got == [["frame", "another"]] * 300


def test_nothing_there_is_said_to_whoever_does_not_wait() -> None:
    with pytest.raises(Empty):
        Outbox().get(block=False)


def test_a_second_reader_is_turned_away() -> None:
    box = Outbox()
    first = eventlet.spawn(box.get)
    eventlet.sleep(0)
    with pytest.raises(Empty):
        box.get()
    box.put("x")
    assert first.wait() == "x"


def test_a_reader_that_is_ended_while_it_is_woken_is_not_disturbed_at_what_it_does_next() -> None:
    box, slept = Outbox(), []

    def read() -> None:
        try:
            box.get()
        except KeyError:
            eventlet.sleep(0.05)  # the wake-up that was under way must not end this
            slept.append(True)

    reading = eventlet.spawn(read)
    eventlet.sleep(0)
    box.put("too late")
    eventlet.kill(reading, KeyError)
    reading.wait()
    assert slept == [True]
    assert box.get() == "too late"


def test_one_reader_that_fails_takes_none_of_the_others_along() -> None:
    box, other, got = Outbox(), Outbox(), []

    def fail() -> None:
        box.get()
        raise OSError("the browser is gone")

    failing, reading = eventlet.spawn(fail), eventlet.spawn(reader(other, got))
    eventlet.sleep(0)
    for each in (box, other):
        each.put("frame")
    other.put(None)
    reading.wait()
    assert got == ["frame"]
    with pytest.raises(OSError, match="gone"):
        failing.wait()


def test_joining_waits_until_all_is_dealt_with() -> None:
    box, got = Outbox(), []
    box.put(1)
    joining = eventlet.spawn(box.join)
    eventlet.sleep(0)
    assert not joining.dead
    reading = eventlet.spawn(reader(box, got))
    joining.wait()
    assert got == [1]
    box.put(None)
    reading.wait()
