"""How many processes there are, and how many of them ended without their parent noticing (zombies)."""

import os
from collections import Counter

from nodeward.core.checks import Processes
from nodeward.core.words import counted
from nodeward.nodeserver.checks import limits
from nodeward.nodeserver.checks.base import Context
from nodeward.nodeserver.output import Metric, Outcome, said


def run(args: Processes, _context: Context) -> Outcome:
    """Judge both numbers; the limit of the container, if any, is perfdata's maximum."""
    states = count()
    total, zombies = sum(states.values()), states["Z"]
    metrics = [
        Metric("processes", total, "", args.warning, args.critical, 0, limits.tasks()),
        Metric("zombies", zombies, "", args.zombies_warning, args.zombies_critical, 0),
        Metric("running", states["R"], minimum=0),
        Metric("waiting_for_disk", states["D"], minimum=0),
    ]
    return said("PROCESSES", metrics, f"{counted(total, 'process', 'processes')}, {counted(zombies, 'zombie')}")


def count(proc: str = "/proc") -> Counter[str]:
    """Return how many processes are in each state (R, S, D, Z, …)."""
    states: Counter[str] = Counter()
    for name in os.listdir(proc):
        if name.isdigit():
            try:
                with open(f"{proc}/{name}/stat", "rb") as file:
                    states[chr(file.read(512).rpartition(b") ")[2][0])] += 1
            except (OSError, IndexError):
                continue  # it ended while we looked
    return states
