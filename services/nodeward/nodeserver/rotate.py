"""A new credential for this node, in time before the old one ends or when somebody asks for it. Nothing restarts.

The new token replaces the file first; the programs of this node read it with their next request. The config server ends the old
one when it meets the new one, so an answer that is lost, or a crash between the two, leaves one that works.
"""

import logging
import threading
from pathlib import Path

from nodeward.core import clock, tokens
from nodeward.core.auth import CredentialSource
from nodeward.core.client import Client
from nodeward.core.errors import Unavailable
from nodeward.core.files import read_secret, write_secret

log = logging.getLogger(__name__)

LATEST = 1 / 3  # of its time that is left when a credential is rotated


class Rotation:
    """Rotates the credential that lies in `path`."""

    def __init__(self, config: Client, credentials: CredentialSource, path: Path) -> None:
        self._config, self._credentials, self._path = config, credentials, path
        self._one_at_a_time = threading.Lock()

    def rotate(self) -> str:
        """Take a new credential and return its id. Raise NodewardError with the config server's sentence if that fails."""
        with self._one_at_a_time:
            answer = self._config.post("/api/v1/tokens/rotate")
            identifier = tokens.identifier(str((answer or {}).get("token")))
            if identifier is None:
                raise Unavailable(f"{self._config.url} answered with something that is not a token; the old one stays.")
            write_secret(self._path, answer["token"])
            self._config.get("/api/v1/servers")  # shows the new one, which ends the old one
            log.info("this node has a new credential, %s", identifier)
            return identifier

    def unit(self) -> bool:
        """Rotate if it is time. One unit of work; return whether there was any."""
        if not self._is_time(clock.now()):
            return False
        self.rotate()
        return True

    def _is_time(self, now: int) -> bool:
        identifier = tokens.identifier(read_secret(self._path, "The token of this node"))
        found = self._credentials.find(identifier) if identifier else None
        if found is None or found.expires is None:
            return False
        return found.expires - now < (found.expires - found.created) * LATEST
