"""The log server's figures for Prometheus."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from nodeward.logserver.receive import Receiver
from nodeward.logserver.syslog import Syslog
from nodeward.store.base import LogShelf


class Figures(Collector):
    """Asks the parts when it is asked."""

    def __init__(self, registry: CollectorRegistry, shelf: LogShelf, receiver: Receiver, syslog: Syslog) -> None:
        self._shelf, self._receiver, self._syslog = shelf, receiver, syslog
        registry.register(self)

    def describe(self) -> list[Metric]:
        """Nothing beforehand: registering must not ask the shelf."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the figures."""
        figures = self._shelf.figures()
        yield GaugeMetricFamily("nodeward_log_records", "Log records stored", figures.records)
        yield GaugeMetricFamily("nodeward_log_bytes", "Bytes that log records take on disk", figures.bytes)
        yield GaugeMetricFamily("nodeward_log_backlog", "Log records that wait for compaction", figures.backlog)
        yield CounterMetricFamily(
            "nodeward_log_accepted", "Log records accepted since the start", self._receiver.records
        )
        yield CounterMetricFamily("nodeward_log_repeated", "Log records that had come before", self._receiver.repeats)
        yield CounterMetricFamily("nodeward_syslog_messages", "Syslog messages received", self._syslog.received)
        yield CounterMetricFamily("nodeward_syslog_lost", "Syslog messages there was no room for", self._syslog.lost)
