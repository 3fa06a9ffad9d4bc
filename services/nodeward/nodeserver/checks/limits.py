"""What this machine may use: the kernel's figures, or the container's where a control group (version 2) sets a limit."""

import re
from dataclasses import dataclass

from nodeward.nodeserver.checks.kernel import momentary, number, read

PROC, CGROUP = "/proc", "/sys/fs/cgroup"
_ROW = re.compile(rb"^(MemTotal|MemFree|MemAvailable|Buffers|Cached|SwapTotal|SwapFree):\s+(\d+) kB", re.MULTILINE)
_INACTIVE = re.compile(rb"^inactive_file (\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Share:
    """So many of so many, in bytes or in count; `limited` says that a control group set the limit."""

    used: int
    total: int
    limited: bool = False

    @property
    def percent(self) -> float:
        """How much of it is used; 0 where there is none."""
        return 100.0 * self.used / self.total if self.total else 0.0


def memory(proc: str = PROC, cgroup: str = CGROUP) -> Share:
    """Return the memory that cannot be had without swapping, of what may be used."""
    known = meminfo(proc)
    limit, current = number(f"{cgroup}/memory.max"), number(f"{cgroup}/memory.current")
    if limit is not None and current is not None and limit < known["MemTotal"]:
        return Share(max(0, current - _reclaimable(cgroup)), limit, limited=True)
    return Share(known["MemTotal"] - known.get("MemAvailable", known["MemFree"]), known["MemTotal"])


def swap(proc: str = PROC, cgroup: str = CGROUP) -> Share:
    """Return the swap space in use."""
    known = meminfo(proc)
    limit, current = number(f"{cgroup}/memory.swap.max"), number(f"{cgroup}/memory.swap.current")
    if limit is not None and current is not None and limit < known["SwapTotal"]:
        return Share(current, limit, limited=True)
    return Share(known["SwapTotal"] - known["SwapFree"], known["SwapTotal"])


def tasks(cgroup: str = CGROUP) -> int | None:
    """Return how many processes and threads the container may have, or None if nothing limits that."""
    return number(f"{cgroup}/pids.max")


@momentary
def meminfo(proc: str) -> dict[str, int]:
    """Return the rows of /proc/meminfo that matter here, in bytes."""
    return {name.decode(): int(count) * 1024 for name, count in _ROW.findall(read(f"{proc}/meminfo"))}


def _reclaimable(cgroup: str) -> int:
    """The page cache that was not used lately: the kernel gives it back before anything is killed."""
    try:
        found = _INACTIVE.search(read(f"{cgroup}/memory.stat"))
    except OSError:
        return 0
    return int(found[1]) if found else 0
