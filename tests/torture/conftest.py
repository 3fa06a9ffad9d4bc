"""What the torture tests share."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.sink import Sink
from torture.harness import Following, Writer, source


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A log server's receiving half."""
    with Sink() as one:
        yield one


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A directory for log files."""
    path = tmp_path / "logs"
    path.mkdir()
    return path


@pytest.fixture
def writer(logs: Path) -> Writer:
    """What writes numbered lines into app.log."""
    return Writer(logs / "app.log")


@pytest.fixture
def follow(tmp_path: Path, sink: Sink, logs: Path) -> Callable[..., Following]:
    """Return a function that gives a tailflog for the files in `logs` that match, as one source."""

    def give(pattern: str = "*.log", **more: Any) -> Following:
        return Following(tmp_path, sink, [source(logs, pattern, **more)])

    return give
