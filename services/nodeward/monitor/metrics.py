"""The monitor's figures for Prometheus."""

from collections import Counter as Tally
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric

from nodeward.core.results import Result
from nodeward.monitor.board import Board
from nodeward.monitor.receive import Receipt
from nodeward.monitor.writer import Writer


class Figures:
    """Counts what is received, and shows what stands on the board."""

    def __init__(self, registry: CollectorRegistry, board: Board, writer: Writer) -> None:
        self._results = Counter("nodeward_monitor_results", "Results received", ["fate"], registry=registry)
        self._latency = Histogram(
            "nodeward_monitor_check_latency_seconds",
            "How much later than planned checks began",
            buckets=(0.01, 0.1, 0.5, 1, 5, 15, 60, 300),
            registry=registry,
        )
        registry.register(_Standing(board, writer))

    def count(self, receipt: Receipt, results: Iterable[Result]) -> None:
        """Count one report."""
        for fate, number in receipt._asdict().items():
            self._results.labels(fate).inc(number)
        for result in results:
            self._latency.observe(result.latency)


class _Standing:
    """Reads the board when somebody asks."""

    def __init__(self, board: Board, writer: Writer) -> None:
        self._board, self._writer = board, writer

    def collect(self) -> Iterable[Metric]:
        """Yield the gauges."""
        standing = list(self._board.states.values())
        yield _gauge(
            "nodeward_monitor_states",
            "Nodes and services by state",
            "state",
            Tally(("node " if each.service is None else "") + each.state for each in standing),
        )
        flips, deliveries = list(self._board.flips.values()), list(self._board.deliveries.values())
        outbox = Tally([each.status for each in flips] + [each.status for each in deliveries])
        yield _gauge("nodeward_monitor_outbox", "Flips and deliveries that are not over, by status", "status", outbox)
        yield GaugeMetricFamily(
            "nodeward_monitor_stale", "Nodes and services that are silent", sum(each.stale for each in standing)
        )
        yield GaugeMetricFamily("nodeward_monitor_queue", "Commands that wait for the writer", self._writer.depth)
        yield GaugeMetricFamily("nodeward_monitor_commits", "Transactions since the start", self._writer.commits)


def _gauge(name: str, text: str, label: str, tally: "Tally[str]") -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, number in sorted(tally.items()):
        family.add_metric([value], number)
    return family
