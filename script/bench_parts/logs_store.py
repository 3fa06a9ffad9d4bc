"""The log shelf beside VictoriaLogs: the same lines, in the same run, on the same machine.

Lines are those of real systems (the loghub samples) with every digit drawn anew, so that compression is not flattered, from 200
hosts of uneven share, a thousand a second. Ours come as the wire's batches, one host's lines in each; VictoriaLogs gets JSON
lines, with the host as its stream. Rows per CPU second count everything a side does to store them: on our side decoding,
appending durably and compacting; on theirs the whole process until it has flushed.
"""

import argparse
import contextlib
import json
import os
import random
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import urllib3

from nodeward.core import batch as wire
from nodeward.core.batch import Batch
from nodeward.store.base import LogQuery, Term
from nodeward.store.logblocks.compactor import Process
from nodeward.store.sqlite_logs import SqliteLogShelf

ROOT = Path(__file__).resolve().parents[2]
LOGHUB = Path(os.environ.get("NODEWARD_LOGHUB", ROOT.parent / "shared" / "data" / "loghub"))
PEER = Path.home() / ".cache" / "peers" / "victoria-logs"
HOSTS, RATE, NEEDLE_EVERY = 200, 1000, 100_000
NEEDLE, COMMON = "zanzibarquartz", "session"
START = 1_795_478_400_000_000  # 2026-11-24T00:00:00Z
CHUNK = 50_000
BODY_ROWS = 5000  # in one request, on both sides


@dataclass
class Figures:
    """What one side did."""

    rows_per_second: float = 0.0
    rows_per_cpu_second: float = 0.0
    bytes_per_row: float = 0.0
    queries: dict[str, tuple[float, float]] = field(default_factory=dict)  # name: (p50, p95) in ms
    found: dict[str, int] = field(default_factory=dict)


