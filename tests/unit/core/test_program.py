import os
import signal
import subprocess
import sys
import threading

import pytest

from nodeward.core import program
from nodeward.core.errors import ConfigError, Unavailable
from support.until import until


class Part:
    def __init__(self, name, told, alive=True):
        self.name, self.told, self.alive = name, told, alive

    def start(self):
        self.told.append(f"start {self.name}")

    def stop(self):
        self.told.append(f"stop {self.name}")


class Refuses(Part):
    def start(self):
        raise ConfigError("the port is taken")


@pytest.fixture(autouse=True)
def _as_found():
    """A program's signals and its umask are its process's own, which is that of all other tests here."""
    found = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    umask = os.umask(0o022)
    yield
    os.umask(umask)
    for number, handler in found.items():
        signal.signal(number, handler)


def test_parts_start_in_order_and_stop_in_reverse():
    told, stop = [], program.Stop()
    stop.set()
    assert program.run([Part("a", told), Part("b", told)], stop) == 0
    assert told == ["start a", "start b", "stop b", "stop a"]


def test_a_part_that_cannot_start_stops_those_before_it():
    told = []
    with pytest.raises(ConfigError):
        program.run([Part("a", told), Refuses("b", told)])
    assert told == ["start a", "stop a"]


def test_a_dead_part_ends_the_program_with_1():
    told = []
    assert program.run([Part("a", told, alive=False)]) == 1
    assert told == ["start a", "stop a"]


def test_a_workers_failing_unit_does_not_end_its_loop(caplog):
    calls, done = [], threading.Event()

    def unit():
        calls.append(1)
        if len(calls) == 1:
            raise ZeroDivisionError
        if len(calls) == 2:
            raise Unavailable("the monitor is away")
        done.set()
        return False

    worker = program.Worker("w", unit, idle=0.01)
    worker.start()
    assert done.wait(60)
    assert worker.alive
    worker.stop()
    assert not worker.alive
    assert "the monitor is away" in caplog.text


def test_a_waiting_worker_can_be_woken():
    calls = []
    worker = program.Worker("w", lambda: bool(calls.append(1)), idle=3600)
    worker.start()
    until(lambda: len(calls) == 1)
    worker.wake()
    until(lambda: len(calls) == 2)
    worker.stop()


def test_sigterm_ends_a_real_program_with_0():
    code = (
        "import logging, sys; logging.basicConfig(level='INFO', stream=sys.stdout, format='%(message)s', force=True)\n"
        "from nodeward.core import program\n"
        "sys.exit(program.guarded(lambda: program.run([])))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "started\n"
        os.kill(process.pid, signal.SIGTERM)
        assert process.stdout.readline() == "stopping\n"
        assert process.wait(60) == 0


def test_bad_configuration_is_a_sentence_and_exit_code_78(capsys):
    def main():
        raise ConfigError("NODEWARD_VAR is odd.")

    assert program.guarded(main) == 78
    assert capsys.readouterr().err == "nodeward: NODEWARD_VAR is odd.\n"
