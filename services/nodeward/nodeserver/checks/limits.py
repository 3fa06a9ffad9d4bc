"""What this machine may use: the kernel's figures, or the container's where a control group (version 2) sets a limit."""

from dataclasses import dataclass
from pathlib import Path

PROC, CGROUP = Path("/proc"), Path("/sys/fs/cgroup")


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


def memory(proc: Path = PROC, cgroup: Path = CGROUP) -> Share:
    """Return the memory that cannot be had without swapping, of what may be used."""
    known = meminfo(proc)
    limit, current = _number(cgroup / "memory.max"), _number(cgroup / "memory.current")
    if limit is not None and current is not None and limit < known["MemTotal"]:
        return Share(max(0, current - _reclaimable(cgroup)), limit, limited=True)
    return Share(known["MemTotal"] - known.get("MemAvailable", known["MemFree"]), known["MemTotal"])


def swap(proc: Path = PROC, cgroup: Path = CGROUP) -> Share:
    """Return the swap space in use."""
    known = meminfo(proc)
    limit, current = _number(cgroup / "memory.swap.max"), _number(cgroup / "memory.swap.current")
    if limit is not None and current is not None and limit < known["SwapTotal"]:
        return Share(current, limit, limited=True)
    return Share(known["SwapTotal"] - known["SwapFree"], known["SwapTotal"])


def tasks(cgroup: Path = CGROUP) -> int | None:
    """Return how many processes and threads the container may have, or None if nothing limits that."""
    return _number(cgroup / "pids.max")


def meminfo(proc: Path = PROC) -> dict[str, int]:
    """Return /proc/meminfo in bytes."""
    rows = (line.split() for line in (proc / "meminfo").read_text().splitlines())
    return {row[0][:-1]: int(row[1]) * 1024 for row in rows if len(row) > 1}


def _reclaimable(cgroup: Path) -> int:
    """The page cache that was not used lately: the kernel gives it back before anything is killed."""
    try:
        rows = (line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
        return next((int(row[1]) for row in rows if row[0] == "inactive_file"), 0)
    except OSError:
        return 0


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None  # no such limit, or the word "max"
