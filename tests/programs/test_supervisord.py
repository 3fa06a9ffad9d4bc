"""A real supervisord with the product's base configuration: asked over its socket, watched by the listener."""

import json
import os
import signal
import threading

import pytest

from nodeward.core.errors import Conflict, NotFound, Unavailable
from nodeward.supervise.client import Programs
from support.appliance import FAILING, SLEEPER, Supervisord, write_image
from support.until import until

SELF_RESTARTING = """
import os, signal, threading
from pathlib import Path
from nodeward.supervise.client import Programs
asked, var, stop = Path(os.environ["NODEWARD_VAR"], "asked"), Path(os.environ["NODEWARD_VAR"]), threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
while not stop.wait(0.05):
    if asked.exists():
        asked.unlink()
        Programs(var).restart("selfish")
        Path(var, "answered").write_text("the call came back")
"""


@pytest.fixture
def supervisord(tmp_path):
    write_image(tmp_path, "test", {"steady": SLEEPER, "failing": FAILING, "other": SLEEPER}, ["steady"])
    with Supervisord(tmp_path, "test", tmp_path / "v") as running:
        running.until_state("steady", "RUNNING")
        yield running


def test_programs_are_listed_with_what_an_operator_asks(supervisord):
    supervisord.until_state("failing", "FATAL")
    rows = {program.name: program for program in supervisord.programs.list()}
    assert rows.keys() == {"steady", "failing", "other", "listener"}
    steady, failing = rows["steady"], rows["failing"]
    assert os.kill(steady.pid, 0) is None
    assert steady.uptime >= 1
    assert steady.exit_status is None
    assert (failing.pid, failing.uptime, failing.exit_status) == (None, None, None)
    assert failing.spawn_error
    assert failing.since > 1_600_000_000_000_000


def test_one_supervisor_is_told_from_another(supervisord, tmp_path):
    write_image(tmp_path / "b", "test", {"steady": SLEEPER}, ["steady"])
    with Supervisord(tmp_path / "b", "test", tmp_path / "b" / "v") as another:
        another.until_state("steady", "RUNNING")
        assert supervisord.programs.which() == Programs(tmp_path / "v").which() != another.programs.which()


def test_a_program_is_stopped_started_and_restarted(supervisord):
    first = supervisord.programs.get("steady").pid
    assert supervisord.programs.stop("steady").state == "STOPPED"
    assert supervisord.programs.start("steady").state in ("STARTING", "RUNNING")
    second = supervisord.until_state("steady", "RUNNING").pid
    supervisord.programs.restart("steady")
    third = supervisord.until_state("steady", "RUNNING").pid
    assert len({first, second, third}) == 3


def test_what_cannot_be_done_is_a_sentence(supervisord):
    programs = supervisord.programs
    with pytest.raises(NotFound, match=r"There is no program 'nobody' here\. There are: .*steady"):
        programs.restart("nobody")
    with pytest.raises(Conflict, match="'steady' runs already"):
        programs.start("steady")
    programs.stop("steady")
    with pytest.raises(Conflict, match="'steady' does not run"):
        programs.stop("steady")


