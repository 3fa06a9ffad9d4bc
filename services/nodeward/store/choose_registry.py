"""Which registry shelf `NODEWARD_STORE` means: one table, scheme → how to open it."""

from collections.abc import Callable
from pathlib import Path

from nodeward.core.errors import ConfigError
from nodeward.store.base_registry import RegistryShelf
from nodeward.store.sqlite_registry import SqliteRegistryShelf

KINDS: dict[str, Callable[[str, Path], RegistryShelf]] = {
    "sqlite": lambda _store, directory: SqliteRegistryShelf(directory / "registry.db"),
}


def open_registry(store: str, directory: Path) -> RegistryShelf:
    """Given `NODEWARD_STORE` and the role's directory, return the shelf. Raise ConfigError if there is none for it."""
    scheme = store.partition(":")[0]
    if scheme not in KINDS:
        known = ", ".join(f"{kind}:" for kind in KINDS)
        raise ConfigError(
            f"NODEWARD_STORE is {store.partition('@')[0]!r}; the config server keeps its registry in: {known}"
        )
    return KINDS[scheme](store, directory)
