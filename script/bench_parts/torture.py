"""What rotation and kills cost: lines lost and lines doubled, tailflog beside rsyslog on the same files at the same time.

A program writes numbered lines; its file is rotated every second, and in the middle both followers are ended and started again.
tailflog posts to a server that keeps each key once, as the log server does; rsyslog reads with imfile and writes a file. Then
what the two hold is counted line by line.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

KEEP = """
import http.server, sys
from nodeward.core import batch
known, out = set(), open(sys.argv[1], "ab", buffering=0)
class Keep(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        for one, _ in batch.decode(self.rfile.read(int(self.headers["Content-Length"]))):
            if one.source != "nodeward":
                out.write(b"".join(self.new(one)))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
    def new(self, one):
        for record in batch.records(one, 0):
            if (record.generation, record.offset) not in known:
                known.add((record.generation, record.offset))
                yield record.raw + b"\\n"
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keep)
server.handle_error = lambda *_: None  # a follower that is killed breaks off
print(server.server_port, flush=True)
server.serve_forever()
"""
RULES = """
global(workDirectory="{dir}")
module(load="imfile" mode="inotify")
template(name="out" type="string" string="%msg%\\n")
input(type="imfile" File="{pattern}" Tag="app:" ruleset="r" reopenOnTruncate="on")
ruleset(name="r") {{ action(type="omfile" file="{dir}/out" template="out") }}
"""
DOWN = 1.5  # seconds between end and start
SETTLE = 15.0  # seconds without a new line after which nothing more is awaited


@dataclass(frozen=True)
class Case:
    """What happens to the file and to those who follow it."""

    name: str
    rotate: str = ""  # rename | copytruncate
    pattern: str = "app.log"
    kill: int = 0


CASES = (
    Case("rename 1/s", "rename"),
    Case("rename 1/s, SIGTERM + 1.5 s down", "rename", kill=signal.SIGTERM),
    Case("rename 1/s, glob `app.log*`, SIGKILL + 1.5 s down", "rename", "app.log*", signal.SIGKILL),
    Case("copytruncate 1/s, copy not racing", "copytruncate"),
    Case("copytruncate 1/s, glob matches the copy", "copytruncate", "app.log*"),
    Case("no rotation, SIGKILL + 1.5 s down", kill=signal.SIGKILL),
)


def main(arguments: list[str]) -> int:
    """Measure; print a table in Markdown."""
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=12.0, help="how long each case lasts")
    options.add_argument("--rate", type=int, default=19_000, help="lines a second")
    options.add_argument("--quick", action="store_true")
    chosen = options.parse_args(arguments)
    seconds, rate = (5.0, 5000) if chosen.quick else (chosen.seconds, chosen.rate)
    daemon = shutil.which("rsyslogd", path=f"{os.environ['PATH']}:/usr/sbin")
    heads = "| case | lines written | tailflog: lost | doubled |" + (" rsyslog: lost | doubled |" if daemon else "")
    rows = [heads, "| --- |" + " ---: |" * (heads.count("|") - 2)]
    for case in CASES:
        with tempfile.TemporaryDirectory() as scratch:
            written, verdicts = measured(Path(scratch), case, seconds, rate, daemon)
        cells = [f"{figure:,}" for verdict in verdicts for figure in verdict]
        rows.append(f"| {case.name} | {written:,} | " + " | ".join(cells) + " |")
    print("\n".join(rows))
    return 0


def measured(
    directory: Path, case: Case, seconds: float, rate: int, daemon: str | None
) -> tuple[int, list[tuple[int, int]]]:
    """Run one case. Return how many lines were written, and for each follower how many it lost and doubled."""
    logs = directory / "logs"
    logs.mkdir()
    (logs / "app.log").write_bytes(line(0) + b"\n")
    followers: list[Follower] = [Tailflog(directory / "tailflog", logs / case.pattern)]
    if daemon:
        followers.append(Rsyslog(directory / "rsyslog", logs / case.pattern, daemon))
    try:
        for follower in followers:
            follower.start()
        for follower in followers:
            follower.awaited()  # from here on it knows the file
        written = write(logs / "app.log", case, seconds, rate, followers)
        return written, [verdict(written, follower.settled()) for follower in followers]
    finally:
        for follower in followers:
            follower.close()


def write(path: Path, case: Case, seconds: float, rate: int, followers: "list[Follower]") -> int:
    """Write numbered lines at a rate; rotate every second; end the followers in the middle, start them later. Return how many."""
    began = time.monotonic()
    number, turn = 1, 0
    ended, started = not case.kill, not case.kill
    file = os.open(path, os.O_WRONLY | os.O_APPEND)
    while (passed := time.monotonic() - began) < seconds:
        wanted = int(passed * rate)
        os.write(file, b"".join(line(one) + b"\n" for one in range(number, wanted)))
        number = max(number, wanted)
        if case.rotate and passed > turn + 1:
            turn += 1
            file = rotated(path, file, case.rotate, turn)
        if not ended and passed > seconds / 2:
            ended = True
            for follower in followers:
                follower.end(case.kill)
        if not started and passed > seconds / 2 + DOWN:
            started = True
            for follower in followers:
                follower.start()
        time.sleep(0.01)
    os.close(file)
    return number


def line(number: int) -> bytes:
    """Return a line that there is once."""
    return b"line %09d of a program that writes a lot" % number


def rotated(path: Path, file: int, way: str, turn: int) -> int:
    """Rotate the file; return what to write into from now on."""
    old = path.with_name(f"{path.name}.{turn}")
    if way == "copytruncate":
        shutil.copyfile(path, old)
        os.truncate(path, 0)
        return file
    os.close(file)
    path.rename(old)
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)


def verdict(written: int, lines: list[bytes]) -> tuple[int, int]:
    """Return how many lines are missing and how many are there more than once."""
    found = Counter(lines)
    wanted = {line(number) for number in range(written)}
    return len(wanted - found.keys()), sum(count - 1 for text, count in found.items() if text in wanted)


class Follower:
    """A program that follows files and puts their lines into `out`."""

    def __init__(self, directory: Path, pattern: Path) -> None:
        directory.mkdir()
        self.directory, self.pattern = directory, pattern
        self.out = directory / "out"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the program."""
        raise SystemExit("a follower says how it is started")

    def end(self, number: int) -> None:
        """End the program by a signal."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait()
            self.process = None

    def close(self) -> None:
        """End everything."""
        self.end(signal.SIGKILL)

    def awaited(self) -> None:
        """Wait until it has shipped the first line."""
        deadline = time.monotonic() + 120
        while not (self.out.exists() and self.out.stat().st_size):
            if time.monotonic() > deadline:
                sys.exit(f"{type(self).__name__} did not ship a line within two minutes.")
            time.sleep(0.05)

    def settled(self) -> list[bytes]:
        """Return the lines once none has come for a while."""
        size, since = -1, time.monotonic()
        while time.monotonic() - since < SETTLE:
            now = self.out.stat().st_size if self.out.exists() else 0
            if now != size:
                size, since = now, time.monotonic()
            time.sleep(0.2)
        return [text.strip() for text in self.out.read_bytes().splitlines()] if self.out.exists() else []


class Tailflog(Follower):
    """Ours, and the server it posts to."""

    def __init__(self, directory: Path, pattern: Path) -> None:
        super().__init__(directory, pattern)
        command = [sys.executable, "-c", KEEP, str(self.out)]
        self._server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._server.stdout is not None
        url = f"http://127.0.0.1:{int(self._server.stdout.readline())}"
        plan = {"node": "bench", "logserver": url, "sources": [{"source": "app", "paths": [str(pattern)]}]}
        put(directory / "nodeserver/bundle/tailflog.json", json.dumps(plan))
        put(directory / "secrets/nodeserver/token", "token")

    def start(self) -> None:
        """Start the program."""
        environment = {**os.environ, "NODEWARD_VAR": str(self.directory), "NODEWARD_LOG_LEVEL": "ERROR"}
        self.process = subprocess.Popen([sys.executable, "-m", "nodeward.tailflog.main"], env=environment)

    def close(self) -> None:
        """End everything."""
        super().close()
        self._server.kill()
        self._server.wait()
        if self._server.stdout is not None:
            self._server.stdout.close()


class Rsyslog(Follower):
    """The peer."""

    def __init__(self, directory: Path, pattern: Path, daemon: str) -> None:
        super().__init__(directory, pattern)
        self._command = [daemon, "-n", "-f", str(directory / "rules"), "-i", str(directory / "pid")]
        put(directory / "rules", RULES.format(dir=directory, pattern=pattern))

    def start(self) -> None:
        """Start the program."""
        (self.directory / "pid").unlink(missing_ok=True)
        self.process = subprocess.Popen(self._command)


def put(path: Path, text: str) -> None:
    """Write a file, with its directories."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