def main(arguments: list[str]) -> int:
    """Measure both sides; print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="logs_store", description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--peer", type=Path, default=PEER, help="the victoria-logs program")
    parser.add_argument("--rounds", type=int, default=20, help="how often each query is asked")
    options = parser.parse_args(arguments)
    if not LOGHUB.is_dir():
        print(f"skipped: the sample logs are not in {LOGHUB} (set NODEWARD_LOGHUB)")
        return 0
    ours = measure_ours(options.rows, options.rounds)
    theirs = measure_peer(options.rows, options.rounds, options.peer) if options.peer.exists() else None
    print("\n".join(table(options.rows, ours, theirs, options.peer)))
    return 0


def table(rows: int, ours: Figures, theirs: Figures | None, peer: Path) -> list[str]:
    """Return the table."""
    head = "VictoriaLogs" if theirs else f"VictoriaLogs (skipped: no {peer})"
    lines = [f"| {rows:,} log lines | Nodeward | {head} |", "| --- | ---: | ---: |"]

    def line(name: str, ask: Callable[[Figures], str]) -> str:
        return f"| {name} | {ask(ours)} | {ask(theirs) if theirs else '–'} |"

    lines.append(line("rows/s", lambda figures: f"{figures.rows_per_second:,.0f}"))
    lines.append(line("rows per CPU second", lambda figures: f"{figures.rows_per_cpu_second:,.0f}"))
    lines.append(line("bytes/row on disk", lambda figures: f"{figures.bytes_per_row:.1f}"))
    for name in ours.queries:
        lines.append(
            line(
                f"{name}: p50 / p95 ms (found)",
                lambda figures, name=name: (
                    f"{figures.queries[name][0]:.1f} / {figures.queries[name][1]:.1f} ({figures.found[name]})"
                ),
            )
        )
    return lines


class Lines:
    """Makes the lines, chunk after chunk, the same ones for every side."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        samples = [line for path in sorted(LOGHUB.glob("*.log")) for line in path.read_bytes().splitlines() if line]
        self._samples = np.array(samples, object)
        shares = 1 / np.arange(1, HOSTS + 1)
        self._shares = shares / shares.sum()

    def chunks(self) -> Iterator[tuple[list[bytes], np.ndarray, np.ndarray]]:
        """Yield lines, their hosts (numbers) and their times (µs)."""
        random_ = np.random.default_rng(7)
        for first in range(0, self._rows, CHUNK):
            count = min(CHUNK, self._rows - first)
            text = np.frombuffer(
                b"\n".join(self._samples[random_.integers(0, len(self._samples), count)]), np.uint8
            ).copy()
            digits = (text - 48) < 10
            text[digits] = random_.integers(48, 58, int(digits.sum()), dtype=np.uint8)
            lines = text.tobytes().split(b"\n")
            for row in range(-first % NEEDLE_EVERY, count, NEEDLE_EVERY):
                lines[row] += b" " + NEEDLE.encode()
            hosts = random_.choice(HOSTS, count, p=self._shares)
            times = START + (np.arange(first, first + count) * (1_000_000 // RATE)) + random_.integers(0, 1000, count)
            yield lines, hosts, times


def name_of(host: int) -> str:
    """Return a host's name."""
    return f"host-{host:03d}"


def measure_ours(rows: int, rounds: int) -> Figures:
    """Store and search with our shelf."""
    bodies = list(_bodies(rows))
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="nodeward-bench-") as scratch:
        root = Path(scratch) / "logs"
        compactor = Process(root)
        shelf = SqliteLogShelf(root, compactor)
        cpu, began = _cpu(), time.perf_counter()
        now = START + rows * (1_000_000 // RATE)
        for body in bodies:
            shelf.append(list(wire.decode(body)), now)
            shelf.compact(now)
        while shelf.compact(now + 10**12):
            pass
        wall = time.perf_counter() - began
        shelf.close()
        figures.rows_per_second = rows / wall
        figures.rows_per_cpu_second = rows / (_cpu() - cpu)
        figures.bytes_per_row = _size(root) / rows
        shelf = SqliteLogShelf(root)

        def ask(query: dict[str, str]) -> int:
            return len(shelf.search(_query(query), limit=100).items)

        _measure_queries(figures, rows, rounds, ask)
        shelf.close()
    return figures


def _bodies(rows: int) -> Iterator[bytes]:
    """Yield what is stored with one commit: batches of some senders, each the lines of one host, by columns."""
    gathered: list[bytes] = []
    count = 0
    for batch in _batches(rows):
        gathered.append(wire.encode(batch))
        count += batch.count
        if count >= BODY_ROWS:
            yield b"".join(gathered)
            gathered, count = [], 0
    if gathered:
        yield b"".join(gathered)


def _batches(rows: int) -> Iterator[Batch]:
    sent = [0] * HOSTS
    for lines, hosts, times in Lines(rows).chunks():
        order = np.argsort(hosts, kind="stable")
        for group in np.split(order, np.flatnonzero(np.diff(hosts[order])) + 1):
            host = int(hosts[group[0]])
            batch = _batch(name_of(host), [lines[row] for row in group], times[group], sent[host])
            sent[host] = batch.end
            yield batch


def _batch(host: str, lines: list[bytes], times: np.ndarray, first: int) -> Batch:
    count = len(lines)
    lengths = np.array([len(line) for line in lines])
    levels = np.where(np.arange(count) % 10 == 0, 3, 6).astype(np.uint8)
    behind = first + np.cumsum(lengths + 1)
    ones = np.ones(count, np.uint16).tobytes()
    return Batch(
        node=host, source="app", generation="bench", path="/var/log/app.log", format="raw", count=count,
        end=int(behind[-1]), raw=b"".join(lines), ends=np.cumsum(lengths).astype(np.uint32).tobytes(),
        offsets=(behind - lengths - 1).astype(np.uint64).tobytes(), times=times.astype(np.int64).tobytes(),
        levels=levels.tobytes(), hosts=(["", host], ones), idents=(["", "app"], ones),
        pids=np.full(count, -1, np.int32).tobytes(), message_starts=bytes(4 * count),
        message_ends=lengths.astype(np.uint32).tobytes(),
    )  # fmt: skip


def queries(rows: int) -> dict[str, Callable[[random.Random], dict[str, str]]]:
    """Return what is asked: a rare word, a common one, a host's lines with a word within a range of time."""
    span = rows * 1_000_000 // RATE

    def host_word_range(chance: random.Random) -> dict[str, str]:
        begin = START + chance.randrange(span // 2)
        return {
            "word": COMMON,
            "host": name_of(chance.randrange(5, 60)),
            "from": str(begin),
            "to": str(begin + span // 2),
        }

    return {
        "needle": lambda chance: {"word": NEEDLE},
        "common word": lambda chance: {"word": COMMON},
        "host + word + range": host_word_range,
    }


def _measure_queries(figures: Figures, rows: int, rounds: int, ask: Callable[[dict[str, str]], int]) -> None:
    for name, make in queries(rows).items():
        chance, taken = random.Random(1), []
        ask(make(chance))  # what is read for the first time comes from the disk
        for _ in range(rounds):
            query = make(chance)
            began = time.perf_counter()
            figures.found[name] = ask(query)
            taken.append((time.perf_counter() - began) * 1000)
        figures.queries[name] = (statistics.median(taken), sorted(taken)[int(len(taken) * 0.95) - 1])


def _query(asked: dict[str, str]) -> LogQuery:
    more = {"start": int(asked["from"]), "end": int(asked["to"])} if "from" in asked else {}
    return LogQuery(terms=(Term(asked["word"].encode()),), hosts=(asked["host"],) if "host" in asked else (), **more)


def measure_peer(rows: int, rounds: int, program: Path) -> Figures:
    """Store and search with VictoriaLogs."""
    figures = Figures()
    pool = urllib3.PoolManager(maxsize=2)
    with tempfile.TemporaryDirectory(prefix="nodeward-bench-") as scratch, _peer(program, Path(scratch)) as (url, pid):
        bodies = list(_json_bodies(rows))
        insert = f"{url}/insert/jsonline?_stream_fields=host&_msg_field=_msg&_time_field=_time"
        cpu, began = _cpu_of(pid), time.perf_counter()
        for body in bodies:
            answer = pool.request("POST", insert, body=body)
            assert answer.status == 200, answer.data
        pool.request("GET", f"{url}/internal/force_flush")
        figures.rows_per_second = rows / (time.perf_counter() - began)
        figures.rows_per_cpu_second = rows / (_cpu_of(pid) - cpu)

        def ask(query: dict[str, str]) -> int:
            text = query["word"]
            if "host" in query:
                text = f'{{host="{query["host"]}"}} {text} _time:[{_iso(query["from"])}, {_iso(query["to"])})'
            answer = pool.request("POST", f"{url}/select/logsql/query", fields={"query": text, "limit": "100"})
            assert answer.status == 200, answer.data
            return answer.data.count(b"\n")

        _measure_queries(figures, rows, rounds, ask)
        pool.request("GET", f"{url}/internal/force_merge")
        figures.bytes_per_row = _settled_size(Path(scratch)) / rows
    return figures


@contextlib.contextmanager
def _peer(program: Path, scratch: Path) -> Iterator[tuple[str, int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    process = subprocess.Popen(
        [program, f"-storageDataPath={scratch}", f"-httpListenAddr={address}", "-retentionPeriod=100y"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                urllib3.PoolManager(retries=False).request("GET", f"http://{address}/health")
                break
            except urllib3.exceptions.HTTPError:
                time.sleep(0.1)
        yield f"http://{address}", process.pid
    finally:
        process.kill()
        process.wait()


def _json_bodies(rows: int) -> Iterator[bytes]:
    for lines, hosts, times in Lines(rows).chunks():
        rendered = [
            json.dumps(
                {"_time": _iso(moment), "host": name_of(host), "level": "info", "_msg": line.decode("utf-8", "replace")}
            )
            for line, host, moment in zip(lines, hosts.tolist(), times.tolist(), strict=True)
        ]
        for begin in range(0, len(rendered), BODY_ROWS):
            yield "\n".join(rendered[begin : begin + BODY_ROWS]).encode()


def _iso(micros: str | int) -> str:
    seconds, rest = divmod(int(micros), 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:06d}Z"


def _cpu() -> float:
    """Return the CPU seconds of this process and of its children that ended."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _size(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


def _settled_size(root: Path) -> int:
    """Return the size once it does not change any more, as merging goes on in the background."""
    before, deadline = -1, time.monotonic() + 30
    while (now := _size(root)) != before and time.monotonic() < deadline:
        before = now
        time.sleep(2)
    return now


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
