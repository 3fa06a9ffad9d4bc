"""Are processes of a kind running?"""

from collections.abc import Iterator
from fnmatch import fnmatchcase

import psutil

from nodeward.core.checks import Process
from nodeward.nodeserver.checks.base import Context
from nodeward.nodeserver.output import Metric, Outcome, said


def run(args: Process, _context: Context) -> Outcome:
    """Judge how many processes match everything that was given."""
    found = list(matching(args))
    memory = sum(process.info["memory_info"].rss for process in found if process.info["memory_info"])
    metrics = [
        Metric("processes", len(found), "", args.warning, args.critical, 0),
        Metric("memory", memory, "B", minimum=0),
    ]
    shown = ", ".join(str(process.pid) for process in found[:10])
    text = f"{len(found)} × {wanted(args)}" + (f" (pid {shown}{', …' if len(found) > 10 else ''})" if found else "")
    return said("PROCESS", metrics, text)


def wanted(args: Process) -> str:
    """Return in words which processes are looked for."""
    words = [
        args.name and f"'{args.name}'",
        args.command and f"command '{args.command}'",
        args.user and f"user {args.user}",
    ]
    return ", ".join(filter(None, words))


def matching(args: Process) -> Iterator[psutil.Process]:
    """Yield the processes that match; zombies do not count, they run no more."""
    for process in psutil.process_iter(["name", "cmdline", "username", "status", "memory_info"]):
        known = process.info
        if known["status"] == psutil.STATUS_ZOMBIE:
            continue
        if args.name is not None and known["name"] != args.name:
            continue
        if args.user is not None and known["username"] != args.user:
            continue
        if args.command is not None and not fnmatchcase(" ".join(known["cmdline"] or []), args.command):
            continue
        yield process
