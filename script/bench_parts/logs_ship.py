"""Lines a second and per CPU second from a file into somebody's hands: tailflog beside rsyslog on the same input.

tailflog reads, parses, spools and posts to a server in another process, which throws the batches away; rsyslog reads with
imfile and writes a file (with mmnormalize where it is installed, so that it parses too). Then what a hostile pattern on one
file costs another.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
from bench_parts import _peers, _table
from bench_parts._table import Row

ACCEPT = """
import collections, http.server, json
from nodeward.core import batch
counts = collections.Counter()
class Take(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        for one, _ in batch.decode(self.rfile.read(int(self.headers["Content-Length"]))):
            counts[one.source] += one.count
        self.answer({})
    def do_GET(self):
        self.answer(counts)
    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Take)
print(server.server_port, flush=True)
server.serve_forever()
"""
RULES = """
global(workDirectory="{dir}")
module(load="imfile" mode="inotify")
template(name="out" type="string" string="%msg%\\n")
input(type="imfile" File="{file}" Tag="app:" ruleset="r" reopenOnTruncate="on")
{normalize}
ruleset(name="r") {{ {action} action(type="omfile" file="{dir}/out" template="out") }}
"""


def main(arguments: list[str]) -> int:
    """Measure; print a table in Markdown."""
    options = argparse.ArgumentParser(prog="script/bench logs_ship", description=__doc__)
    options.add_argument("--lines", type=int, default=1_000_000)
    options.add_argument("--quick", action="store_true", help="200,000 lines, for a first impression")
    chosen = options.parse_args(arguments)
    count = 200_000 if chosen.quick else chosen.lines
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        log = directory / "app.log"
        syslog(log, count)
        seconds, cpu = tailflog(directory, {"syslog": (log, "syslog", count)})
        rows = []
        for name, (peer_seconds, peer_cpu) in rsyslog(directory, log, count) or [("", (None, None))]:
            rows += [
                Row(f"lines a second{name}", count / seconds, peer_seconds and count / peer_seconds),
                Row(f"lines per CPU second{name}", count / cpu, peer_cpu and count / peer_cpu, beside=1),
            ]
        alone, beside = hostile(directory, log, count)
    slower = max(0.0, 100 * (1 - beside / alone))
    rows.append(Row("% that another file is slower beside a hostile pattern", slower, bar=5, less=True, digits=1))
    peer = _peers.RSYSLOG.version if len(rows) > 3 else None
    print(_table.text(f"{count:,} lines parsed and shipped", peer, rows))
    return 0


def syslog(path: Path, count: int) -> None:
    """Write `count` lines of a plausible auth.log."""
    with path.open("w") as file:
        for number in range(count):
            clock = f"{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}"
            file.write(f"Nov 23 {clock} web-1 sshd[{1000 + number % 500}]: Failed password for invalid user webmaster from "
                       f"173.234.31.186 port {number % 65536} ssh2\n")  # fmt: skip


def tailflog(directory: Path, files: dict[str, tuple[Path, object, int]]) -> tuple[float, float]:
    """Ship files {source: (path, format, lines)}. Return the seconds until the first one is through, and the CPU seconds."""
    server = subprocess.Popen([sys.executable, "-c", ACCEPT], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    url = f"http://127.0.0.1:{int(server.stdout.readline())}"
    var = Path(tempfile.mkdtemp(dir=directory))
    sources = [{"source": name, "paths": [str(path)], "format": form} for name, (path, form, _) in files.items()]
    plan = {"node": "bench", "logserver": url}
    bundle, token = var / "nodeserver/bundle/tailflog.json", var / "secrets/nodeserver/token"
    for path, text in ((bundle, json.dumps({**plan, "sources": []})), (token, "token")):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    environment = {**os.environ, "NODEWARD_VAR": str(var), "NODEWARD_LOG_LEVEL": "WARNING"}
    process = subprocess.Popen([sys.executable, "-m", "nodeward.tailflog.main"], env=environment)
    try:
        _until(lambda: (var / "tailflog" / "status.json").exists())  # it runs, and follows nothing yet
        usage = psutil.Process(process.pid)
        began, before = time.monotonic(), sum(usage.cpu_times()[:2])
        staged = bundle.with_suffix(".new")
        staged.write_text(json.dumps({**plan, "sources": sources}))
        staged.replace(bundle)
        name, (_, _, count) = next(iter(files.items()))
        _until(lambda: _counts(url).get(name, 0) >= count)
        return time.monotonic() - began, sum(usage.cpu_times()[:2]) - before
    finally:
        for one in (process, server):
            one.terminate()
            one.wait()
        server.stdout.close()


def rsyslog(directory: Path, log: Path, count: int) -> list[tuple[str, tuple[float, float]]]:
    """Ship the file with rsyslog, as it is and parsed where mmnormalize is there. Return a name and figures for each."""
    daemon = shutil.which("rsyslogd", path=f"{os.environ['PATH']}:/usr/sbin")
    if daemon is None:
        return []
    done = [
        (
            ", beside rsyslog that parses nothing and writes a file",
            _rsyslog(daemon, directory / "plain", log, count, "", ""),
        )
    ]
    if any(Path("/usr/lib").glob("*/rsyslog/mmnormalize.so")):
        rule = (
            "rule=:%month:word% %day:number% %clock:word% %host:word% %ident:char-to:[%[%pid:number%]: %message:rest%"
        )
        load = 'module(load="mmnormalize")'
        action = f'action(type="mmnormalize" rule=["{rule}"])'
        figures = _rsyslog(daemon, directory / "parsed", log, count, load, action)
        done.append((", beside rsyslog that parses and writes a file", figures))
    return done


def _rsyslog(daemon: str, directory: Path, log: Path, count: int, load: str, action: str) -> tuple[float, float]:
    directory.mkdir()
    rules = directory / "rules"
    rules.write_text(RULES.format(dir=directory, file=log, normalize=load, action=action))
    began = time.monotonic()
    process = subprocess.Popen([daemon, "-n", "-f", str(rules), "-i", str(directory / "pid")])
    usage = psutil.Process(process.pid)
    try:
        out = directory / "out"
        wanted = log.stat().st_size
        _until(lambda: out.exists() and out.stat().st_size >= wanted)
        return time.monotonic() - began, sum(usage.cpu_times()[:2])
    finally:
        process.terminate()
        process.wait()


def hostile(directory: Path, log: Path, count: int) -> tuple[float, float]:
    """Return another file's lines a second beside a raw file, and beside the same one with a hostile pattern."""
    bad = directory / "bad.log"
    bad.write_bytes((b"a" * 4000 + b"!\n") * 5000)
    figures = []
    for form in ("raw", {"pattern": "(a+)+$"}):
        files = {"other": (log, "syslog", count), "bad": (bad, form, 5000)}
        figures.append(count / tailflog(directory, files)[0])
    return figures[0], figures[1]


def _counts(url: str) -> dict[str, int]:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return dict(json.load(answer))


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not true():
        if time.monotonic() > deadline:
            sys.exit("It did not get through within five minutes.")
        time.sleep(0.02)
