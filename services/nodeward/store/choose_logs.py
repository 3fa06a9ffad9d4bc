"""Which backend keeps the logs: one table, asked by the kind of NODEWARD_STORE's URI."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from nodeward.store.base import LogShelf
from nodeward.store.choose import chosen, kind_of
from nodeward.store.logblocks.compactor import Process
from nodeward.store.sqlite_logs import SqliteLogShelf

_TABLES = re.compile(r"log_[a-z]+|logs_\d{4}_\d{2}_\d{2}")  # in MongoDB


def _sqlite(_uri: str, root: Path) -> LogShelf:
    return SqliteLogShelf(root, Process(root))


def _mongodb(uri: str, _root: Path) -> LogShelf:
    from nodeward.store.mongodb import opened
    from nodeward.store.mongodb_logs import MongodbLogShelf

    return opened(uri, "logserver", MongodbLogShelf)


LOG_SHELVES: dict[str, Callable[[str, Path], LogShelf]] = {
    "sqlite": _sqlite,
    "mongodb": _mongodb,
    "mongodb+srv": _mongodb,
}


def log_shelf(uri: str, root: Path) -> LogShelf:
    """Return the log shelf that `uri` names; an embedded one lies below `root`. Raise ConfigError if there is none."""
    return chosen(LOG_SHELVES, uri, "logs")(uri, root)


def check(uri: str) -> None:
    """Raise ConfigError if no log shelf has that kind of URI."""
    chosen(LOG_SHELVES, uri, "logs")


def empty_logs(uri: str, root: Path) -> None:
    """Remove all that is kept there. May be repeated; no shelf may be open meanwhile."""
    if kind_of(uri) == "sqlite":
        shutil.rmtree(root, ignore_errors=True)
    else:
        from nodeward.store.mongodb import emptied

        emptied(uri, "logserver", _TABLES.fullmatch)
