"""What script/up and script/down do, over a small appliance of two programs: quick, and with every kind of trouble."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from nodeward.core.ports import PORTS
from nodeward.supervise.client import Programs
from nodeward.supervise.machine import processes
from support.appliance import FAILING, SLEEPER, write_image
from support.until import until

MONITOR = """
import json, os
from http.server import BaseHTTPRequestHandler, HTTPServer
class Monitor(BaseHTTPRequestHandler):
    def do_GET(self):
        rows = [{"service": None, "state": "UP"}, {"service": "load", "state": "OK"}, {"service": "disk", "state": "WARNING"}]
        body = json.dumps({"items": rows}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)
HTTPServer(("127.0.0.1", int(os.environ["NODEWARD_MONITOR_PORT"])), Monitor).serve_forever()
"""


class Machine:
    """A machine with a small appliance on free ports, and the two commands."""

    def __init__(self, home, var, ports):
        self.var = var
        self.ports = dict(zip(PORTS, ports, strict=True))
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("NODEWARD_")},
            **{f"NODEWARD_{role.upper()}_PORT": str(port) for role, port in self.ports.items()},
            "NODEWARD_LOGSERVER_SYSLOG_PORT": "0",
            "NODEWARD_HOME": str(home),
            "NODEWARD_VAR": str(var),
        }

    def up(self, *arguments, **environment):
        return self._run("up", arguments, environment)

    def down(self):
        return self._run("down", (), {})

    def begin(self, *arguments):
        """Start `up` and do not wait for it."""
        return subprocess.Popen(self._command("up", arguments), env=self.environment, stdout=subprocess.PIPE, text=True)

    def programs(self):
        return {program.name: program for program in Programs(self.var).list()}

    def _run(self, name, arguments, environment):
        return subprocess.run(
            self._command(name, arguments),
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def _command(self, name, arguments):
        return [sys.executable, "-m", f"nodeward.supervise.machine.{name}", *arguments]


@pytest.fixture
def machine(tmp_path, free_port):
    home, var = tmp_path / "a checkout, 100% ours", tmp_path / "v"
    write_image(home, "monitor", {"monitor": MONITOR}, ["monitor"], priority="10")
    write_image(home, "node", {"tailflog": SLEEPER}, ["tailflog"], priority="20")
    (var / "secrets" / "cli").mkdir(parents=True)
    (var / "secrets" / "cli" / "token").write_text("nw_token")
    made = Machine(home, var, [free_port() for _ in PORTS])
    yield made
    made.down()
    assert processes.orphans(var) == []
    assert processes.supervisord(var) is None


def test_up_starts_everything_says_where_and_a_second_one_is_harmless(machine):
    first = machine.up()
    assert first.returncode == 0, first.stdout + first.stderr
    assert f"Nodeward is up: http://127.0.0.1:{machine.ports['web']}/" in first.stdout
    assert "2 of 2 services have a result" in first.stdout
    assert first.stdout.index("monitor  ") < first.stdout.index("tailflog  ")
    pids = {name: program.pid for name, program in machine.programs().items()}
    assert pids.keys() == {"monitor", "tailflog", "listener"}

    began = time.monotonic()
    second = machine.up(NODEWARD_WEB_PORT="1")  # it takes the ports of the one that runs
    assert time.monotonic() - began < 30  # it waits for nothing
    assert second.returncode == 0
    assert "The appliance runs already" in second.stdout
    assert f"http://127.0.0.1:{machine.ports['web']}/" in second.stdout
    assert {name: program.pid for name, program in machine.programs().items()} == pids


def test_down_stops_all_of_it_and_nothing_else_and_says_so(machine):
    up = machine.up()
    assert up.returncode == 0, up.stdout + up.stderr
    everything = [psutil.Process(program.pid) for program in machine.programs().values()]
    environment = {**machine.environment, "NODEWARD_VAR": "/elsewhere", "SUPERVISOR_PROCESS_NAME": "monitor"}
    bystander = subprocess.Popen([sys.executable, "-c", SLEEPER], env=environment)
    try:
        done = machine.down()
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Stopping " in done.stdout
        assert "monitor" in done.stdout
        assert all(processes.ended(process) for process in everything)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
    again = machine.down()
    assert (again.returncode, again.stderr) == (0, "")
    assert f"Nothing of the appliance under {machine.var} runs." in again.stdout


def test_a_second_up_starts_what_was_stopped(machine):
    machine.up()
    Programs(machine.var).stop("tailflog")
    assert "tailflog      was STOPPED: started" in machine.up().stdout
    assert machine.programs()["tailflog"].state == "RUNNING"


def test_what_a_killed_supervisord_left_behind_is_cleared_away(machine):
    machine.up()
    supervisord = processes.supervisord(machine.var)
    left = [psutil.Process(program.pid) for program in machine.programs().values()]
    supervisord.kill()
    assert processes.wait([supervisord], 60)
    assert not all(processes.ended(process) for process in left)  # supervisor's event listener ends with it
    again = machine.up()
    assert again.returncode == 0, again.stdout + again.stderr
    assert "processes that a killed supervisord left behind" in again.stdout
    assert all(processes.ended(process) for process in left)


def test_a_stale_pid_file_is_not_believed(machine):
    (machine.var / "run").mkdir()
    (machine.var / "run" / "supervisord.pid").write_text(str(os.getpid()))
    done = machine.down()
    assert "Nothing of the appliance" in done.stdout
    assert machine.up().returncode == 0


def test_every_port_that_is_taken_is_named_with_its_variable_and_holder(machine):
    with socket.socket() as one, socket.socket() as two:
        for holder, role in ((one, "web"), (two, "logserver")):
            holder.bind(("127.0.0.1", machine.ports[role]))
            holder.listen()
        refused = machine.up()
    assert refused.returncode == 78
    for role in ("web", "logserver"):
        assert f"NODEWARD_{role.upper()}_PORT': port {machine.ports[role]} is taken by" in refused.stderr
    assert f"(pid {os.getpid()})" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert processes.supervisord(machine.var) is None


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("NODEWARD_WEB_PORT", "seven", "it must be a port number"),
        ("NODEWARD_WEB_PORT", "0", "0 leaves the choice to the system"),
        ("NODEWARD_VAR", "/proc/nodeward", "cannot be written by user"),
        ("NODEWARD_VAR", "/tmp/" + "long/" * 30, "is too long a path"),
    ],
)
def test_a_setting_that_will_not_do_is_one_sentence(machine, variable, value, sentence):
    refused = machine.up(**{variable: value})
    assert refused.returncode == 78
    assert sentence in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_syslog_port_that_somebody_chose_must_be_free(machine):
    with socket.socket(type=socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        number = holder.getsockname()[1]
        refused = machine.up(NODEWARD_LOGSERVER_SYSLOG_PORT=str(number))
    assert refused.returncode == 78
    assert f"NODEWARD_LOGSERVER_SYSLOG_PORT': port {number} is taken" in refused.stderr


def test_two_roles_on_one_port_are_told_apart(machine):
    refused = machine.up(NODEWARD_WEB_PORT=str(machine.ports["monitor"]))
    assert refused.returncode == 78
    assert f"port {machine.ports['monitor']} is set for monitor too" in refused.stderr


def test_a_program_that_does_not_stay_up_is_named_with_its_last_words(tmp_path, free_port):
    write_image(tmp_path, "node", {"tailflog": FAILING}, ["tailflog"])
    machine = Machine(tmp_path, tmp_path / "v", [free_port() for _ in PORTS])
    try:
        failed = machine.up()
        assert failed.returncode == 1
        assert "tailflog does not stay up" in failed.stderr
        assert "no room for me here" in failed.stderr
    finally:
        machine.down()


def test_in_the_foreground_a_signal_stops_everything(machine):
    running = machine.begin("--foreground")
    assert any("Nodeward is up" in line for line in iter(running.stdout.readline, ""))
    everything = [psutil.Process(program.pid) for program in machine.programs().values()]
    running.send_signal(signal.SIGTERM)
    assert running.wait(60) == 0
    running.stdout.close()
    assert all(processes.ended(process) for process in everything)


def test_two_ups_at_once_do_not_meet(machine):
    first, second = machine.begin(), machine.begin()
    said = [first.communicate(timeout=100)[0], second.communicate(timeout=100)[0]]
    assert sorted((first.returncode, second.returncode))[0] == 0, said
    assert sum("Starting the appliance" in text for text in said) == 1


def test_the_password_of_the_first_administrator_reaches_the_config_server_alone(tmp_path, free_port):
    tell = (
        "import json, os, time\njson.dump(dict(os.environ), open(os.environ['NODEWARD_VAR'] + '/{}', 'w'))\n" + SLEEPER
    )
    write_image(tmp_path, "configserver", {"configserver": tell.format("registry")}, ["configserver"])
    write_image(tmp_path, "node", {"tailflog": tell.format("node")}, ["tailflog"])
    machine = Machine(tmp_path, tmp_path / "v", [free_port() for _ in PORTS])
    starting = subprocess.Popen(
        machine._command("up", ()),
        env={**machine.environment, "NODEWARD_ADMIN_PASSWORD": "hunter2"},
        stdout=subprocess.DEVNULL,
    )
    try:
        seen = {name: until(lambda path=tmp_path / "v" / name: _read(path)) for name in ("registry", "node")}
    finally:
        starting.kill()
        starting.wait()
        machine.down()
    assert seen["registry"]["NODEWARD_ADMIN_PASSWORD"] == "hunter2"
    assert seen["node"]["NODEWARD_ADMIN_PASSWORD"] == ""
    assert seen["node"]["NODEWARD_NODE"] == "local"


def _read(path):
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None
