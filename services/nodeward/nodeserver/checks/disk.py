"""Space and inodes of file systems, counted as `df` does: what only root may use counts as used up."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from nodeward.core import sizes
from nodeward.core.checks import Disk
from nodeward.nodeserver.checks.base import CannotTell, Context, why
from nodeward.nodeserver.output import CRITICAL, Metric, Outcome, said, worst

READ_ONLY_IMAGES = {"squashfs", "iso9660", "erofs", "cramfs", "udf"}  # always full, by nature
NO_DEVICE_BUT_LOCAL = {"zfs", "btrfs", "bcachefs", "f2fs"}


@dataclass(frozen=True)
class Usage:
    """A file system's figures: bytes used and available, and percentages in use (inodes None where it counts none)."""

    path: str
    used: int
    available: int
    percent: float
    inodes: float | None


def run(args: Disk, _context: Context) -> Outcome:
    """Judge each file system's space and inodes; one that cannot be looked at is critical."""
    paths = [path for path in args.path or local() if not any(fnmatchcase(path, glob) for glob in args.exclude)]
    if not paths:
        raise CannotTell("there is no file system to look at: every one is excluded, or none is local")
    found, lost = _usages(paths)
    metrics = [metric for usage in found for metric in _metrics(usage, args)]
    code = CRITICAL if lost else worst(metric.code for metric in metrics)
    lines = [
        f"{one.path}: {one.percent:.1f} % in use, {sizes.text(one.available, 'B')} free" + _inodes(one) for one in found
    ]
    bad = {metric.label.removesuffix(" inodes") for metric in metrics if metric.code}
    first = lost or [line for one, line in zip(found, lines, strict=True) if one.path in bad] or lines[:1]
    text = "; ".join(first) if lost or bad or len(lines) == 1 else f"{len(lines)} file systems have room"
    return said("DISK", metrics, text, "\n".join(lost + lines) if len(lost + lines) > 1 else "", code)


def usage(path: str) -> Usage:
    """Return the figures of the file system that `path` lies on. Raise OSError if it cannot be looked at."""
    status = os.statvfs(path)
    used = (status.f_blocks - status.f_bfree) * status.f_frsize
    available = status.f_bavail * status.f_frsize
    inodes = 100.0 * (status.f_files - status.f_ffree) / status.f_files if status.f_files else None
    return Usage(path, used, available, 100.0 * used / (used + available) if used + available else 0.0, inodes)


def local(proc: Path = Path("/proc")) -> list[str]:
    """Return the mount points of local file systems, each device once; the root always."""
    devices = {
        line.split()[-1] for line in (proc / "filesystems").read_text().splitlines() if not line.startswith("nodev")
    }
    kinds = (devices | NO_DEVICE_BUT_LOCAL) - READ_ONLY_IMAGES
    seen: dict[str, str] = {}
    for device, mount, kind in mounts(proc):
        if mount == "/" or (kind in kinds and device.startswith("/dev/")) or kind == "zfs":
            first = seen.setdefault(device, mount)
            if len(mount) < len(first):
                seen[device] = mount  # bind mounts show a device again: its shortest place is its own
    return sorted(seen.values())


def mounts(proc: Path = Path("/proc")) -> Iterator[tuple[str, str, str]]:
    """Yield (device, mount point, type) of every mount."""
    for line in (proc / "self" / "mounts").read_text().splitlines():
        device, mount, kind = line.split(" ")[:3]
        yield device, mount.encode().decode("unicode_escape"), kind


def _usages(paths: list[str]) -> tuple[list[Usage], list[str]]:
    found, lost = [], []
    for path in paths:
        try:
            found.append(usage(path))
        except OSError as error:
            lost.append(f"{path}: {why(error)}")
    return found, lost


def _metrics(one: Usage, args: Disk) -> list[Metric]:
    space = Metric(one.path, round(one.percent, 2), "%", args.warning, args.critical, 0, 100)
    bytes_used = Metric(f"{one.path} used", one.used, "B", None, None, 0, one.used + one.available)
    if one.inodes is None:
        return [space, bytes_used]
    limits = args.inodes_warning, args.inodes_critical
    return [space, bytes_used, Metric(f"{one.path} inodes", round(one.inodes, 2), "%", *limits, 0, 100)]


def _inodes(one: Usage) -> str:
    return "" if one.inodes is None else f", {one.inodes:.1f} % of the inodes"
