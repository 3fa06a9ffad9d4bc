"""What can go wrong with any shelf, whatever engine is below it."""

from nodeward.core.errors import Unavailable


class StoreFull(Unavailable):
    """There is no room left to write to. What was acknowledged is safe; writing works again once there is room."""

    status = 507
    title = "Insufficient storage"


class StoreDamaged(Unavailable):
    """What lies on disk cannot be read; the sentence names the file."""

    status = 500
    title = "Damaged store"
