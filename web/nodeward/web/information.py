"""A node's server information as a page shows it: sections of facts and of tables, in words and with units."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from nodeward.web.words import counted, lasting, number, size, when

Cell = str | Markup
Row = dict[str, Any]


MOST_COLUMNS = 10


@dataclass(frozen=True)
class Section:
    """Facts by name, or a table: its columns, of which some hold numbers, and its rows."""

    title: str
    facts: tuple[tuple[str, Cell], ...] = ()
    columns: tuple[str, ...] = ()
    numeric: frozenset[str] = frozenset()
    rows: tuple[tuple[Cell, ...], ...] = ()


def sections(info: Row) -> list[Section]:
    """Given what a node server answers, return what is shown, the machine first. What is not known here is shown as it is."""
    known = [made for name, shown in SHOWN.items() if info.get(name) for made in shown(info[name])]
    others = {name: value for name, value in info.items() if name not in SHOWN and name not in LEFT_OUT and value}
    return known + [Section(_title(name), facts=_facts(value)) for name, value in others.items()]


def _system(given: Row) -> list[Section]:
    facts = {
        "Name": given.get("hostname"),
        "System": given.get("os"),
        "Kernel": " ".join(filter(None, (given.get("kernel"), given.get("architecture")))),
        "Machine": given.get("model"),
        "Virtualisation": given.get("virtualisation"),
        "Up for": _lasting(given.get("uptime")),
        "Booted": given.get("booted") and when(given["booted"]),
        "Time zone": given.get("timezone"),
        "Logged in": None if given.get("users") is None else counted(given["users"], "user"),
    }
    return [_section("System", facts)]


def _cpu(given: Row) -> list[Section]:
    usable, cpus = given.get("usable"), given.get("cpus")
    of = f", {usable} usable" if usable and usable != cpus else ""
    load = " · ".join(f"{value:.2f}" for value in given.get("load") or [])
    facts = {
        "Model": given.get("model"),
        "CPUs": cpus and f"{counted(cpus, 'CPU')} on {counted(given.get('cores') or cpus, 'core')}{of}",
        "Speed": given.get("mhz") and f"{number(given['mhz'])} MHz",
        "In use": _percent(given.get("percent")),
        "Load, 1 · 5 · 15 minutes": load,
    }
    return [_section("CPU", facts)]


def _memory(given: Row) -> list[Section]:
    swap = given.get("swap_total")
    facts = {
        "In use": f"{size(given.get('used'))} of {size(given.get('total'))} ({_percent(given.get('percent'))})",
        "Available": size(given.get("available")),
        "Cached": given.get("cached") is not None and size(given["cached"]),
        "Buffers": given.get("buffers") is not None and size(given["buffers"]),
        "Limited": given.get("limited") and "by this container or service, not by the machine",
        "Swap": f"{size(given.get('swap_used'))} of {size(swap)} ({_percent(given.get('swap_percent'))})" if swap else "none",
    }  # fmt: skip
    return [_section("Memory", facts)]


def _disks(given: list[Row]) -> list[Section]:
    columns = ("Path", "Device", "Type", "Used", "Free", "Size", "In use", "Inodes")
    return [_table("Disks", columns, columns[3:], [_disk(each) for each in given])]


def _disk(each: Row) -> tuple[Cell, ...]:
    names = tuple(each.get(name) or "–" for name in ("path", "device", "type"))
    sizes = tuple(size(each.get(name)) for name in ("used", "available", "total"))
    return (*names, *sizes, _percent(each.get("percent")), _percent(each.get("inodes_percent")))


def _network(given: list[Row]) -> list[Section]:
    columns = ("Interface", "Link", "Addresses", "MAC", "Speed", "Received", "Sent", "Errors")
    up_first = sorted(given, key=lambda each: not each.get("up"))
    return [_table("Network", columns, columns[4:], [_interface(each) for each in up_first])]


def _interface(each: Row) -> tuple[Cell, ...]:
    link = "up" if each.get("up") else "down"
    addresses = ", ".join(each.get("addresses") or []) or "–"
    speed = f"{number(each['mbit'])} Mbit/s" if each.get("mbit") else "–"
    names = (each.get("name") or "–", link, addresses, each.get("mac") or "–", speed)
    return (*names, size(each.get("received")), size(each.get("sent")), number(each.get("errors")))


def _processes(given: Row) -> list[Section]:
    columns = ("PID", "Name", "User", "Memory", "CPU time", "Started", "Command")
    title = f"Processes: the largest of {number(given['count'])}" if given.get("count") else "Processes"
    return [_table(title, columns, ("PID", "Memory", "CPU time"), [_process(each) for each in given.get("top") or []])]


def _process(each: Row) -> tuple[Cell, ...]:
    names = (str(each.get("pid") or "–"), each.get("name") or "–", each.get("user") or "–")
    spent = _lasting(each.get("cpu_seconds")) or "–"
    return (*names, size(each.get("memory")), spent, when(each.get("started")), each.get("command") or "")


def _services(given: list[Row]) -> list[Section]:
    columns = tuple(dict.fromkeys(name for each in given for name in each))[:MOST_COLUMNS]
    rows = [tuple(_plain(each.get(name)) for name in columns) for each in given]
    return [_table("Services", tuple(map(_title, columns)), (), rows)]


def _nodeserver(given: Row) -> list[Section]:
    executed, spool = given.get("executed") or {}, given.get("spool") or {}
    facts = {
        "Revision": given.get("revision") or "none yet",
        "At work for": _lasting(given.get("uptime")),
        "Checks": number(given.get("checks")),
        "Run so far": f"{number(executed.get('builtin'))} built in, {number(executed.get('external'))} plugins",
        "Timed out": number(given.get("timed_out")),
        "Begun late": number(given.get("late")),
        "Results that wait": f"{number(spool.get('pending'))} ({size(spool.get('bytes'))} on disk)",
        "Results given up": number(spool.get("dropped")),
        "Faults": "; ".join(map(str, given.get("faults") or [])) or "none",
    }
    return [_section("Node server", facts)]


SHOWN: dict[str, Callable[[Any], list[Section]]] = {
    "system": _system, "cpu": _cpu, "memory": _memory, "nodeserver": _nodeserver, "disks": _disks, "network": _network,
    "services": _services, "processes": _processes,
}  # fmt: skip
LEFT_OUT = {"node", "time"}  # the page's own title; the moment it was asked


def _section(title: str, facts: dict[str, Any]) -> Section:
    return Section(
        title, facts=tuple((name, _plain(value)) for name, value in facts.items() if value not in (None, "", False))
    )


def _table(title: str, columns: tuple[str, ...], numeric: tuple[str, ...], rows: list[tuple[Cell, ...]]) -> Section:
    return Section(title, columns=columns, numeric=frozenset(numeric), rows=tuple(rows))


def _facts(value: Any) -> tuple[tuple[str, Cell], ...]:
    pairs = value.items() if isinstance(value, dict) else [("", value)]
    return tuple((_title(str(name)), _plain(each)) for name, each in pairs)


def _plain(value: Any) -> Cell:
    """Return any value as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(_plain(each) for each in value)
    return "–" if value is None else f"{value:,}"


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _lasting(seconds: float | None) -> str | None:
    return None if seconds is None else lasting(int(seconds))


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} %"
