import logging
import threading

import pytest
from flask import Flask, request

from nodeward.core import batch, log, settings
from nodeward.core.client import Client
from nodeward.core.errors import Unavailable
from nodeward.core.server import Server
from support.until import until


@pytest.fixture(autouse=True)
def _logging_as_found():
    root = logging.getLogger()
    found = root.handlers[:], root.level
    root.setLevel("DEBUG")
    yield
    root.handlers[:], level = found
    root.setLevel(level)
    logging.captureWarnings(False)


class Sink:
    """A log server that keeps what it gets, and may be away."""

    def __init__(self):
        self.records, self.away = [], threading.Event()
        app = Flask("sink")

        @app.post("/api/v1/batches")
        def batches():
            if self.away.is_set():
                return "", 503
            for one, _ in batch.decode(request.get_data()):
                self.records += list(batch.records(one, received=0))
            return {}

        self.server = Server(app, "127.0.0.1", 0)


@pytest.fixture
def sink():
    sink = Sink()
    sink.server.start()
    yield sink
    sink.server.stop()


def _settings(tmp_path):
    return settings.load(settings.Settings, role="monitor", var=tmp_path, node="local")


def _shipper(tmp_path, sink, capacity=100):
    client = Client(f"http://127.0.0.1:{sink.server.port}")
    return log.Shipper(_settings(tmp_path), lambda: client, capacity)


def test_a_roles_lines_arrive_under_source_nodeward(tmp_path, sink):
    shipper = _shipper(tmp_path, sink)
    shipper.start()
    logging.getLogger("nodeward.monitor.states").warning("disk on %s is full", "web-1")
    (record,) = until(lambda: sink.records)
    shipper.stop()
    assert (record.source, record.node, record.ident, record.message) == (
        "nodeward",
        "local",
        "monitor",
        "disk on web-1 is full",
    )
    assert record.level == 4
    assert record.fields == {"logger": "nodeward.monitor.states"}
    assert b"WARNING nodeward.monitor.states: disk on web-1 is full" in record.raw


def test_lines_about_shipping_are_not_shipped(tmp_path, sink):
    shipper = _shipper(tmp_path, sink)
    shipper.start()
    logging.getLogger("urllib3.connectionpool").debug("POST /batches 200")
    logging.getLogger("nodeward.core.log").debug("not shipped yet")
    logging.getLogger("nodeward.monitor").info("real")
    until(lambda: sink.records)
    shipper.stop()
    assert [record.message for record in sink.records] == ["real"]


def test_a_log_server_that_is_away_blocks_nobody_and_what_was_lost_is_said(tmp_path, sink):
    sink.away.set()
    shipper = _shipper(tmp_path, sink, capacity=5)
    shipper.start()
    for number in range(3000):
        logging.getLogger("nodeward.monitor").info("line %d", number)
    sink.away.clear()
    until(lambda: _kept(sink) + _said_lost(sink) == 3000)
    shipper.stop()
    assert _said_lost(sink) > 0
    offsets = [record.offset for record in sink.records]
    assert offsets == sorted(set(offsets))


def _kept(sink):
    return sum(record.message.startswith("line") for record in sink.records)


def _said_lost(sink):
    return sum(int(record.message.split()[0]) for record in sink.records if "did not fit" in record.message)


def test_nobody_knowing_where_the_log_server_is_is_harmless(tmp_path):
    def nobody():
        raise Unavailable("not known yet")

    shipper = log.Shipper(_settings(tmp_path), nobody)
    shipper.start()
    logging.getLogger("nodeward.monitor").info("hello")
    shipper.stop()
    until(lambda: not shipper.alive)


def test_the_screen_is_coloured_when_asked_and_the_file_is_not(tmp_path, capsys):
    log.set_up(_settings(tmp_path), colours=True)
    logging.getLogger("nodeward.x").error("it burns")
    assert "\x1b[31m" in capsys.readouterr().err
    written = (tmp_path / "log" / "monitor.log").read_text()
    assert "ERROR nodeward.x: it burns" in written
    assert "\x1b" not in written
    for handler in logging.getLogger().handlers:
        handler.close()
