"""Which backend keeps the logs: one table, asked by the kind of NODEWARD_STORE's URI."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from nodeward.core.errors import ConfigError
from nodeward.store.base import LogShelf
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
    check(uri)
    return LOG_SHELVES[uri.partition(":")[0]](uri, root)


def check(uri: str) -> None:
    """Raise ConfigError if no log shelf has that kind of URI."""
    kind = uri.partition(":")[0]
    if kind not in LOG_SHELVES:
        kinds = ", ".join(f"{known}:" for known in LOG_SHELVES)
        raise ConfigError(f"NODEWARD_STORE is {kind}:…, which cannot keep logs; {kinds} can.")


def empty_logs(uri: str, root: Path) -> None:
    """Remove all that is kept there. May be repeated; no shelf may be open meanwhile."""
    if uri.partition(":")[0] == "sqlite":
        shutil.rmtree(root, ignore_errors=True)
    else:
        from nodeward.store.mongodb import emptied

        emptied(uri, "logserver", _TABLES.fullmatch)
