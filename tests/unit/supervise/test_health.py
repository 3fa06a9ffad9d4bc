import http.server
import json
import threading

import pytest

from nodeward.supervise import health
from nodeward.supervise.client import Program
from nodeward.supervise.machine.wait import Results, results


def program(name, state, description=""):
    return Program(name, name, state, None, 1, None, None, description, "", "")


@pytest.fixture
def ready(monkeypatch):
    """A monitor whose /readyz answers what a test puts here."""
    answer = {"status": 200, "body": b"{}"}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(answer["status"])
            self.end_headers()
            self.wfile.write(answer["body"])

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("NODEWARD_MONITOR_PORT", str(server.server_port))
        yield answer
        server.shutdown()


def test_all_running_is_no_fault():
    assert health.program_faults([program("web", "RUNNING"), program("listener", "RUNNING")], frozenset({"web"})) == []


def test_every_program_that_does_not_run_is_named_the_listener_among_them():
    rows = [program("web", "FATAL", "Exited too quickly"), program("listener", "EXITED"), program("extra", "FATAL")]
    assert health.program_faults(rows, frozenset({"web", "monitor"})) == [
        "listener is EXITED.",
        "monitor is unknown to supervisor.",
        "web is FATAL. Exited too quickly",
    ]


def test_a_server_that_is_ready_has_no_fault(ready):
    assert health.server_fault("monitor", 60.0) is None


def test_one_that_is_not_ready_says_what_it_misses(ready):
    ready.update(status=503, body=json.dumps({"missing": ["The registry is not loaded.", "No disk."]}).encode())
    assert health.server_fault("monitor", 60.0) == "monitor is not ready: The registry is not loaded. No disk."


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"missing": 3}', b"[]", b'{"missing": [1]}'])
def test_an_answer_that_makes_no_sense_is_a_fault_and_no_crash(ready, body):
    ready.update(status=503, body=body)
    assert health.server_fault("monitor", 60.0) == "monitor is not ready: it does not say why."


def test_one_that_does_not_answer_is_a_fault_with_its_port(monkeypatch, free_port):
    port = free_port()
    monkeypatch.setenv("NODEWARD_MONITOR_PORT", str(port))
    assert health.server_fault("monitor", 60.0) == f"monitor does not answer on port {port} (Connection refused)."


def test_results_are_counted_by_service_and_the_nodes_own_row_is_none():
    rows = [
        {"service": None, "state": "UP"},
        {"service": "load", "state": "OK"},
        {"service": "disk", "state": "PENDING"},
    ]
    assert results(rows) == Results(2, 1)
    assert not Results(2, 1).complete
    assert not Results(0, 0).complete
    assert Results(2, 2).complete
