"""One node server for a module's tests: each runs runbooks of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.config import FakeConfig
from fakes.monitor import FakeMonitor
from fakes.runbook_node import RunbookNode


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunbookNode]:
    """A node server at work."""
    var = tmp_path_factory.mktemp("node")
    with FakeConfig() as config, FakeMonitor() as monitor, RunbookNode(config, monitor, var) as started:
        started.give([])
        started.wait_until_ready()
        yield started
        assert started.stop() == 0


@pytest.fixture
def fresh(config: FakeConfig, tmp_path: Path) -> Iterator[RunbookNode]:
    """A node server that the test may kill."""
    with FakeMonitor() as monitor, RunbookNode(config, monitor, tmp_path) as started:
        started.give([])
        started.wait_until_ready()
        yield started
