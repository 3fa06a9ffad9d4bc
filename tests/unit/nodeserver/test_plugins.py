"""External plugins in real worker processes: the well-behaved and the hostile."""

import ctypes
import os
import queue
import signal
import stat
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from nodeward.core.bundle import Check
from nodeward.nodeserver import command, plugins, worker
from nodeward.nodeserver.plugins import Job, Plugins
from nodeward.nodeserver.runner import outcome
from support.until import until

PLUGINS = Path("/usr/lib/nagios/plugins")
PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER = 36, 37


class Bench:
    """Runs plugins and waits for their ends."""

    def __init__(self) -> None:
        self._ends: queue.Queue = queue.Queue()
        self.plugins = Plugins(2, 8, lambda ends: [self._ends.put(end) for end in ends])

    def run(self, *argv: str, timeout: float = 60.0, env: dict[str, str] | None = None):
        self.plugins.submit([Job(list(argv), env or {"PATH": os.environ["PATH"]}, timeout, None)])
        return self.next()

    def many(self, argv: list[str], count: int, timeout: float = 60.0):
        self.plugins.submit([Job(argv, {}, timeout, number) for number in range(count)])
        return [self._ends.get(timeout=90) for _ in range(count)]

    def next(self):
        """Return what comes of the next plugin that ends."""
        return outcome(self._ends.get(timeout=90))


@contextmanager
def at_work():
    """Bench at work; afterwards this process adopts orphans no more than before, which nobody here would bury."""
    adopts, before = ctypes.c_int(), set(psutil.Process().children(recursive=True))
    libc = ctypes.CDLL(None)
    libc.prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(adopts), 0, 0, 0)
    made = Bench()
    made.plugins.start()
    try:
        yield made
    finally:
        made.plugins.stop()
        libc.prctl(PR_SET_CHILD_SUBREAPER, adopts.value, 0, 0, 0)
    until(lambda: not _left(before))


def _left(before):
    """Bury what came to this process and has ended. Return what is left below it."""
    for each in set(psutil.Process().children()) - before:
        worker.buried(each.pid)
    return set(psutil.Process().children(recursive=True)) - before


@pytest.fixture(scope="module")
def bench():
    with at_work() as made:
        yield made


@pytest.fixture
def script(tmp_path):
    """Return a function that writes a plugin and gives its path."""

    def write(text: str, interpreter: str = "/bin/sh") -> str:
        path = tmp_path / f"plugin-{len(list(tmp_path.iterdir()))}"
        path.write_text(f"#!{interpreter}\n{text}\n")
        path.chmod(0o755)
        return str(path)

    return write


def _gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def test_a_plugin_says_its_piece(bench, script):
    found = bench.run(script("echo 'DISK WARNING - / 81% | /=81%;80;90'; echo more; exit 1"))
    assert found == (1, "DISK WARNING - / 81%", "more", "/=81%;80;90")


def test_every_plugin_gets_its_own_words_and_environment_and_nothing_else(bench, script):
    found = bench.run(script('echo "$1|$2"; env', "/bin/sh"), "a b", "$(id)", env={"ONLY": "this"})
    assert (found.output, found.perfdata.split()[0]) == ("a b", "$(id)")
    assert "ONLY=this" in found.long_output + found.perfdata
    assert "NODEWARD" not in found.long_output + found.perfdata


@pytest.mark.parametrize(("code", "want"), [(126, "executable"), (127, "exists"), (200, "200 is out of bounds")])
def test_a_strange_exit_code_is_critical(bench, script, code, want):
    found = bench.run(script(f"echo text; exit {code}"))
    assert found.code == 2
    assert want in found.output


def test_what_cannot_be_started_says_why(bench, tmp_path):
    assert "Check if plugin exists" in bench.run(str(tmp_path / "none")).output
    plain = tmp_path / "plain"
    plain.write_text("echo hello")
    assert "Permission denied" in bench.run(str(plain)).output
    plain.chmod(stat.S_IRWXU)
    found = bench.run(str(plain))
    assert (found.code, "Exec format error" in found.output) == (2, True)


def test_a_killed_plugin_is_critical(bench, script):
    found = bench.run(script("kill -9 $$"))
    assert (found.code, "ended by signal 9" in found.output) == (2, True)


def test_what_a_plugin_left_running_past_its_time_is_ended_with_it(bench, script, tmp_path):
    """One that ignores TERM, with a child in a session of its own and a grandchild that ignores TERM too."""
    pids = tmp_path / "pids"
    hostile = script(
        f"trap '' TERM; (trap '' TERM; sleep 300) & echo $! >> {pids}; setsid sleep 301 & echo $! >> {pids};"
        f"echo $$ >> {pids}; echo begun; while :; do sleep 0.1; done"
    )
    began = time.monotonic()
    found = bench.run(hostile, timeout=2.0)
    assert 2.0 < time.monotonic() - began < 60
    assert found.code == 2
    assert found.output == "(The plugin timed out after 2 seconds; it and everything it started was ended)"
    assert "begun" in found.long_output
    until(lambda: all(_gone(int(pid)) for pid in pids.read_text().split()))


