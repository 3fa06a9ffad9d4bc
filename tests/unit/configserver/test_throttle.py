"""How often one may be wrong. Time is handed in."""

import threading
import time

import pytest

from nodeward.configserver.throttle import FREE, LONGEST, MOST, Throttle
from nodeward.core.errors import TooMany
from support.clock import Clock


@pytest.fixture
def clock():
    return Clock(0.0)


def wait(throttle, clock, who="ada"):
    """Return how long one has to wait now, to a second."""
    for seconds in range(int(LONGEST) + 2):
        clock.now += bool(seconds)
        try:
            throttle.admit(who, "wrong passwords")
        except TooMany:
            continue
        return seconds
    raise AssertionError("for ever")


def test_the_first_few_are_free_then_the_wait_doubles_up_to_a_limit(clock):
    throttle = Throttle(clock)
    assert [wait(throttle, clock) for _ in range(FREE)] == [0] * FREE
    assert [wait(throttle, clock) for _ in range(11)] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_being_right_makes_it_forget(clock):
    throttle = Throttle(clock)
    for _ in range(FREE):
        throttle.admit("ada", "x")
    throttle.forgive("ada")
    assert wait(throttle, clock) == 0


def test_many_who_are_right_at_once_need_not_wait(clock):
    throttle, together, told = Throttle(clock), threading.Barrier(FREE * 2), []

    def right():
        together.wait()
        try:
            throttle.check("one address", "wrong keys", lambda: time.sleep(0.01))
        except TooMany as error:
            told.append(error)

    threads = [threading.Thread(target=right) for _ in range(FREE * 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == []


def test_who_was_wrong_too_often_waits_also_when_right(clock):
    throttle = Throttle(clock)
    for _ in range(FREE):
        with pytest.raises(ZeroDivisionError):
            throttle.check("ada", "x", lambda: 1 / 0)
    with pytest.raises(TooMany):
        throttle.check("ada", "x", lambda: None)


def test_one_does_not_wait_for_another(clock):
    throttle = Throttle(clock)
    for _ in range(FREE):
        throttle.admit("ada", "x")
    with pytest.raises(TooMany, match=r"Too many x\. Try again in 1 s"):
        throttle.admit("ada", "x")
    throttle.admit("bob", "x")


def test_many_at_the_same_moment_count_one_by_one(clock):
    throttle, admitted = Throttle(clock), []

    def attempt():
        try:
            throttle.admit("ada", "x")
            admitted.append(1)
        except TooMany:
            pass

    threads = [threading.Thread(target=attempt) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(admitted) == FREE


def test_what_it_remembers_is_bounded_and_the_latest_stay(clock):
    throttle = Throttle(clock)
    for _ in range(FREE):
        throttle.admit("ada", "x")
    for number in range(MOST - 1):
        throttle.admit(number, "x")
    with pytest.raises(TooMany):
        throttle.admit("ada", "x")
    for number in range(MOST):
        throttle.admit(-1 - number, "x")
    throttle.admit("ada", "x")
