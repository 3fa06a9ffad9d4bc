"""The log shelf on MongoDB beside the one on SQLite: the same batches, in this process, until all are lines and blocks.

`--store` names the server; a database of its own is made there, and dropped. Lines are those of `logs_store`. A rare word stands
in one line of ten thousand each; a page is a hundred records.
"""

import argparse
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bench_parts import _peers, _table, logs_store
from bench_parts._table import Row

from nodeward.core import batch as wire
from nodeward.core import clock
from nodeward.store.base import LogQuery, LogShelf, Term
from nodeward.store.choose_logs import log_shelf
from nodeward.store.selftest import scratch

Figures = tuple[float, float, float, float]


def main(arguments: list[str]) -> int:
    """Measure both; print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="script/bench mongodb", description=__doc__)
    parser.add_argument("--store", default="mongodb://127.0.0.1:27017/")
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--quick", action="store_true", help="50,000 rows, for a first impression")
    options = parser.parse_args(arguments)
    rows = 50_000 if options.quick else options.rows
    if _peers.loghub() is None:
        print(f"The sample logs are missing: {_peers.LOGHUB.get}.")
        return 1
    bodies = [body for body, _ in logs_store._bodies(rows)]
    with scratch("sqlite:") as (uri, place):
        embedded = measure(uri, place, bodies, rows)
    with scratch(options.store) as (uri, place):
        ours = measure(uri, place, bodies, rows)
    names = ("rows a second until acknowledged", "rows a second until folded", "a rare word, ms", "a host's newest, ms")
    found = [
        Row(name, one, other, less=name.endswith("ms"), digits=1 if name.endswith("ms") else 0)
        for name, one, other in zip(names, ours, embedded, strict=True)
    ]
    print(_table.text(f"{rows:,} log lines on MongoDB", "on SQLite", found))
    return 0


def measure(uri: str, place: Path, bodies: list[bytes], rows: int) -> Figures:
    """Return rows a second until acknowledged and until folded, and what two questions take."""
    with closing(log_shelf(uri, place / "logs")) as shelf:
        began = time.perf_counter()
        for body in bodies:
            shelf.append(list(wire.decode(body)), clock.now())
        acknowledged = time.perf_counter() - began
        while shelf.compact(clock.now() + 10**12):
            pass
        folded = time.perf_counter() - began
        word = [LogQuery(terms=(Term(needle.encode()),)) for needle in logs_store.NEEDLES]
        host = [LogQuery(hosts=(logs_store.name_of(number),)) for number in range(10)]
        return rows / acknowledged, rows / folded, asked(shelf, word), asked(shelf, host)


def asked(shelf: LogShelf, queries: list[LogQuery]) -> float:
    """Return the median of what a page takes, in milliseconds."""
    return statistics.median(_times(shelf, queries)) * 1000


def _times(shelf: LogShelf, queries: list[LogQuery]) -> Iterator[float]:
    for query in queries:
        began = time.perf_counter()
        shelf.search(query)
        yield time.perf_counter() - began
