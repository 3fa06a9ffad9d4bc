"""The log server as a process, over HTTP and syslog."""

import concurrent.futures
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgpack
import pytest

from fakes.config import FakeConfig
from fakes.logserver_process import LogserverProcess
from nodeward.core import clock
from nodeward.core.client import Client
from nodeward.core.errors import BadInput, NodewardError, NotAllowed, NotAuthenticated, NotFound
from nodeward.supervise.machine import processes
from support import ports
from support.log_records import Line, made
from support.until import until


@pytest.fixture
def node_token(config: FakeConfig) -> str:
    """The token of node web-1."""
    return config.node_token("web-1")


@pytest.fixture
def logserver(
    config: FakeConfig, node_token: str, tmp_path: Path, free_port: Callable[[], int]
) -> Iterator[LogserverProcess]:
    yield from running(config, tmp_path, free_port)


@pytest.fixture(scope="module")
def any_logserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogserverProcess]:
    """One for all tests that change nothing."""
    with FakeConfig() as config:
        yield from running(config, tmp_path_factory.mktemp("logserver"), ports.free_port)


def running(config: FakeConfig, var: Path, free_port: Callable[[], int]) -> Iterator[LogserverProcess]:
    process = LogserverProcess(var, config, free_port)
    process.start()
    yield process
    if process.process is not None and process.process.poll() is None:
        process.stop()


def body(*lines: bytes, **more: Any) -> bytes:
    now = clock.now()
    return made([Line(line, now + number) for number, line in enumerate(lines)], **more)[1]


def messages(rows: list[dict[str, Any]]) -> list[str]:
    return [row["message"] for row in rows]


def test_what_is_posted_is_found_at_once_and_a_repeat_is_harmless(logserver: LogserverProcess) -> None:
    one = body(b"Failed password for root", b"accepted")
    assert logserver.send(one) == {"accepted": 2, "repeated": 0}
    assert logserver.send(one, body(b"other", source="other")) == {"accepted": 1, "repeated": 2}
    (row,) = logserver.logs(q="failed root")
    assert (row["node"], row["source"], row["host"], row["level"]) == ("web-1", "app", "web-1", "info")
    assert logserver.viewer.get(f"/api/v1/logs/{row['id']}") == row
    context = logserver.viewer.get(f"/api/v1/logs/{row['id']}/context", {"before": 3, "after": 3})
    assert (context["before"], context["record"], messages(context["after"])) == ([], row, ["accepted"])


def test_a_node_speaks_for_itself_alone_and_reads_nothing(logserver: LogserverProcess, node_token: str) -> None:
    node = Client(logserver.viewer.url, node_token)
    assert logserver.send(body(b"mine"), client=node)["accepted"] == 1
    with pytest.raises(NotAllowed, match="web-2"):
        logserver.send(body(b"first", source="new"), body(b"hers", node="web-2"), client=node)
    assert messages(logserver.logs(source="new")) == []
    with pytest.raises(NotAllowed):
        node.get("/api/v1/logs")
    with pytest.raises(NotAllowed):
        logserver.send(body(b"x"), client=logserver.viewer)
    with pytest.raises(NotAuthenticated):
        Client(logserver.viewer.url).get("/api/v1/logs")


def test_a_poison_batch_is_named_and_stores_nothing_while_others_pass(logserver: LogserverProcess) -> None:
    poison = msgpack.packb({**msgpack.unpackb(body(b"x"), strict_map_key=False), "end": 0})
    for bad in (poison, b"", b"\xc1", b"\x91" * 100_000, body(b"x")[:-3], b"[]"):
        with pytest.raises(BadInput):
            logserver.send(body(b"before", source="good"), bad) if bad else logserver.send(b"")
    assert logserver.send(body(b"before", source="good"))["accepted"] == 1


def test_lines_can_be_posted_as_json(logserver: LogserverProcess, node_token: str) -> None:
    for count in (1, 2):
        answer = logserver.service.post("/api/v1/batches", {"node": "n", "source": "s", "lines": ["same"] * count})
        assert answer == {"accepted": count, "repeated": 0}
    node = Client(logserver.viewer.url, node_token)
    node.post("/api/v1/batches", {"source": "s", "lines": ["of a node", "\ud800"]})
    assert len(logserver.logs(source="s")) == 5
    for wrong in ({"source": "s", "lines": ["x"]}, {"lines": []}, {"node": "n", "source": "s", "lines": [1]}, ["x"]):
        with pytest.raises(BadInput):
            logserver.service.post("/api/v1/batches", wrong)


