"""What a page shows of a node's server information."""

from nodeward.web.information import sections

INFO = {
    "node": "web-1",
    "time": "2026-11-26T22:00:00Z",
    "nodeserver": {"revision": 2, "checks": 14, "uptime": 3700, "faults": [], "spool": {"pending": 0, "bytes": 2048}},
    "system": {
        "hostname": "vm",
        "os": "Debian",
        "kernel": "6.1",
        "architecture": "x86_64",
        "model": None,
        "users": 1,
        "uptime": 90,
    },
    "cpu": {"cpus": 2, "cores": 1, "usable": 1, "percent": 12.34, "load": [0.5, 1, 2.25]},
    "memory": {"used": 1024**3, "total": 4 * 1024**3, "percent": 25.0, "swap_total": 0},
    "disks": [{"path": "/", "used": 1024, "available": 3072, "total": 4096, "percent": 25.0}],
    "processes": {
        "count": 260,
        "top": [{"pid": 7, "name": "x", "memory": 2048, "cpu_seconds": 61.5, "command": "<b>"}],
    },
    "services": [],
    "batteries": {"charge_left": 0.5, "plugged": True},
}  # fmt: skip


def facts(title: str) -> dict[str, str]:
    return {name: str(value) for each in sections(INFO) if each.title == title for name, value in each.facts}


def test_the_machine_comes_first_and_what_is_not_known_last():
    titles = [each.title for each in sections(INFO)]
    assert titles == ["System", "CPU", "Memory", "Node server", "Disks", "Processes: the largest of 260", "Batteries"]


def test_facts_are_words_with_units_and_nothing_is_told_of_what_is_not_known():
    assert facts("System") == {
        "Name": "vm", "System": "Debian", "Kernel": "6.1 x86_64", "Up for": "1 m", "Logged in": "1 user",
    }  # fmt: skip
    assert facts("CPU")["CPUs"] == "2 CPUs on 1 core, 1 usable"
    assert facts("CPU")["Load, 1 · 5 · 15 minutes"] == "0.50 · 1.00 · 2.25"
    assert facts("Memory")["In use"] == "1.0 GiB of 4.0 GiB (25.0 %)"
    assert facts("Memory")["Swap"] == "none"
    assert facts("Node server")["Faults"] == "none"
    assert facts("Batteries") == {"Charge left": "0.5", "Plugged": "yes"}


def test_lists_are_tables_whose_numbers_stand_apart():
    disks = next(each for each in sections(INFO) if each.title == "Disks")
    assert disks.rows == (("/", "–", "–", "1.0 KiB", "3.0 KiB", "4.0 KiB", "25.0 %", "–"),)
    assert "Used" in disks.numeric
    assert "Path" not in disks.numeric


def test_nothing_is_shown_of_a_node_server_that_is_away():
    assert sections({}) == []


def test_a_node_server_that_tells_less_is_shown_all_the_same():
    little = {"system": {"os": "x"}, "disks": [{}], "network": [{}], "processes": {"top": [{}]}, "cpu": {"mhz": 0}}
    assert len(sections(little)) == 5
