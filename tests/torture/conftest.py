"""What the torture tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.sink import Sink


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
