"""Swap space in use."""

from nodeward.core import sizes
from nodeward.core.checks import Swap
from nodeward.nodeserver.checks import limits
from nodeward.nodeserver.checks.base import Context
from nodeward.nodeserver.output import Metric, Outcome, said


def run(args: Swap, _context: Context) -> Outcome:
    """Judge the percentage in use; no swap at all is OK."""
    found = limits.swap()
    text = (
        f"{found.percent:.1f} % of {sizes.text(found.total, 'B')} in use" if found.total else "there is no swap space"
    )
    metrics = [
        Metric("used", round(found.percent, 2), "%", args.warning, args.critical, 0, 100),
        Metric("used_bytes", found.used, "B", None, None, 0, found.total),
    ]
    return said("SWAP", metrics, text)
