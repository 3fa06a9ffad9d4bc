"""Which state shelf `NODEWARD_STORE` means: one table, scheme → how to open it."""

from collections.abc import Callable
from pathlib import Path

from nodeward.core.errors import ConfigError
from nodeward.store.base_states import StateShelf
from nodeward.store.sqlite_states import SqliteStateShelf


def _mongodb(store: str, _directory: Path) -> StateShelf:
    from nodeward.store.mongodb import opened
    from nodeward.store.mongodb_states import MongodbStateShelf

    return opened(store, "monitor", MongodbStateShelf)


KINDS: dict[str, Callable[[str, Path], StateShelf]] = {
    "sqlite": lambda _store, directory: SqliteStateShelf(directory / "states.db"),
    "mongodb": _mongodb,
    "mongodb+srv": _mongodb,
}


def open_states(store: str, directory: Path) -> StateShelf:
    """Given `NODEWARD_STORE` and the role's directory, return the shelf. Raise ConfigError if there is none for it."""
    scheme = store.partition(":")[0]
    if scheme not in KINDS:
        known = ", ".join(f"{kind}:" for kind in KINDS)
        raise ConfigError(f"NODEWARD_STORE is {scheme}:…; the monitor can keep its states in: {known}")
    return KINDS[scheme](store, directory)
