"""Checks a second: external plugins beside nagios4 on the same machine, built-in checks beside both.

Each side is the real program, with its scheduler and all it does with a result, loaded beyond what it can do: thousands of
checks every second or so, of which it runs as many as it can. What counts is how many were run in the seconds that are measured,
and how many for each second of processor time that the program, its workers and the plugins took meanwhile: the second figure
hardly depends on what else the machine does.
"""

import argparse
import contextlib
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import psutil
from bench_parts import _peers, _table
from bench_parts._table import Row

from nodeward.core import tokens

PLUGINS = Path("/usr/lib/nagios/plugins")
QUICK = ["alive", "load", "memory", "swap", "uptime"]
EXTERNAL = {"/bin/true": ["/bin/true"], "check_dummy": [str(PLUGINS / "check_dummy"), "0", "fine"]}


def main(arguments: list[str]) -> int:
    """Measure; print a table in Markdown."""
    options = _options().parse_args(arguments)
    seconds, count = (5.0, 3000) if options.quick else (options.seconds, 6000)
    rows: list[Row] = []
    best: Rate | None = None  # nagios4's own best is what built-in checks stand beside
    for name, command in EXTERNAL.items():
        if not Path(command[0]).exists():
            print(f"{command[0]} is missing: {_peers.PLUGINS.get}.\n")
            continue
        ours = nodeward([{"command": command}] * count, 1.0, seconds)
        theirs = nagios(command, count, seconds)
        rows += _rows(name, ours, theirs, beside=1)
        best = theirs if best is None or (theirs is not None and theirs > best) else best
    builtin = nodeward([{"plugin": QUICK[index % len(QUICK)]} for index in range(count * 3)], 0.5, seconds)
    rows += _rows(f"built in ({', '.join(QUICK)})", builtin, best, beside=10)
    print(_table.text("checks run", _peers.NAGIOS.version if best else None, rows))
    return 0


class Rate(NamedTuple):
    """How many checks were run, a second and a second of processor time."""

    wall: float
    processor: float


def _rows(name: str, ours: Rate, theirs: Rate | None, beside: float) -> list[Row]:
    return [
        Row(f"{name}, a second", ours.wall, theirs and theirs.wall, beside=beside),
        Row(f"{name}, a CPU second", ours.processor, theirs and theirs.processor, beside=beside),
    ]


def nodeward(checks: list[dict[str, object]], interval: float, seconds: float) -> Rate:
    """Run a node server with these checks for so long. Return how many results a monitor got."""
    with tempfile.TemporaryDirectory() as scratch, Neighbours() as beside:
        var = Path(scratch)
        beside.bundle = _bundle(checks, interval)
        key = var / "secrets" / "node" / "enrol"
        key.parent.mkdir(parents=True)
        key.write_text("key")
        environment = {
            **os.environ, "NODEWARD_VAR": str(var), "NODEWARD_NODE": "bench", "NODEWARD_CONFIGSERVER_URL": beside.url,
            "NODEWARD_NODESERVER_PORT": "0", "NODEWARD_LOG_LEVEL": "ERROR",
        }  # fmt: skip
        process = subprocess.Popen([sys.executable, "-m", "nodeward.nodeserver.main"], env=environment)
        try:
            return _rate(lambda: beside.results, process, seconds)
        finally:
            process.terminate()
            process.wait(timeout=20)


def _rate(count: Callable[[], int], process: "subprocess.Popen[bytes]", seconds: float) -> Rate:
    """Let it settle, then count."""
    until = time.monotonic() + 60
    while not count() and time.monotonic() < until and process.poll() is None:
        time.sleep(0.1)
    time.sleep(min(8.0, seconds))
    before, spent, began = count(), _processor_time(process.pid), time.monotonic()
    time.sleep(seconds)
    ran = count() - before
    return Rate(ran / (time.monotonic() - began), ran / (_processor_time(process.pid) - spent))


def _processor_time(pid: int) -> float:
    """The seconds of processor time of a program, its workers, and all that they started and waited for."""
    program = psutil.Process(pid)
    spent = 0.0
    for one in [program, *program.children()]:
        with contextlib.suppress(psutil.NoSuchProcess):
            spent += sum(one.cpu_times()[:4])  # its own, and what it waited for
    return spent


def _bundle(checks: list[dict[str, object]], interval: float) -> dict[str, object]:
    rows = [
        {
            "node": "bench",
            "address": "127.0.0.1",
            "service": f"s{index}",
            "interval": interval,
            "retry": interval,
            **one,
        }
        for index, one in enumerate(checks)
    ]
    file = {"revision": 1, "node": {"name": "bench"}, "heartbeat": 5.0, "checks": rows}
    return {"node": "bench", "revision": 1, "files": {"nodeserver.json": json.dumps(file)}}


