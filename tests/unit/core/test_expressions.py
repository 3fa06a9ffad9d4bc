"""Expressions where other threads are at work, too; what they mean is looked at where they are used."""

import ast
import gc
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from nodeward.core import expressions

LONG = " and ".join(f"labels.dc == 'dc{number}'" for number in range(15))


class Ends:
    """Garbage in a circle, at whose end Python code runs: there another thread may get its turn."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        for _ in range(50):
            pass


@pytest.fixture
def threads_take_turns() -> Iterator[None]:
    before, often = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(10)
    yield
    sys.setswitchinterval(before)
    gc.set_threshold(*often)


def test_an_expression_is_understood_whatever_else_is_parsed_at_that_moment(threads_take_turns: None) -> None:
    over = threading.Event()

    def read(depth: int) -> None:
        if depth:
            return read(depth - 1)
        for _ in range(100):
            Ends()
            test = expressions.compiled(LONG, {"labels": None})
            assert test({"labels": {"dc": "dc0"}}) is False
        return None

    def parse() -> None:
        while not over.is_set():
            Ends()
            try:
                ast.parse("(1, (2, (3, [4, 5])))")
            except SystemError:
                continue  # what befalls whoever does it without us

    with ThreadPoolExecutor(4) as pool:
        other = pool.submit(parse)
        try:
            for done in [pool.submit(read, depth) for depth in (1, 7, 30)]:
                done.result(timeout=120)
        finally:
            over.set()
        other.result(timeout=120)
