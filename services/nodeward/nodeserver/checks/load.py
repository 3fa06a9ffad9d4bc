"""Load average. In a container the kernel still gives the whole machine's, so it is divided by the machine's CPUs."""

import os

from nodeward.core.checks import Load
from nodeward.nodeserver.checks.base import Context
from nodeward.nodeserver.output import Metric, Outcome, said

_PLACES = {1: 0, 5: 1, 15: 2}


def run(args: Load, _context: Context) -> Outcome:
    """Judge one of the three averages; the others are measured beside it."""
    cpus = (os.cpu_count() or 1) if args.per_cpu else 1
    averages = [average / cpus for average in os.getloadavg()]
    metrics = [
        Metric(f"load{minutes}", averages[place], "", args.warning, args.critical, 0)
        if minutes == args.minutes
        else Metric(f"load{minutes}", averages[place], minimum=0)
        for minutes, place in _PLACES.items()
    ]
    of = f" per CPU, {cpus} CPUs" if args.per_cpu else ""
    return said("LOAD", metrics, f"{averages[0]:.2f}, {averages[1]:.2f}, {averages[2]:.2f}{of}")
