"""Memory in use; in a container with a limit, of that limit."""

from nodeward.core.checks import Memory
from nodeward.nodeserver.checks import limits
from nodeward.nodeserver.checks.base import Context
from nodeward.nodeserver.output import Metric, Outcome, said


def run(args: Memory, _context: Context) -> Outcome:
    """Judge the percentage in use."""
    found = limits.memory()
    text = f"{found.percent:.1f} % of {size(found.total)} in use{' (the limit of this container)' if found.limited else ''}"
    metrics = [
        Metric("used", round(found.percent, 2), "%", args.warning, args.critical, 0, 100),
        Metric("used_bytes", found.used, "B", None, None, 0, found.total),
    ]
    return said("MEMORY", metrics, text)


def size(count: float) -> str:
    """Return bytes for people, e.g. ``7.7 GiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