def test_a_leader_that_obeys_does_not_save_its_children(bench, script, tmp_path):
    pids = tmp_path / "pids"
    bench.run(script(f"(trap '' TERM; sleep 300) & echo $! >> {pids}; sleep 300"), timeout=2.0)
    until(lambda: all(_gone(int(pid)) for pid in pids.read_text().split()))


def test_a_plugin_that_talks_without_end_is_cut_and_not_waited_for(bench, script):
    found = bench.run(script("head -c 10000000 /dev/zero | tr '\\0' x; exit 1"))
    assert found.code == 1
    assert len(found.output) == 64 * 1024
    assert found.long_output == "(The rest of the output was left out: it is too long.)"
    assert bench.run("/usr/bin/yes", timeout=0.5).code == 2


def test_bytes_that_are_no_text_do_no_harm(bench, script):
    found = bench.run(script("printf 'a\\000b\\377\\033[2J'"))
    assert found.output == "a\\x00b\\xff\\x1b[2J"


def test_closing_stdout_and_hanging_is_a_timeout(bench, script):
    assert bench.run(script("exec >&- 2>&-; sleep 300"), timeout=0.5).code == 2


def test_a_daemon_that_keeps_stdout_open_is_not_waited_for(bench, script, tmp_path):
    pid = tmp_path / "pid"
    began = time.monotonic()
    found = bench.run(script(f"setsid sleep 300 & echo $! > {pid}; echo done"), timeout=80)
    assert (found.output, time.monotonic() - began < 70) == ("done", True)
    os.kill(int(pid.read_text()), signal.SIGKILL)


def test_a_plugin_never_waits_for_input(bench):
    assert bench.run("/bin/cat").output == "(No output returned from plugin)"


def test_more_than_may_run_at_once_wait_for_their_turn_and_all_end(bench):
    ends = bench.many(["/bin/sleep", "0.02"], 60)
    assert sorted(end.job.what for end in ends) == list(range(60))
    assert {end.status for end in ends} == {0}
    assert bench.plugins.running == bench.plugins.waiting == 0


def test_a_worker_that_hangs_is_replaced_and_its_jobs_run_again(monkeypatch, script):
    with at_work() as made:
        assert made.run("/bin/echo", "ready").output == "ready"
        workers = [psutil.Process(side.process.pid) for side in made.plugins._sides]
        for each in workers:
            each.suspend()
        spawn = made.plugins._spawn

        def replace(index):
            monkeypatch.setattr(plugins, "HANGS_AFTER", 60.0)  # the next one has all the time that it needs to start
            spawn(index)

        monkeypatch.setattr(made.plugins, "_spawn", replace)
        monkeypatch.setattr(
            plugins, "HANGS_AFTER", -60.0
        )  # one whose plugin has a minute is taken for hung after a second
        assert made.run("/bin/echo", "again", timeout=60.0).output == "again"
        assert made.plugins.lost_workers == 1
        for each in workers[1:]:
            each.resume()


def _command(*words: str, **more):
    return Check(node="web-1", address="10.0.0.1", service="http", command=list(words), **more)


def test_macros_are_filled_in_without_a_shell():
    check = _command(
        "/p", "-H", "$HOSTADDRESS$", "$HOSTNAME$/$SERVICEDESC$", "$$5", "$ARG1$", "$NIX$", env={"ARG1": "$x"}
    )
    assert command.argv(check, "/nowhere") == ["/p", "-H", "10.0.0.1", "web-1/http", "$5", "$x", "$NIX$"]


def test_a_plugin_without_a_path_is_found_in_the_plugin_directories_first(tmp_path):
    (tmp_path / "true").write_text("")
    (tmp_path / "true").chmod(0o755)
    assert command.argv(_command("true"), f"/nowhere:{tmp_path}") == [str(tmp_path / "true")]
    assert command.argv(_command("true"), "/nowhere")[0].endswith("bin/true")
    assert command.argv(_command("check_none"), "/nowhere") == ["check_none"]


def test_the_environment_holds_no_secret_of_ours(monkeypatch):
    monkeypatch.setenv("NODEWARD_NODESERVER_ENROL_KEY", "secret")
    known = command.environment(_command("/p", env={"SNMP": "1"}))
    assert (known["NAGIOS_HOSTADDRESS"], known["SNMP"]) == ("10.0.0.1", "1")
    assert "secret" not in known.values()


@pytest.mark.plugins
def test_the_real_plugins_run_unchanged(bench):
    assert bench.run(str(PLUGINS / "check_dummy"), "2", "gone|x=1") == (2, "CRITICAL: gone", "", "x=1")
    procs = bench.run(str(PLUGINS / "check_procs"), "-w", "1:", "-c", "1:")
    assert (procs.code, procs.perfdata[:6]) == (0, "procs=")
    disk = bench.run(str(PLUGINS / "check_disk"), "-w", "0%", "-c", "0%", "-p", "/")
    assert disk.output.startswith("DISK OK")
    assert disk.perfdata.startswith("/=")
    http = bench.run(str(PLUGINS / "check_http"), "-H", "127.0.0.1", "-p", "9", "-t", "2")
    assert http.code == 2
    assert bench.run(str(PLUGINS / "check_load"), "-w", "0,0,0", "-c", "900,900,900").code in (0, 1)
