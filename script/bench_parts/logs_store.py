"""The log server beside VictoriaLogs: the same lines and the same questions over HTTP, in the same run, on the same machine.

Lines are those of real systems (the loghub samples) with every digit drawn anew, so that compression is not flattered, from 200
hosts of uneven share, a thousand a second. Ours come as the wire's batches, one host's lines in each; VictoriaLogs gets JSON
lines, with the host as its stream. Rows per CPU second count everything a side does to store them, until it has settled: on our
side the log server and its compacting process. Bytes on disk are those of all files once they do not change any more, on both
sides, and only then questions are asked. Rows a second are measured over the first two million, whose requests are made
beforehand. Ten rare words stand in one line of 100,000 each, and are asked for in turn; a page is a hundred records.
"""

import argparse
import contextlib
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import urllib3
from bench_parts import _peers, _servers, _table
from bench_parts._servers import LogserverProcess, Most
from bench_parts._table import Row

from nodeward.core import batch as wire
from nodeward.core.batch import Batch

HOSTS, RATE, NEEDLE_EVERY, LIMIT = 200, 1000, 10_000, 100
STONES = ["quartz", "topaz", "onyx", "agate", "beryl", "opal", "jasper", "garnet", "citrine", "amber"]
NEEDLES = [f"zanzibar{stone}" for stone in STONES]
COMMON = "session"
START = 1_795_478_400_000_000  # 2026-11-24T00:00:00Z
CHUNK = 50_000
BODY_ROWS = 5000  # in one request, on both sides
TIMED = 2_000_000

Body = tuple[bytes, int]  # a request's body, and how many rows are in it
Ask = Callable[[dict[str, str]], int]
Make = Callable[[random.Random], dict[str, str]]


@dataclass
class Figures:
    """What one side did."""

    rows_per_second: float = 0.0
    rows_per_cpu_second: float = 0.0
    bytes_per_row: float = 0.0
    memory: float = 0.0
    backlog: float = 0.0
    queries: dict[str, tuple[float, float]] = field(default_factory=dict)  # name: (p50, p95) in ms
    found: dict[str, int] = field(default_factory=dict)


def main(arguments: list[str]) -> int:
    """Measure both sides; print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="script/bench logs_store", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=40, help="how often each query is asked")
    parser.add_argument("--quick", action="store_true", help="300,000 rows, for a first impression")
    parser.add_argument("--alone", action="store_true", help="without VictoriaLogs")
    options = parser.parse_args(arguments)
    rows, rounds = (300_000, 20) if options.quick else (options.rows, options.rounds)
    if _peers.loghub() is None:
        print(f"The sample logs are missing: {_peers.LOGHUB.get}.")
        return 1
    ours = measure_ours(rows, rounds)
    program = None if options.alone else _peers.victorialogs()
    theirs = measure_peer(rows, rounds, program) if program else None
    print(_table.text(f"{rows:,} log lines", _peers.VICTORIALOGS.version if theirs else None, table(ours, theirs)))
    return 0


def table(ours: Figures, theirs: Figures | None) -> list[Row]:
    """Return the rows of the table."""

    def row(what: str, ask: Callable[[Figures], float], **more: Any) -> Row:
        return Row(what, ask(ours), ask(theirs) if theirs else None, **more)

    rows = [
        row("rows stored a second", lambda each: each.rows_per_second, beside=1),
        row("rows stored per CPU second", lambda each: each.rows_per_cpu_second, beside=1),
        row("bytes a row on disk", lambda each: each.bytes_per_row, bar=60, beside=1, less=True, digits=1),
        row("memory while storing, MB", lambda each: each.memory, less=True),
        Row("rows that waited for compaction, at most", ours.backlog, less=True),
    ]
    for name in ours.queries:
        bar = None if name.startswith("substring") else 50
        rows.append(row(f"{name}, p50 ms", lambda each, name=name: each.queries[name][0], less=True, digits=1))
        rows.append(
            row(
                f"{name}, p95 ms", lambda each, name=name: each.queries[name][1], bar=bar, beside=1, less=True, digits=1
            )
        )
        same = theirs is None or ours.found[name] == theirs.found[name]
        assert same, f"{name}: we found {ours.found[name]}, the peer {theirs.found[name]}"  # type: ignore[union-attr]
    return rows


class Lines:
    """Makes the lines, chunk after chunk, the same ones for every side."""

    def __init__(self, rows: int) -> None:
        folder = _peers.loghub()
        assert folder is not None
        self._rows = rows
        samples = [line for path in sorted(folder.glob("*.log")) for line in path.read_bytes().splitlines() if line]
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
                lines[row] += b" " + NEEDLES[(first + row) // NEEDLE_EVERY % len(NEEDLES)].encode()
            hosts = random_.choice(HOSTS, count, p=self._shares)
            times = START + (np.arange(first, first + count) * (1_000_000 // RATE)) + random_.integers(0, 1000, count)
            yield lines, hosts, times


def name_of(host: int) -> str:
    """Return a host's name."""
    return f"host-{host:03d}"


