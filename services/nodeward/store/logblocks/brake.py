"""What keeps batches from gathering without end where more comes in than is compacted: senders have spools, a shelf has none."""

import threading
from collections.abc import Callable

MUCH = 64 * 1024 * 1024  # bytes of batches that wait for compaction; above that, whoever appends waits a little
PATIENCE = 1.0  # seconds


class Brake:
    """Holds up those who append, each call for at most PATIENCE, while `heavy` gives more than MUCH. Nothing is refused."""

    def __init__(self, heavy: Callable[[], int]) -> None:
        self._heavy = heavy
        self._lighter = threading.Condition()

    def wait(self) -> None:
        """Wait until there is less, or long enough."""
        if self._heavy() > MUCH:
            with self._lighter:
                self._lighter.wait_for(lambda: self._heavy() <= MUCH, PATIENCE)

    def release(self) -> None:
        """Something was compacted."""
        with self._lighter:
            self._lighter.notify_all()
