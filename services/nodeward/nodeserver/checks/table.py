"""The built-in plugins by name: the one list of them on this side (core.checks declares their arguments)."""

from nodeward.nodeserver.checks import (
    alive,
    certificate,
    clock,
    disk,
    dns,
    file_age,
    http,
    load,
    memory,
    ping,
    process,
    processes,
    programs,
    swap,
    tcp,
    uptime,
)
from nodeward.nodeserver.checks.base import BuiltIn

BUILT_IN: dict[str, BuiltIn] = {
    "alive": BuiltIn(alive.run, quick=True),
    "certificate": BuiltIn(certificate.run),
    "clock": BuiltIn(clock.run),
    "disk": BuiltIn(disk.run),
    "dns": BuiltIn(dns.run),
    "file_age": BuiltIn(file_age.run),
    "http": BuiltIn(http.run),
    "load": BuiltIn(load.run, quick=True),
    "memory": BuiltIn(memory.run, quick=True),
    "ping": BuiltIn(ping.run),
    "process": BuiltIn(process.run),
    "processes": BuiltIn(processes.run),
    "programs": BuiltIn(programs.run),
    "swap": BuiltIn(swap.run, quick=True),
    "tcp": BuiltIn(tcp.run),
    "uptime": BuiltIn(uptime.run, quick=True),
}
