"""Which registry shelf `NODEWARD_STORE` means: one table, scheme → how to open it."""

from collections.abc import Callable
from pathlib import Path

from nodeward.store import sqlite
from nodeward.store.base_registry import RegistryShelf
from nodeward.store.choose import chosen, kind_of
from nodeward.store.sqlite_registry import SqliteRegistryShelf

TABLES = frozenset(
    ("objects", "revisions", "credentials", "passwords", "audit", "bundles", "registry_marks", "registry_pieces")
)  # in MongoDB


def _mongodb(store: str, _directory: Path) -> RegistryShelf:
    from nodeward.store.mongodb import opened
    from nodeward.store.mongodb_registry import MongodbRegistryShelf

    return opened(store, "configserver", MongodbRegistryShelf)


KINDS: dict[str, Callable[[str, Path], RegistryShelf]] = {
    "sqlite": lambda _store, directory: SqliteRegistryShelf(directory / "registry.db"),
    "mongodb": _mongodb,
    "mongodb+srv": _mongodb,
}


def open_registry(store: str, directory: Path) -> RegistryShelf:
    """Given `NODEWARD_STORE` and the role's directory, return the shelf. Raise ConfigError if there is none for it."""
    return chosen(KINDS, store, "the registry")(store, directory)


def empty_registry(store: str, directory: Path) -> None:
    """Remove all that is kept there. May be repeated; no shelf may be open meanwhile."""
    if kind_of(store) == "sqlite":
        sqlite.remove(directory / "registry.db")
    else:
        from nodeward.store.mongodb import emptied

        emptied(store, "configserver", TABLES.__contains__)
