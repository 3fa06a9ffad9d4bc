"""Whom TLS checks trust. Reading the system's certificates takes 40 ms of CPU, so a context is kept for a while."""

import ssl
import time
from functools import lru_cache

from nodeward.nodeserver.checks.base import CannotTell, why

KEPT_SECONDS = 600


def trusting(ca_file: str | None) -> ssl.SSLContext:
    """Return a context that trusts the certificates in `ca_file`, by default the system's. Raise CannotTell if it is none."""
    try:
        return _context(ca_file, int(time.monotonic() / KEPT_SECONDS))
    except OSError as error:
        raise CannotTell(f"{ca_file}: {why(error)}") from None


@lru_cache(maxsize=32)
def _context(ca_file: str | None, _period: int) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)
