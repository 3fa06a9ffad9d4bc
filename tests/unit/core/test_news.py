"""Callers that wait for news are answered when there are any, when their time is over, and when the program ends."""

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from nodeward.core.news import News

PROGRAM = """
import threading
from nodeward.core import news, program

told = news.News()

class Waiting:
    alive = True

    def __init__(self):
        self.thread = threading.Thread(target=self.wait)

    def start(self):
        self.thread.start()

    def wait(self):
        with told:
            print("waiting", flush=True)
            print("heard" if told.heard(lambda: False, 3600) else "nothing new", flush=True)

    def stop(self):
        self.thread.join()  # as a server does with those whom it has not answered yet

raise SystemExit(program.run([Waiting()]))
"""


def test_news_are_heard_and_else_the_time_is_over():
    told, there = News(), threading.Event()

    def heard(seconds: float) -> bool:
        with told:
            return told.heard(there.is_set, seconds)

    assert not heard(0.01)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(heard, 3600)
        there.set()
        with told:
            told.notify_all()
        assert waiting.result(timeout=60)


def test_after_the_end_nobody_waits_and_what_is_there_is_still_heard():
    told = News()
    told.end()
    with told:
        assert not told.heard(lambda: False, 3600)
        assert told.heard(lambda: True, 3600)


def test_a_program_that_is_to_end_answers_those_who_wait():
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=100)[0] == "nothing new\n"
    assert process.returncode == 0
