"""How many results a second the monitor takes: a real process, its real store, reports over HTTP.

Every report holds the results of one node (20 services, with performance data), as a node server's does. Four threads send
one after the other, so each waits until its report is durable.
"""

import argparse
import os
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from bench_parts import _table  # noqa: E402
from bench_parts._table import Row  # noqa: E402

from fakes.config import FakeConfig  # noqa: E402
from fakes.monitor_process import MonitorProcess  # noqa: E402
from nodeward.core import clock  # noqa: E402
from nodeward.core.client import Client  # noqa: E402

MORE = {"results a second, durable", "events a second"}  # of the rest, less is better
NODES, SERVICES, SENDERS = 200, 20, 4


def main(arguments: list[str]) -> int:
    """Measure; print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="script/bench monitor", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--quick", action="store_true", help="five seconds, for a first impression")
    options = parser.parse_args(arguments)
    with FakeConfig() as config, tempfile.TemporaryDirectory() as directory:
        config.monitoring = fleet()
        monitor = MonitorProcess(Path(directory), config, free_port())
        token = config.token("bench", "service")
        monitor.start()
        try:
            figures = measure(monitor, token, 5.0 if options.quick else options.seconds)
        finally:
            monitor.stop()
    rows = [
        Row(name, figure, less=name not in MORE, digits=0 if figure > 100 else 2) for name, figure in figures.items()
    ]
    print(_table.text(f"monitor: {NODES} nodes, {NODES * SERVICES:,} services", None, rows))
    return 0


def fleet() -> dict[str, Any]:
    """Return a fleet of many nodes with many services each."""
    names = [f"node-{number}" for number in range(NODES)]
    services = [
        {"node": name, "service": f"service-{number}", "interval": 60, "attempts": 3}
        for name in names
        for number in range(SERVICES)
    ]
    nodes = [{"name": name, "agent": True} for name in names]
    return {"revision": 1, "nodes": nodes, "services": services, "contacts": [], "periods": [], "routes": []}


def measure(monitor: MonitorProcess, token: str, seconds: float) -> dict[str, float]:
    """Send as fast as the monitor answers."""
    until = time.monotonic() + seconds
    sent = [0] * SENDERS
    pid = monitor.pid
    before, began = cpu_seconds(pid), time.monotonic()
    threads = [
        threading.Thread(target=send, args=(monitor.client(token), each, until, sent)) for each in range(SENDERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, cpu = time.monotonic() - began, cpu_seconds(pid) - before
    events = monitor.viewer.get("/api/v1/events", {"limit": 1})["cursor"]
    results = sum(sent) * SERVICES
    return {
        "results a second, durable": results / took,
        "milliseconds a report of 20": 1000 * took * SENDERS / max(1, sum(sent)),
        "events a second": events / took,
        "CPU seconds per 1,000 results": 1000 * cpu / max(1, results),
        "memory, MB": resident(pid) / 1e6,
    }


def send(client: Client, sender: int, until: float, sent: list[int]) -> None:
    """Send report after report, of every node in turn. Each service is CRITICAL once in fifty results."""
    turn = 0
    while time.monotonic() < until:
        for number in range(sender, NODES, SENDERS):
            client.post("/api/v1/results", report(f"node-{number}", turn))
            sent[sender] += 1
            if time.monotonic() > until:
                return
        turn += 1


def report(node: str, turn: int) -> dict[str, Any]:
    """Return the report of one node's turn."""
    now = clock.now()
    results = [
        {
            "node": node,
            "service": f"service-{place}",
            "code": 2 if (turn + place) % 50 == 0 else 0,
            "output": f"load average {turn}.{place:02d}, all within limits",
            "perfdata": f"load1={turn % 7}.5;5;10;0 load5={place}.25;5;10;0",
            "started": now + place,
            "duration": 0.01,
        }
        for place in range(SERVICES)
    ]
    return {"reporter": node, "generation": "bench", "first": turn * SERVICES, "sent": now, "results": results}


def cpu_seconds(pid: int) -> float:
    """Return the CPU time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> int:
    """Return the memory a process has, in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