@pytest.mark.parametrize(
    ("path", "query", "says"),
    [
        ("logs", {"q": "-", "regex": "(", "from": "yesterday", "level": "loud"}, "At 'from'"),
        ("logs", {"q": '"open'}, "not closed"),
        ("logs", {"regex": "(?=x)"}, "RE2"),
        ("logs", {"from": "2026-01-02", "to": "2026-01-01"}, "before it begins"),
        ("logs", {"cursor": "x"}, "cursor"),
        ("logs", {"limit": "0"}, "limit"),
        ("logs", {"nonsense": "1"}, "nonsense"),
        ("histogram", {"bins": "100000"}, "bins"),
        ("top", {"field": "message"}, "field"),
        ("follow", {"after": "-1"}, "after"),
        ("follow", {"wait": "1000"}, "wait"),
    ],
)
def test_bad_input_gets_a_sentence(
    any_logserver: LogserverProcess, path: str, query: dict[str, str], says: str
) -> None:
    with pytest.raises(BadInput) as error:
        any_logserver.viewer.get(f"/api/v1/{path}", query)
    assert says in str(error.value)


def test_an_id_of_nobody_is_not_found(any_logserver: LogserverProcess) -> None:
    for identifier in ("1-1", "x", "%00"):
        with pytest.raises(NotFound):
            any_logserver.viewer.get(f"/api/v1/logs/{identifier}")


def test_counts_and_sources(logserver: LogserverProcess) -> None:
    logserver.send(body(b"one", b"two"), body(b"three", node="b", source="s"))
    asked = {"from": "1h", "bins": 10, "node": "web-1"}
    # A machine that stands still for as long as a search may take makes an estimate of it.
    histogram = until(lambda: found if (found := logserver.viewer.get("/api/v1/histogram", asked))["exact"] else None)
    assert sum(each["total"] for each in histogram["bins"]) == 2
    top = logserver.viewer.get("/api/v1/top", {"field": "node", "source": "app,s"})
    assert top["items"] == [{"value": "web-1", "count": 2}, {"value": "b", "count": 1}]
    sources = logserver.viewer.get("/api/v1/sources")["items"]
    assert ("b", "s", 1) in [(each["node"], each["source"], each["records"]) for each in sources]
    metrics = logserver.viewer.request("GET", "/metrics").data.decode()
    assert "nodeward_log_accepted_total" in metrics


def test_following_waits_for_what_matches(logserver: LogserverProcess) -> None:
    cursor = logserver.viewer.get("/api/v1/follow", {"limit": 1})["cursor"]
    query = {"after": cursor, "wait": 30, "q": "wanted"}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(logserver.viewer.get, "/api/v1/follow", query, 60)
        logserver.send(body(b"unwanted"))
        logserver.send(body(b"wanted", first=1000))
        answer = waiting.result(timeout=60)
    assert messages(answer["items"]) == ["wanted"]
    assert logserver.viewer.get("/api/v1/follow", {"after": answer["cursor"], "q": "wanted"})["items"] == []


