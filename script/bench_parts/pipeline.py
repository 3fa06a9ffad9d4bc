"""The whole way of a log line beside rsyslog: followed in a file, parsed, shipped, stored, and found again.

Ours are the real tailflog and the real log server with its compacting process, each with its spool, its checkpoint and its
durable commits. rsyslog follows the same file (imfile), parses it (mmnormalize) and writes a line of JSON for each (omfile): it
ships nothing, and what it stores cannot be searched. The clock runs from the moment the file is known to the follower until the
last line is stored; the CPU seconds of all processes of a side are added up, compaction of all lines included; each side's lines
are counted at the end, and ours must give the last one to a search.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench_parts import _peers, _servers, _table
from bench_parts._servers import Most
from bench_parts._table import Row

from fakes.logserver_process import LogserverProcess

WORDS = ["webmaster", "oracle", "git", "postgres", "deploy", "nagios", "backup", "monitor"]
RULES = """
global(workDirectory="{dir}")
module(load="imfile" mode="inotify")
module(load="mmnormalize")
template(name="out" type="list" option.jsonf="on") {{
    property(outname="stamp" name="$!clock" format="jsonf") property(outname="host" name="$!host" format="jsonf")
    property(outname="ident" name="$!ident" format="jsonf") property(outname="pid" name="$!pid" format="jsonf")
    property(outname="message" name="$!message" format="jsonf") property(outname="raw" name="msg" format="jsonf")
}}
input(type="imfile" File="{file}" Tag="app:" ruleset="r" reopenOnTruncate="on")
ruleset(name="r") {{
    action(type="mmnormalize" rule=["{rule}"])
    action(type="omfile" file="{dir}/out" template="out")
}}
"""
RULE = "rule=:%month:word% %day:number% %clock:word% %host:word% %ident:char-to:[%[%pid:number%]: %message:rest%"


@dataclass
class Figures:
    """What one side did."""

    seconds: float
    cpu: float
    stored: int
    memory: float


def main(arguments: list[str]) -> int:
    """Measure both sides; print a table in Markdown. Return 1 if a line of ours is missing."""
    parser = argparse.ArgumentParser(prog="script/bench pipeline", description=__doc__)
    parser.add_argument("--lines", type=int, default=3_000_000)
    parser.add_argument("--quick", action="store_true", help="300,000 lines, for a first impression")
    options = parser.parse_args(arguments)
    count = 300_000 if options.quick else options.lines
    with tempfile.TemporaryDirectory(prefix="nodeward-bench-") as scratch:
        log = Path(scratch) / "auth.log"
        write(log, count)
        ours, backlog = nodeward(Path(scratch) / "nodeward", log, count)
        theirs = rsyslog(Path(scratch) / "rsyslog", log, count)
    peer = f"{_peers.RSYSLOG.version} (parses, writes a file)" if theirs else None
    print(_table.text(f"{count:,} lines of a file", peer, table(count, ours, backlog, theirs)))
    return 0 if ours.stored == count else 1


def table(count: int, ours: Figures, backlog: float, theirs: Figures | None) -> list[Row]:
    """Return the rows of the table."""
    return [
        Row(
            "lines a second, stored and searchable",
            count / ours.seconds,
            theirs and count / theirs.seconds,
            bar=150_000,
        ),
        Row("lines per CPU second of all processes", count / ours.cpu, theirs and count / theirs.cpu, beside=1),
        Row(f"lines there at the end, of {count:,}", ours.stored, theirs and theirs.stored, bar=count),
        Row("lines that waited for compaction, at most", backlog, less=True),
        Row("memory of all processes, MB", ours.memory, theirs and theirs.memory, less=True),
    ]


def write(path: Path, count: int) -> None:
    """Write `count` lines of a plausible auth.log; the last one has a word of its own."""
    with path.open("w") as file:
        for number in range(count - 1):
            clock = f"{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}"
            word = WORDS[number * 7 % 8]
            file.write(f"Nov 23 {clock} web-1 sshd[{1000 + number % 500}]: Failed password for invalid user {word} "
                       f"from 173.{number % 251}.31.{number % 191} port {number * 31 % 65536} ssh2\n")  # fmt: skip
        file.write("Nov 23 23:59:59 web-1 sshd[1]: Connection closed by zanzibarquartz\n")


def nodeward(place: Path, log: Path, count: int) -> tuple[Figures, float]:
    """Run tailflog and the log server until every line is stored. Return the figures and the largest backlog."""
    place.mkdir()
    with _servers.logserver(place) as server:
        command = [sys.executable, "-m", "nodeward.tailflog.main"]
        bundle = _bundle(place, server)
        environment = {**os.environ, "NODEWARD_VAR": str(place), "NODEWARD_LOG_LEVEL": "WARNING"}
        with _servers.running(command, env=environment) as tailflog:
            _servers.until((place / "tailflog" / "status.json").exists, 30, "tailflog does not start")
            assert server.process is not None
            pids = tailflog.pid, server.process.pid
            with (
                Most(lambda: _servers.memory(*pids)) as memory,
                Most(lambda: _servers.metric(server, "nodeward_log_backlog"), 0.5) as backlog,
            ):
                before, began = _servers.cpu(*pids), time.monotonic()
                _follow(bundle, server, log)
                _servers.until(lambda: _stored(server) >= count, 300, "The lines are not stored", every=0.2)
                seconds = time.monotonic() - began
                _servers.until(lambda: _found(server), 30, "The last line is not found")
                _settle(server)
                cpu = _servers.cpu(*pids) - before
            time.sleep(1)  # what came twice would come now
            return Figures(seconds, cpu, _stored(server), memory.value), backlog.value


def _bundle(place: Path, server: LogserverProcess) -> Path:
    """Write the bundle of a node that follows nothing yet, and its token."""
    token = place / "secrets" / "nodeserver" / "token"
    token.parent.mkdir(parents=True, exist_ok=True)
    token.write_text(server.node_token("bench"))  # type: ignore[attr-defined]
    bundle = place / "nodeserver" / "bundle" / "tailflog.json"
    bundle.parent.mkdir(parents=True)
    bundle.write_text(json.dumps({"node": "bench", "logserver": server.service.url, "sources": []}))
    return bundle


def _follow(bundle: Path, server: LogserverProcess, log: Path) -> None:
    staged = bundle.with_suffix(".new")
    source = {"source": "auth", "paths": [str(log)], "format": "syslog"}
    staged.write_text(json.dumps({"node": "bench", "logserver": server.service.url, "sources": [source]}))
    staged.replace(bundle)


def _stored(server: LogserverProcess) -> int:
    return int(_servers.metric(server, "nodeward_log_records"))


def _found(server: LogserverProcess) -> bool:
    return len(server.logs(q="zanzibarquartz")) == 1


def _settle(server: LogserverProcess) -> None:
    """Wait until what can be compacted is: that work belongs to the lines too."""
    waiting = "The log server has not compacted what it has"
    _servers.until(lambda: _servers.metric(server, "nodeward_log_backlog") < 32_768, 120, waiting, every=0.1)


def rsyslog(place: Path, log: Path, count: int) -> Figures | None:
    """Run rsyslog until every line is written. Return None where it, or what parses in it, is missing."""
    program = _peers.RSYSLOG.find()
    if program is None or _peers.mmnormalize() is None:
        return None
    place.mkdir()
    rules, out = place / "rules", place / "out"
    rules.write_text(RULES.format(dir=place, file=log, rule=RULE))
    command = [str(program), "-n", "-f", str(rules), "-i", str(place / "pid")]
    began = time.monotonic()
    with (
        _servers.running(command, stderr=subprocess.DEVNULL) as process,
        Most(lambda: _servers.memory(process.pid)) as memory,
    ):
        _servers.until(out.exists, 30, "rsyslog writes nothing")
        written = Written(out)
        _servers.until(lambda: written.lines() >= count, 300, "rsyslog has not written every line", every=0.2)
        seconds, cpu = time.monotonic() - began, _servers.cpu(process.pid)
    return Figures(seconds, cpu, written.lines(), memory.value)


class Written:
    """Counts the lines of a file that grows: rsyslog's workers write them in an order of their own."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._count = 0

    def lines(self) -> int:
        """Return how many lines there are now."""
        while piece := self._file.read(1 << 20):
            self._count += piece.count(b"\n")
        return self._count


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
