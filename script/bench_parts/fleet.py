"""How the config server carries a large fleet: 10,000 nodes in 50 groups, 200 checks of a few nodes, 20 of all; over HTTP."""

import argparse
import http.client
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from bench_parts import _table  # noqa: E402
from bench_parts._table import Row  # noqa: E402

from fakes.registry_server import RegistryServer  # noqa: E402
from nodeward.core.client import Client  # noqa: E402

BARS = {"304 answers a second": 2000, "seconds until a changed check is in every node's bundle": 10}
MORE = {"304 answers a second"}  # of the rest, less is better
NODES, GROUPS, CHECKS, EVERYWHERE, ASKERS, ASKED = 10_000, 50, 200, 20, 4, 500


def main(arguments: list[str]) -> int:
    """Measure; print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="script/bench fleet", description=__doc__)
    parser.add_argument("--nodes", type=int, default=NODES)
    parser.add_argument("--quick", action="store_true", help="1,000 nodes, for a first impression")
    options = parser.parse_args(arguments)
    nodes = 1000 if options.quick else options.nodes
    with tempfile.TemporaryDirectory() as directory, RegistryServer(Path(directory)) as server:
        figures = measure(server, nodes)
    rows = [
        Row(name, figure, bar=BARS.get(name), less=name not in MORE, digits=0 if figure > 100 else 2)
        for name, figure in figures.items()
    ]
    print(_table.text(f"config server: {nodes:,} nodes, {CHECKS + EVERYWHERE} checks", None, rows))
    return 0


def measure(server: RegistryServer, nodes: int) -> dict[str, float]:
    """Put the fleet in, change it, and ask as nodes do."""
    whole = seconds(lambda: server.apply(fleet(nodes)))
    one = seconds(lambda: server.apply(check(7, "1h")))
    node = seconds(lambda: server.apply(machine(3).replace("192.0.2.1", "192.0.2.2")))
    first = seconds(lambda: bundles(server, range(200)))
    unrelated = seconds(lambda: server.apply("{kind: group, name: g1, description: renamed}"))
    again = seconds(lambda: bundles(server, range(200)))
    monitoring = seconds(lambda: server.service.get("/api/v1/monitoring", timeout=120.0))
    return {
        "seconds to apply the whole fleet": whole,
        "seconds to apply one changed check": one,
        "seconds to apply one changed node": node,
        "seconds to apply one changed group": unrelated,
        "milliseconds for a bundle, rendered": first * 1000 / 200,
        "milliseconds for a bundle after an unrelated change": again * 1000 / 200,
        "seconds for what the monitor needs": monitoring,
        "304 answers a second": not_modified(server),
        **everywhere(server, nodes),
        "memory, MB": int(Path(f"/proc/{server.pid}/statm").read_text().split()[1]) * 4096 / 1e6,
    }


def fleet(nodes: int) -> str:
    """Return the fleet's text: one list, flow style, as a generator would write it."""
    machines = [machine(number) for number in range(nodes)]
    return "\n".join(
        f"- {each}" for each in [*machines, *(check(number, "60s") for number in range(CHECKS + EVERYWHERE))]
    )


def machine(number: int) -> str:
    """Return one node; each is in two groups."""
    groups = f"[g{number % GROUPS}, h{number % 7}]"
    return f"{{kind: node, name: n{number}, address: 192.0.2.1, groups: {groups}, labels: {{rack: r{number % 40}}}}}"


def check(number: int, interval: str) -> str:
    """Return one check: by group, by expression, with arguments that depend on the node, in turn; the last are everywhere."""
    assign = (
        f"{{groups: [g{number % GROUPS}]}}",
        f"{{expression: \"'h{number % 7}' in groups and labels.rack == 'r{number % 40}'\"}}",
    )[number % 2]
    assign = assign if number < CHECKS else "{nodes: ['*']}"
    args = "{port: 22}" if number % 5 else '{port: 22, host: "{{ node.address }}"}'
    return f"{{kind: check, name: c{number}, plugin: tcp, args: {args}, assign: {assign}, interval: {interval}}}"


def bundles(server: RegistryServer, numbers: range) -> None:
    """Ask for the bundles of some nodes."""
    client = server.service
    for number in numbers:
        client.get(f"/api/v1/nodes/n{number}/bundle")


def not_modified(server: RegistryServer) -> float:
    """Return how many conditional requests for unchanged bundles are answered a second."""
    client = server.service
    tag = client.request("GET", "/api/v1/nodes/n1/bundle").headers["ETag"]
    threads = [threading.Thread(target=ask, args=(client, tag)) for _ in range(ASKERS)]

    def run() -> None:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return ASKERS * ASKED / seconds(run)


def everywhere(server: RegistryServer, nodes: int) -> dict[str, float]:
    """Change a check that every node has; say how long it takes until the last node has got the change."""
    shares = [range(first, nodes, ASKERS) for first in range(ASKERS)]
    tags = [fetched(server, share, {}) for share in shares]
    began, worked = time.perf_counter(), processor(server.pid)
    server.apply(check(CHECKS, "2h"))
    with ThreadPoolExecutor(ASKERS) as askers:
        after = list(askers.map(partial(fetched, server), shares, tags))
    took, worked = time.perf_counter() - began, processor(server.pid) - worked
    assert all(
        tag != before[node] for tags_after, before in zip(after, tags, strict=True) for node, tag in tags_after.items()
    )
    return {
        "seconds until a changed check is in every node's bundle": took,
        "of these, seconds of one core in the config server": worked,
    }


def processor(pid: int) -> float:
    """Return the seconds that a process has had a core."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fetched(server: RegistryServer, share: range, tags: dict[int, str]) -> dict[int, str]:
    """Ask for the bundles of some nodes over one connection, as one who has what `tags` say; return the tags that came."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    token = f"Bearer {server.secret('monitor', 'token')}"
    found = {}
    for number in share:
        headers = {"Authorization": token, **({"If-None-Match": tags[number]} if tags else {})}
        connection.request("GET", f"/api/v1/nodes/n{number}/bundle", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, (answer.status, body)
        found[number] = answer.headers["ETag"]
    connection.close()
    return found


def ask(client: Client, tag: str) -> None:
    """Ask again and again for what has not changed."""
    for _ in range(ASKED):
        answer = client.request("GET", "/api/v1/nodes/n1/bundle", headers={"If-None-Match": tag})
        assert answer.status == 304, answer.status


def seconds(act: Callable[[], object]) -> float:
    """Return how long something takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
