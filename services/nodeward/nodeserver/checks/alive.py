"""Is the node server at work? WARNING (the node is still UP) where it works with less than it should."""

from nodeward.core.checks import Alive
from nodeward.core.words import counted
from nodeward.nodeserver.checks.base import Context
from nodeward.nodeserver.checks.uptime import spoken
from nodeward.nodeserver.output import OK, WARNING, Metric, Outcome, said


def run(_args: Alive, context: Context) -> Outcome:
    """Report the node server's own standing; that it can report at all is the point."""
    standing = context.standing()
    revision = "no configuration yet" if standing.revision is None else f"revision {standing.revision}"
    text = f"node server at work for {spoken(standing.uptime)}, {revision}, {counted(standing.checks, 'check')}"
    if standing.faults:
        text = f"{standing.faults[0].splitlines()[0]} ({text})"
    metrics = [Metric("uptime", round(standing.uptime), "s", minimum=0), Metric("checks", standing.checks, minimum=0)]
    return said("ALIVE", metrics, text, "\n".join(standing.faults), WARNING if standing.faults else OK)
