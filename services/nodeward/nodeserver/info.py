"""Server information: what an operator wants to see of a machine at one glance. Nothing here needs more than its own rights."""

import json
import os
import platform
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil

from nodeward.core import clock
from nodeward.core.words import whole_text
from nodeward.nodeserver.checks import disk, limits
from nodeward.nodeserver.checks.uptime import uptime

MOST_PROCESSES = 15


def everything() -> dict[str, Any]:
    """Return all of it; sizes in bytes, times in seconds, moments as RFC 3339. What cannot be found out is null."""
    found = {
        "time": clock.rfc3339(clock.now()),
        "system": system(),
        "cpu": cpu(),
        "memory": memory(),
        "disks": disks(),
        "network": network(),
        "processes": processes(),
        "services": services(),
    }
    shown: dict[str, Any] = _shown(found)
    return shown


def _shown(value: Any) -> Any:
    """Return a value whose texts can be sent: names on a machine may be of bytes that are no text."""
    if isinstance(value, dict):
        return {key: _shown(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_shown(each) for each in value]
    return whole_text(value) if isinstance(value, str) else value


def system() -> dict[str, Any]:
    """Return what the machine and its operating system are."""
    seconds = uptime()
    return {
        "hostname": socket.gethostname(),
        "os": _os_name(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "virtualisation": virtualisation(),
        "model": _word(Path("/sys/class/dmi/id/product_name")),
        "uptime": round(seconds),
        "booted": clock.rfc3339(int((time.time() - seconds) * 1e6)),
        "users": len({user.name for user in psutil.users()}),
        "timezone": time.strftime("%Z"),
    }


def virtualisation(root: Path = Path("/")) -> str:
    """Return what this runs in: the container's kind, the hypervisor's name, or "none"."""
    for mark, kind in (("run/.containerenv", "podman"), (".dockerenv", "docker")):
        if (root / mark).exists():
            return kind
    try:
        if (kind := (root / "run/systemd/container").read_text().strip()) != "":
            return kind
    except OSError:
        pass  # not a container that systemd knows of
    try:
        flags = (root / "proc/cpuinfo").read_text()
    except OSError:
        return "unknown"
    return (_word(root / "sys/class/dmi/id/sys_vendor") or "virtual machine") if " hypervisor" in flags else "none"


def cpu() -> dict[str, Any]:
    """Return the processors, how busy they are over a tenth of a second, and the load."""
    one, five, fifteen = os.getloadavg()
    frequency = psutil.cpu_freq()
    return {
        "model": _cpu_model(),
        "cores": psutil.cpu_count(logical=False),
        "cpus": psutil.cpu_count(),
        "usable": len(os.sched_getaffinity(0)),
        "mhz": round(frequency.current) if frequency else None,
        "percent": psutil.cpu_percent(interval=0.1),
        "load": [round(one, 2), round(five, 2), round(fifteen, 2)],
    }


def memory() -> dict[str, Any]:
    """Return memory and swap, as the built-in checks see them."""
    known = limits.meminfo(limits.PROC)
    main, swap = limits.memory(), limits.swap()
    return {
        "total": main.total,
        "used": main.used,
        "available": main.total - main.used,
        "percent": round(main.percent, 1),
        "limited": main.limited,
        "cached": known.get("Cached"),
        "buffers": known.get("Buffers"),
        "swap_total": swap.total,
        "swap_used": swap.used,
        "swap_percent": round(swap.percent, 1),
    }


def disks() -> list[dict[str, Any]]:
    """Return the local file systems with their use."""
    kinds = {mount: (device, kind) for device, mount, kind in disk.mounts()}
    found = []
    for path in disk.local():
        device, kind = kinds.get(path, ("", ""))
        try:
            usage = disk.usage(path)
        except OSError:
            continue  # unmounted while we looked, or hidden from us
        found.append({
            "path": path, "device": device, "type": kind, "used": usage.used, "available": usage.available,
            "total": usage.used + usage.available, "percent": round(usage.percent, 1),
            "inodes_percent": None if usage.inodes is None else round(usage.inodes, 1),
        })  # fmt: skip
    return found


def network() -> list[dict[str, Any]]:
    """Return the interfaces with their addresses and what went through since the start."""
    states, counted = psutil.net_if_stats(), psutil.net_io_counters(pernic=True)
    found = []
    for name, addresses in psutil.net_if_addrs().items():
        state, count = states.get(name), counted.get(name)
        found.append({
            "name": name,
            "up": bool(state and state.isup),
            "mbit": state.speed if state and state.speed else None,
            "mac": next((one.address for one in addresses if one.family == psutil.AF_LINK), None),
            "addresses": [one.address for one in addresses if one.family in (socket.AF_INET, socket.AF_INET6)],
            "received": count.bytes_recv if count else None,
            "sent": count.bytes_sent if count else None,
            "errors": count.errin + count.errout if count else None,
        })  # fmt: skip
    return sorted(found, key=lambda one: str(one["name"]))


def processes() -> dict[str, Any]:
    """Return how many there are, and those that use the most memory or have used the most CPU time."""
    rows = []
    for process in psutil.process_iter(
        ["pid", "name", "username", "memory_info", "cpu_times", "create_time", "cmdline"]
    ):
        known = process.info
        if known["memory_info"] is None or known["cpu_times"] is None:
            continue  # hidden from us
        rows.append({
            "pid": known["pid"], "name": known["name"], "user": known["username"], "memory": known["memory_info"].rss,
            "cpu_seconds": round(known["cpu_times"].user + known["cpu_times"].system, 2),
            "started": clock.rfc3339(int(known["create_time"] * 1e6)), "command": " ".join(known["cmdline"] or [])[:300],
        })  # fmt: skip
    by_memory = sorted(rows, key=lambda one: -one["memory"])[:MOST_PROCESSES]
    by_cpu = sorted(rows, key=lambda one: -one["cpu_seconds"])[:MOST_PROCESSES]
    shown = {one["pid"]: one for one in by_memory + by_cpu}
    return {"count": len(rows), "top": sorted(shown.values(), key=lambda one: -one["memory"])}


def services() -> list[dict[str, Any]]:
    """Return systemd's services; none where the machine is not run by systemd, or it does not answer."""
    if not Path("/run/systemd/system").is_dir():
        return []
    command = ["systemctl", "list-units", "--type=service", "--all", "--output=json", "--no-pager"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=5, check=True, stdin=subprocess.DEVNULL)
        units = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return []
    keys = {"name": "unit", "state": "active", "detail": "sub", "description": "description"}
    return [{ours: unit.get(theirs, "") for ours, theirs in keys.items()} for unit in units]


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _cpu_model() -> str | None:
    rows = Path("/proc/cpuinfo").read_text().splitlines()
    return next((row.partition(":")[2].strip() for row in rows if row.startswith("model name")), None)


def _word(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except OSError:
        return None