def store(bodies: Iterator[Body], post: Callable[[bytes], object], settle: Callable[[], None]) -> float:
    """Store all; return the rows a second of the first two million."""
    timed, count = [], 0
    for body, rows in bodies:
        timed.append(body)
        count += rows
        if count >= TIMED:
            break
    began = time.perf_counter()
    for body in timed:
        post(body)
    settle()
    took = time.perf_counter() - began
    timed.clear()
    for body, _ in bodies:
        post(body)
    settle()
    return count / took


def measure_ours(rows: int, rounds: int) -> Figures:
    """Store and search with our log server."""
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="nodeward-bench-") as scratch, _servers.logserver(Path(scratch)) as server:
        assert server.process is not None
        pid, logs = server.process.pid, Path(scratch) / "logserver" / "logs"

        def waiting() -> float:
            return _servers.metric(server, "nodeward_log_backlog")

        def settle() -> None:
            _servers.until(lambda: waiting() < 65_536, 300, "The log server has not compacted what it has", every=0.1)

        before = _servers.cpu(pid)
        with Most(lambda: _servers.memory(pid)) as memory, Most(waiting, 0.5) as backlog:
            figures.rows_per_second = store(_bodies(rows), server.send, settle)
        figures.rows_per_cpu_second = rows / (_servers.cpu(pid) - before)
        figures.memory, figures.backlog = memory.value, backlog.value
        figures.bytes_per_row = _settled_size(logs) / rows
        assert _servers.metric(server, "nodeward_log_records") == rows, "not every row is stored"
        _measure_queries(figures, rows, rounds, lambda asked: _ask(server, asked))
    return figures


def _ask(server: LogserverProcess, asked: dict[str, str]) -> int:
    """Ask until the page is full or there is no more. Return how many records were found."""
    word = f"*{asked['part']}*" if "part" in asked else asked["word"]
    query = {"q": word, "limit": LIMIT, **{name: asked[name] for name in ("host", "from", "to") if name in asked}}
    found, cursor = 0, None
    while True:
        page = server.viewer.get("/api/v1/logs", {**query, "cursor": cursor, "limit": LIMIT - found}, timeout=60)
        found, cursor = found + len(page["items"]), page["next"]
        if found >= LIMIT or cursor is None:
            return found


def _bodies(rows: int) -> Iterator[Body]:
    """Yield what is stored with one request: batches of some senders, each the lines of one host, by columns."""
    gathered: list[bytes] = []
    count = 0
    for batch in _batches(rows):
        gathered.append(wire.encode(batch))
        count += batch.count
        if count >= BODY_ROWS:
            yield b"".join(gathered), count
            gathered, count = [], 0
    if gathered:
        yield b"".join(gathered), count


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


