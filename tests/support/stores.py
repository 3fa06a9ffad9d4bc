"""The stores that every contract runs on, as NODEWARD_STORE would name them."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from nodeward.store import choose_logs
from nodeward.store.base import LogShelf
from nodeward.store.sqlite_logs import SqliteLogShelf
from support.mongodb import scratch

STORES = ["sqlite", pytest.param("mongodb", marks=pytest.mark.mongodb)]


def uri_of(request: pytest.FixtureRequest) -> str:
    """Return the URI of an empty store of the kind that the test was given."""
    return str(request.getfixturevalue("mongodb")) if request.param == "mongodb" else "sqlite:"


def log_shelf(uri: str, root: Path) -> LogShelf:
    """Return the log shelf of a store; the embedded one does in this process what it else has a process of its own for."""
    return SqliteLogShelf(root) if uri == "sqlite:" else choose_logs.log_shelf(uri, root)


@contextmanager
def empty_log_shelf(kind: str, request: pytest.FixtureRequest) -> Iterator[LogShelf]:
    """Yield an empty log shelf of that kind: for a test that wants many, one after the other."""
    with tempfile.TemporaryDirectory() as root, ExitStack() as stack:
        server = request.getfixturevalue("mongodb_server") if kind == "mongodb" else ""
        yield stack.enter_context(
            closing(log_shelf(stack.enter_context(scratch(server)) if server else "sqlite:", Path(root)))
        )
