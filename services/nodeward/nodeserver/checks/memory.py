"""Memory in use; in a container with a limit, of that limit."""

from nodeward.core import sizes
from nodeward.core.checks import Memory
from nodeward.nodeserver.checks import limits
from nodeward.nodeserver.checks.base import Context
from nodeward.nodeserver.output import Metric, Outcome, said


def run(args: Memory, _context: Context) -> Outcome:
    """Judge the percentage in use."""
    found = limits.memory()
    whose = " (the limit of this container)" if found.limited else ""
    text = f"{found.percent:.1f} % of {sizes.text(found.total, 'B')} in use{whose}"
    metrics = [
        Metric("used", round(found.percent, 2), "%", args.warning, args.critical, 0, 100),
        Metric("used_bytes", found.used, "B", None, None, 0, found.total),
    ]
    return said("MEMORY", metrics, text)