def test_syslog_comes_in_over_udp_and_tcp(logserver: LogserverProcess) -> None:
    address = ("127.0.0.1", logserver.syslog_port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.sendto(b"<34>Oct 11 22:14:15 mymachine su[5]: 'su root' failed\n", address)
        datagrams.sendto(b"no syslog at all", address)
    with socket.create_connection(address) as stream:
        counted = b'<165>1 2026-10-11T22:14:15.003Z mm evntslog 12 ID47 [e@1 u="a"] An event\nof two lines'
        stream.sendall(b"%d %s<13>Oct 11 22:14:15 mm cron: tick\n" % (len(counted), counted))
    rows = until(lambda: rows if len(rows := logserver.logs(source="syslog", order="asc")) == 4 else None)
    by_message = {row["message"]: row for row in rows}
    su = by_message["'su root' failed"]
    assert (su["host"], su["ident"], su["pid"], su["level"], su["node"]) == ("mymachine", "su", 5, "crit", "127.0.0.1")
    event = by_message["An event\nof two lines"]
    assert (event["fields"], event["time"]) == ({"msgid": "ID47", "e@1.u": "a"}, "2026-10-11T22:14:15.003000Z")
    assert by_message["no syslog at all"]["parse_error"]
    assert by_message["tick"]["ident"] == "cron"


def test_its_own_log_comes_in_without_feeding_on_itself(logserver: LogserverProcess) -> None:
    until(lambda: logserver.logs(source="nodeward", q="started"))
    before = len(logserver.logs(source="nodeward"))
    for number in range(5):
        logserver.send(body(b"x", first=number * 100))
    assert len(logserver.logs(source="nodeward")) == before


class Sender:
    """Sends numbered lines of one node as tailflog does: the same batch again until it is acknowledged."""

    def __init__(self, logserver: LogserverProcess, node: str) -> None:
        self._logserver, self._node = logserver, node
        self.acknowledged = self.attempted = 0

    def send(self, lines: int) -> None:
        """Try once; what is not acknowledged is tried again by the next call."""
        first = self.acknowledged
        lines = max(lines, self.attempted - first)  # it may be stored though nobody said so
        self.attempted = max(self.attempted, first + lines)
        numbered = [
            Line(b"%s number %08d" % (self._node.encode(), n), clock.now()) for n in range(first, first + lines)
        ]
        batch = made(numbered, node=self._node, first=first * (16 + len(self._node) + 1))
        try:
            self._logserver.send(batch[1])
        except NodewardError:
            return
        self.acknowledged = first + lines

    def send_all(self, lines: int) -> bool:
        """Try once. Return whether everything that was ever sent is acknowledged."""
        self.send(lines)
        return self.acknowledged == self.attempted


def test_sigkill_at_any_moment_loses_and_duplicates_nothing_acknowledged(logserver: LogserverProcess) -> None:
    senders = [Sender(logserver, f"node-{number}") for number in range(4)]

    def send_some(sender: Sender) -> None:
        for _ in range(6):
            sender.send(3000)

    def well_under_way(jobs: list[concurrent.futures.Future[None]], enough: int) -> bool:
        return any(job.done() for job in jobs) or sum(sender.acknowledged for sender in senders) > enough

    for turn in range(4):
        enough = (turn + 1) * 15_000
        with concurrent.futures.ThreadPoolExecutor(len(senders)) as pool:
            jobs = [pool.submit(send_some, sender) for sender in senders]
            until(partial(well_under_way, jobs, enough), 60)
            if turn == 1:  # the compactor alone
                for child in until(logserver.children):
                    child.kill()
            else:
                logserver.kill()
            concurrent.futures.wait(jobs)
        if turn != 1:
            logserver.start()
    for sender in senders:
        until(lambda sender=sender: sender.send_all(10))
        rows = logserver.logs(node=sender._node, order="asc")
        numbers = [int(row["message"].rsplit(" ", 1)[1]) for row in rows]
        assert sorted(numbers) == list(range(sender.acknowledged))
    until(lambda: _backlog(logserver) < 32768)
    assert sum(
        each["records"] for each in logserver.viewer.get("/api/v1/sources")["items"] if each["source"] == "app"
    ) == (sum(sender.acknowledged for sender in senders))


def _backlog(logserver: LogserverProcess) -> float:
    metrics = logserver.viewer.request("GET", "/metrics").data.decode()
    return float(next(line.split()[1] for line in metrics.splitlines() if line.startswith("nodeward_log_backlog ")))


def test_its_compactor_ends_with_it(logserver: LogserverProcess) -> None:
    sender = Sender(logserver, "n")
    for _ in range(4):
        sender.send(10_000)
    known = until(logserver.children)
    logserver.kill()
    until(lambda: all(processes.ended(child) for child in known))


def test_a_second_log_server_on_the_same_data_is_refused(logserver: LogserverProcess) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "nodeward.logserver.main"], env=logserver._environment, capture_output=True, timeout=100
    )
    assert second.returncode == 78
    assert b"Another log server" in second.stderr


def test_it_stops_when_asked(logserver: LogserverProcess) -> None:
    logserver.send(body(b"one"))
    assert logserver.stop() == 0
    logserver.start()
    assert messages(logserver.logs(source="app")) == ["one"]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("NODEWARD_LOGSERVER_RETENTION", "forever", "NODEWARD_LOGSERVER_RETENTION"),
        ("NODEWARD_LOGSERVER_RETENTION", "1s", "less than a minute"),
        ("NODEWARD_LOGSERVER_SYSLOG_TIMEZONE", "Mars/North", "no time zone"),
        ("NODEWARD_LOGSERVER_SYSLOG_PORT", "99999", "65535"),
        ("NODEWARD_LOGSERVER_PORT", "x", "port number"),
        ("NODEWARD_STORE", "redis://x", "cannot keep logs"),
    ],
)
def test_settings_that_cannot_be_used_are_named(name: str, value: str, says: str) -> None:
    command = [sys.executable, "-m", "nodeward.logserver.main", "--check-config"]
    found = subprocess.run(command, env={**os.environ, name: value}, capture_output=True, text=True, timeout=100)
    assert found.returncode == 78
    assert says in found.stderr
    assert "Traceback" not in found.stderr
