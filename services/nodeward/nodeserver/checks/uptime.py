"""How long ago this machine, or the container it is, started: the age of its first process."""

import os

from nodeward.core.checks import Uptime
from nodeward.nodeserver.checks.base import Context
from nodeward.nodeserver.checks.kernel import read
from nodeward.nodeserver.output import Metric, Outcome, said

_TICKS = os.sysconf("SC_CLK_TCK")
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def run(args: Uptime, _context: Context) -> Outcome:
    """Judge the uptime in seconds."""
    seconds = uptime()
    return said(
        "UPTIME", [Metric("uptime", round(seconds), "s", args.warning, args.critical, 0)], f"up for {spoken(seconds)}"
    )


def uptime(proc: str = "/proc") -> float:
    """Return for how many seconds process 1 has run; where that is hidden, the kernel."""
    kernel = float(read(f"{proc}/uptime").split()[0])
    try:
        started = read(f"{proc}/1/stat").rpartition(b")")[2].split()[19]
    except OSError:
        return kernel  # hidepid: it is the machine's own process 1 then, as old as the kernel
    return kernel - int(started) / _TICKS


def spoken(seconds: float) -> str:
    """Return a duration in its two largest units, e.g. ``3 d 4 h``."""
    rest = int(seconds)
    words: list[str] = []
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        if count or (words and len(words) < 2):
            words.append(f"{count} {unit}")
    return " ".join(words[:2]) or "0 s"
