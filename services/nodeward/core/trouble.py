"""What keeps a role from its work for a while, such as a server that does not answer: said when it begins, not every second."""

import logging
import time
from collections.abc import Callable

from nodeward.core.errors import NodewardError

PATIENCE = 60.0  # seconds


class Trouble:
    """One kind of trouble as the log tells it.

    What may pass by itself is information at first: when an appliance starts its servers wait for each other, and so they do
    while one restarts. It becomes a warning once it has lasted PATIENCE seconds; what never passes by itself is one at once.
    The same words are said once at each level.
    """

    def __init__(self, log: logging.Logger, now: Callable[[], float] = time.monotonic) -> None:
        self._log, self._now = log, now
        self._since: float | None = None
        self._said, self._warned = "", False

    @property
    def text(self) -> str:
        """What it is, or nothing while all is well."""
        return self._said

    def meet(self, error: Exception, words: str, *more: object) -> None:
        """It is there (still). `words` are a logging format; the last place in it is for the error."""
        now = self._now()
        self._since = now if self._since is None else self._since
        passes = isinstance(error, NodewardError) and error.retry
        warns = not passes or now - self._since >= PATIENCE
        if str(error) == self._said and self._warned >= warns:
            return
        self._said, self._warned = str(error), warns
        self._log.log(logging.WARNING if warns else logging.INFO, words, *more, error)

    def end(self) -> float | None:
        """All is well. Return how many seconds it lasted, or None if there was no trouble."""
        lasted = None if self._since is None else self._now() - self._since
        self._since, self._said, self._warned = None, "", False
        return lasted