def queries(rows: int) -> dict[str, Make]:
    """Return what is asked: a rare word, a common one, a host's lines with a word within a range of time, part of a word."""
    span = rows * 1_000_000 // RATE

    def host_word_range(chance: random.Random) -> dict[str, str]:
        begin = START + chance.randrange(span // 2)
        host = name_of(chance.randrange(5, 60))
        return {"word": COMMON, "host": host, "from": _iso(begin), "to": _iso(begin + span // 2)}

    return {
        "rare word": lambda chance: {"word": chance.choice(NEEDLES)},
        "common word": lambda chance: {"word": COMMON},
        "host + word + range": host_word_range,
        "substring, first page": lambda chance: {"part": COMMON[1:-1]},
    }


def _measure_queries(figures: Figures, rows: int, rounds: int, ask: Ask) -> None:
    for name, make in queries(rows).items():
        chance, taken = random.Random(1), []
        figures.found[name] = 0
        ask(make(chance))  # what is read for the first time comes from the disk
        for _ in range(rounds):
            query = make(chance)
            began = time.perf_counter()
            figures.found[name] += ask(query)
            taken.append((time.perf_counter() - began) * 1000)
        figures.queries[name] = (statistics.median(taken), sorted(taken)[int(len(taken) * 0.95) - 1])


def measure_peer(rows: int, rounds: int, program: Path) -> Figures:
    """Store and search with VictoriaLogs."""
    figures = Figures()
    pool = urllib3.PoolManager(maxsize=2)
    with tempfile.TemporaryDirectory(prefix="nodeward-bench-") as scratch, _peer(program, Path(scratch)) as (url, pid):
        insert = f"{url}/insert/jsonline?_stream_fields=host&_msg_field=_msg&_time_field=_time"

        def post(body: bytes) -> None:
            answer = pool.request("POST", insert, body=body)
            assert answer.status == 200, answer.data

        def settle() -> None:
            pool.request("GET", f"{url}/internal/force_flush")

        before = _servers.cpu(pid)
        with Most(lambda: _servers.memory(pid)) as memory:
            figures.rows_per_second = store(_json_bodies(rows), post, settle)
        figures.rows_per_cpu_second = rows / (_servers.cpu(pid) - before)
        figures.memory = memory.value
        pool.request("GET", f"{url}/internal/force_merge")
        figures.bytes_per_row = _settled_size(Path(scratch)) / rows

        def ask(asked: dict[str, str]) -> int:
            text = f'~"{asked["part"]}"' if "part" in asked else asked["word"]
            if "host" in asked:
                text = f'{{host="{asked["host"]}"}} {text} _time:[{asked["from"]}, {asked["to"]})'
            answer = pool.request("POST", f"{url}/select/logsql/query", fields={"query": text, "limit": str(LIMIT)})
            assert answer.status == 200, answer.data
            return answer.data.count(b"\n")

        _measure_queries(figures, rows, rounds, ask)
    return figures


@contextlib.contextmanager
def _peer(program: Path, scratch: Path) -> Iterator[tuple[str, int]]:
    address = f"127.0.0.1:{_servers.free_port()}"
    command = [str(program), f"-storageDataPath={scratch}", f"-httpListenAddr={address}", "-retentionPeriod=100y"]
    pool = urllib3.PoolManager(retries=False)

    def answers() -> bool:
        try:
            return pool.request("GET", f"http://{address}/health").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    with _servers.running(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _servers.until(answers, 20, "VictoriaLogs does not answer", every=0.1)
        yield f"http://{address}", process.pid


def _json_bodies(rows: int) -> Iterator[Body]:
    for lines, hosts, times in Lines(rows).chunks():
        rendered = [
            json.dumps(
                {"_time": _iso(moment), "host": name_of(host), "level": "info", "_msg": line.decode("utf-8", "replace")}
            )
            for line, host, moment in zip(lines, hosts.tolist(), times.tolist(), strict=True)
        ]
        for begin in range(0, len(rendered), BODY_ROWS):
            part = rendered[begin : begin + BODY_ROWS]
            yield "\n".join(part).encode(), len(part)


def _iso(micros: int) -> str:
    seconds, rest = divmod(int(micros), 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:06d}Z"


def _settled_size(root: Path) -> int:
    """Return the size once it does not change any more, as merging goes on in the background."""
    before, deadline = -1, time.monotonic() + 60
    while (now := _servers.size(root)) != before and time.monotonic() < deadline:
        before = now
        time.sleep(3)
    return now


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
