"""Which registry shelf `NODEWARD_STORE` means: one table, scheme → how to open it."""

from collections.abc import Callable
from pathlib import Path

from nodeward.core.errors import ConfigError
from nodeward.store.base_registry import RegistryShelf
from nodeward.store.sqlite_registry import SqliteRegistryShelf


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
    scheme = store.partition(":")[0]
    if scheme not in KINDS:
        known = ", ".join(f"{kind}:" for kind in KINDS)
        raise ConfigError(f"NODEWARD_STORE is {scheme}:…; the config server keeps its registry in: {known}")
    return KINDS[scheme](store, directory)