class Neighbours:
    """A config server and a monitor that cost next to nothing, so that what is measured is the node server."""

    def __init__(self) -> None:
        self.bundle: dict[str, object] = {}
        self.results = 0
        self._token = tokens.mint()[0]
        beside = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                answers = {
                    "/api/v1/servers": {"monitor": beside.url},
                    "/api/v1/credentials": [],
                    "/api/v1/ticket-keys": {"keys": []},
                }
                self._answer(beside.bundle if self.path.endswith("/bundle") else answers.get(self.path, {}))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                beside.results += body.count(b'"started":')
                self._answer({"token": beside._token, "accepted": 1})

            def _answer(self, content: object) -> None:
                etag = '"same"'
                known = self.command == "GET" and self.headers.get("If-None-Match") == etag
                data = b"" if known else json.dumps(content).encode()
                self.send_response(304 if known else 200)
                self.send_header("ETag", etag)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Neighbours":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def nagios(command: list[str], count: int, seconds: float) -> Rate | None:
    """Run nagios4 with `count` services of this command, each due every second. Return how many it ran a second."""
    program = shutil.which("nagios4", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        _configure(place, command, count)
        with _owned(place) as user:
            process = subprocess.Popen([program, str(place / "nagios.cfg")], user=user, stdout=subprocess.DEVNULL)
            try:
                return _rate(lambda: _ran(place), process, seconds)
            finally:
                process.terminate()
                process.wait(timeout=20)


def _ran(place: Path) -> int:
    """How many checks nagios has run to their end, by its workers' own count; 0 while it does not answer."""
    answer = b""
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(5)
            link.connect(str(place / "nagios.qh"))
            link.sendall(b"#wproc wpstats\0")
            while piece := link.recv(65536):
                answer += piece
    except OSError:
        return 0
    rows = [dict(part.split("=", 1) for part in line.split(";")) for line in answer.decode().split("\n") if "=" in line]
    return sum(int(row["jobs_started"]) - int(row["jobs_running"]) for row in rows)


@contextlib.contextmanager
def _owned(place: Path) -> Iterator[str | None]:
    """nagios does not run as root: as root, let its own user have the place."""
    if os.geteuid() != 0:
        yield None
        return
    entry = pwd.getpwnam("nagios")
    for path in [place, *place.rglob("*")]:
        os.chown(path, entry.pw_uid, entry.pw_gid)
    yield "nagios"


def _configure(place: Path, command: list[str], count: int) -> None:
    """Write a nagios configuration that leaves out all that a bare check does not need."""
    (place / "spool").mkdir()
    services = "".join(
        f"define service {{\n host_name bench\n service_description s{index}\n check_command run\n max_check_attempts 3\n"
        " check_interval 1\n retry_interval 1\n check_period always\n notifications_enabled 0\n}\n"
        for index in range(count)
    )
    (place / "objects.cfg").write_text(
        "define timeperiod {\n timeperiod_name always\n alias always\n"
        + "".join(
            f" {day} 00:00-24:00\n"
            for day in ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
        )
        + "}\ndefine contact {\n contact_name nobody\n alias nobody\n host_notification_period always\n"
        " service_notification_period always\n host_notification_commands run\n service_notification_commands run\n}\n"
        + f"define command {{\n command_name run\n command_line {' '.join(command)}\n}}\n"
        + "define host {\n host_name bench\n address 127.0.0.1\n max_check_attempts 3\n check_period always\n"
        " notifications_enabled 0\n active_checks_enabled 0\n}\n" + services
    )
    settings = {
        "cfg_file": place / "objects.cfg", "log_file": place / "nagios.log", "object_cache_file": place / "objects.cache",
        "status_file": place / "status.dat", "lock_file": place / "pid", "temp_file": place / "temp", "temp_path": place,
        "query_socket": place / "nagios.qh", "check_result_path": place / "spool", "state_retention_file": place / "kept",
        "command_file": place / "command", "interval_length": 1, "status_update_interval": 60, "use_syslog": 0,
        "check_for_updates": 0, "enable_notifications": 0, "enable_event_handlers": 0, "retain_state_information": 0,
        "service_inter_check_delay_method": "s", "max_service_check_spread": 1, "log_initial_states": 0,
        "max_concurrent_checks": 0, "check_service_freshness": 0, "check_for_orphaned_services": 0,
        "enable_environment_macros": 0, "enable_flap_detection": 0, "process_performance_data": 0,
        "check_external_commands": 0, "nagios_user": "nagios", "nagios_group": "nagios", "log_archive_path": place,
        "execute_service_checks": 1, "check_result_reaper_frequency": 1, "event_broker_options": -1,
    }  # fmt: skip
    (place / "nagios.cfg").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="script/bench checks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds each, for a first impression")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each side is measured")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
