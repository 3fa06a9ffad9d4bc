"""Which state shelf `NODEWARD_STORE` means: one table, scheme → how to open it."""

from collections.abc import Callable
from pathlib import Path

from nodeward.store import sqlite
from nodeward.store.base_states import StateShelf
from nodeward.store.choose import chosen, kind_of
from nodeward.store.sqlite_states import SqliteStateShelf

TABLES = frozenset(
    (
        "states",
        "events",
        "flips",
        "deliveries",
        "downtimes",
        "cursors",
        "monitor_meta",
        "series",
        "points",
        "chunks",
        "state_marks",
        "state_pieces",
    )
)  # in MongoDB


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
    return chosen(KINDS, store, "states")(store, directory)


def empty_states(store: str, directory: Path) -> None:
    """Remove all that is kept there. May be repeated; no shelf may be open meanwhile."""
    if kind_of(store) == "sqlite":
        sqlite.remove(directory / "states.db")
    else:
        from nodeward.store.mongodb import emptied

        emptied(store, "monitor", TABLES.__contains__)
