"""Which node sends from an address: asked of the config server, remembered for a while."""

import logging
import time
from collections.abc import Callable

from nodeward.core.client import Client
from nodeward.core.errors import NodewardError

log = logging.getLogger(__name__)

REMEMBER_SECONDS = 60.0
RETRY_SECONDS = 10.0  # while the config server does not answer, senders go by their address
MAX_KNOWN = 10_000


class Senders:
    """Names the node of an address; an address that no node has stands for itself. For one thread."""

    def __init__(self, config: Client, clock: Callable[[], float] = time.monotonic) -> None:
        self._config, self._clock = config, clock
        self._known: dict[str, tuple[str, float]] = {}
        self._silent_until = float("-inf")

    def node_of(self, address: str) -> str:
        """Return the node's name, or the address."""
        name, until = self._known.get(address, ("", float("-inf")))
        if until > self._clock():
            return name
        name = self._ask(address) or name or address
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[address] = (name, max(self._clock() + REMEMBER_SECONDS, self._silent_until))
        return name

    def _ask(self, address: str) -> str:
        if self._silent_until > self._clock():
            return ""
        try:
            found = self._config.get("/api/v1/find", {"address": address}, timeout=2.0)
        except NodewardError as error:
            log.warning("which node has address %s could not be asked: %s", address, error)
            self._silent_until = self._clock() + RETRY_SECONDS
            return ""
        items = found.get("items", []) if isinstance(found, dict) else found
        return str(items[0]["name"]) if items else ""
