"""Time that a test moves on."""

from typing import Generic, TypeVar

Moment = TypeVar("Moment", int, float)


class Clock(Generic[Moment]):
    """Says what `now` was set to, in whatever unit the one who asks counts."""

    def __init__(self, now: Moment) -> None:
        self.now = now

    def __call__(self) -> Moment:
        """Return the time."""
        return self.now
