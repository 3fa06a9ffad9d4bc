"""NODEWARD_STORE's kind, looked up in the table of what can keep something: those of `choose_logs`, `_registry`, `_states`."""

from collections.abc import Mapping
from typing import TypeVar

from nodeward.core.errors import ConfigError

Backend = TypeVar("Backend")


def kind_of(store: str) -> str:
    """Return what stands before the colon."""
    return store.partition(":")[0]


def chosen(backends: Mapping[str, Backend], store: str, what: str) -> Backend:
    """Return the backend for a store. Raise ConfigError if none of that kind keeps `what`."""
    kind = kind_of(store)
    if kind not in backends:
        kinds = ", ".join(f"{known}:" for known in backends)
        raise ConfigError(f"NODEWARD_STORE is {kind}:…, which cannot keep {what}; {kinds} can.")
    return backends[kind]