def test_many_threads_ask_at_once(supervisord):
    seen = []
    threads = [threading.Thread(target=lambda: seen.append(len(supervisord.programs.list()))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert seen == [4] * 16


def test_a_program_killed_with_sigkill_is_healed_and_the_container_lives_on(supervisord):
    killed = supervisord.programs.get("steady").pid
    os.kill(killed, signal.SIGKILL)
    healed = until(lambda: pid if (pid := supervisord.programs.get("steady").pid) not in (None, killed) else None)
    assert os.kill(healed, 0) is None
    supervisord.until_state("steady", "RUNNING")
    assert supervisord.process.poll() is None


def test_a_stopped_critical_program_is_no_loss_and_one_that_is_not_critical_may_fail(supervisord):
    supervisord.programs.stop("steady")
    supervisord.until_state("failing", "FATAL")
    supervisord.until_state("listener", "RUNNING")
    before = supervisord.programs.get("listener").uptime
    until(lambda: supervisord.programs.get("listener").uptime >= before + 6)  # it has looked since
    assert supervisord.programs.get("steady").state == "STOPPED"
    assert supervisord.process.poll() is None


def test_a_critical_program_given_up_ends_supervisord_and_the_next_start_says_why(tmp_path):
    write_image(tmp_path, "test", {"failing": FAILING, "other": SLEEPER}, ["failing"])
    running = Supervisord(tmp_path, "test", tmp_path / "v")
    assert running.run_to_its_end() == 0
    said = running.screen.read_text()
    assert "failing is lost: supervisor gave it up (FATAL" in said  # noticed by the event, or by the look after it
    assert "no room for me here" in said
    assert "failing: supervisor gave it up" in (tmp_path / "v" / "run" / "ended").read_text()

    (tmp_path / "images" / "test" / "failing.py").write_text(SLEEPER)
    with Supervisord(tmp_path, "test", tmp_path / "v") as again:
        again.until_state("failing", "RUNNING")
        until(lambda: "the container had been ended: " in again.screen.read_text())
        until(lambda: not (tmp_path / "v" / "run" / "ended").exists())  # it is said first, and then forgotten


def test_a_critical_program_that_ends_and_is_not_started_again_is_a_loss(tmp_path):
    once = "import sys, time\ntime.sleep(1.5)\nsys.exit(3)\n"
    write_image(tmp_path, "test", {"once": once}, ["once"], autorestart="false")
    running = Supervisord(tmp_path, "test", tmp_path / "v")
    assert running.run_to_its_end() == 0
    assert "once is lost: it ended with status 3, and nothing starts it again" in running.screen.read_text()


def test_a_program_that_restarts_itself_gets_its_answer(tmp_path):
    write_image(tmp_path, "test", {"selfish": SELF_RESTARTING}, ["selfish"])
    with Supervisord(tmp_path, "test", tmp_path / "v") as running:
        first = running.until_state("selfish", "RUNNING").pid
        (tmp_path / "v" / "asked").touch()
        until((tmp_path / "v" / "answered").exists)
        until(lambda: running.programs.get("selfish").pid not in (None, first))
        running.until_state("selfish", "RUNNING")


def test_the_health_check_names_what_is_wrong(supervisord):
    supervisord.until_state("listener", "RUNNING")
    healthy = supervisord.run("nodeward.supervise.health")
    assert (healthy.returncode, healthy.stdout, healthy.stderr) == (0, "healthy\n", "")
    supervisord.programs.stop("steady")
    supervisord.programs.stop("listener")
    ill = supervisord.run("nodeward.supervise.health")
    assert ill.returncode == 1
    assert "steady is STOPPED." in ill.stdout
    assert "listener is STOPPED." in ill.stdout


def test_the_tail_is_the_programs_own_log_where_its_output_goes_to_the_container(supervisord, tmp_path):
    with pytest.raises(NotFound, match=r"There is no log of it to show: .*log/steady\.log"):
        supervisord.programs.tail("steady")
    (tmp_path / "v" / "log" / "steady.log").write_text("one\ntwo\nthree\n")
    assert supervisord.programs.tail("steady") == "one\ntwo\nthree\n"
    assert supervisord.programs.tail("steady", 8) == "three\n"


def test_what_is_done_with_supervisorctl_is_noted_and_what_our_own_doors_and_supervisor_do_is_not(
    supervisord, tmp_path
):
    supervisord.until_state("listener", "RUNNING")
    supervisord.programs.restart("other")  # our own door: whoever asked it notes who did
    steady = supervisord.programs.get("steady").pid
    os.kill(steady, signal.SIGKILL)
    until(lambda: supervisord.programs.get("steady").pid not in (None, steady))
    supervisord.until_state("steady", "RUNNING")
    assert supervisord.ctl("restart", "steady").returncode == 0
    assert supervisord.ctl("stop", "steady").returncode == 0
    until(lambda: len(_deeds(tmp_path / "v")) == 3)
    assert supervisord.ctl("shutdown").returncode == 0
    supervisord.process.wait(60)
    noted = [(deed["action"], deed["what"]) for deed in _deeds(tmp_path / "v")]
    assert noted == [("stop program", "steady"), ("start program", "steady"), ("stop program", "steady")]
    assert {deed["who"] for deed in _deeds(tmp_path / "v")} == {"supervisorctl or outside"}


def _deeds(var):
    return [json.loads(path.read_text()) for path in sorted((var / "run" / "deeds").glob("*.json"))]


def test_no_supervisor_there_is_a_sentence_that_names_the_socket(tmp_path):
    with pytest.raises(Unavailable, match=r"No supervisor answers at .*/run/supervisor\.sock \(No such file"):
        Programs(tmp_path).list()
