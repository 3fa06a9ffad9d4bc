"""Waiting until the appliance works: every program up, every server ready, the first results of this machine there."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nodeward.core.client import Client
from nodeward.core.errors import NodewardError, Unavailable
from nodeward.core.files import read_secret
from nodeward.core.ports import PORTS, port
from nodeward.core.words import counted
from nodeward.supervise.client import Program, Programs
from nodeward.supervise.health import LISTENER, server_fault

UP_SECONDS = 180.0
RESULTS_SECONDS = 45.0
EVERY_SECONDS = 0.25
TAIL_LINES = 15

Say = Callable[[str], None]


@dataclass(frozen=True)
class Results:
    """How many services a node has, and how many of them have a result."""

    services: int
    with_result: int

    @property
    def complete(self) -> bool:
        """Whether there are services and each has a result."""
        return 0 < self.services == self.with_result


def until_up(var: Path, names: Iterable[str], say: Say) -> None:
    """Wait until all programs are RUNNING and ready, saying each one that is.

    Raise Unavailable with the end of its output if one is given up, and with all that is missing if it takes too long.
    """
    began, programs, waiting = time.monotonic(), Programs(var, timeout=5.0), [*names, LISTENER]
    while waiting:
        states = _states(programs)
        _fail_on_lost(states, programs)
        faults = {name: fault for name in waiting if (fault := _fault(name, states))}
        for name in (name for name in waiting if name not in faults):
            if name != LISTENER:
                say(f"  {name:<13} ready ({time.monotonic() - began:.1f} s)")
        waiting = list(faults)
        if waiting and time.monotonic() - began > UP_SECONDS:
            raise Unavailable(f"Not everything is up after {UP_SECONDS:.0f} s. " + " ".join(faults.values()))
        if waiting:
            time.sleep(EVERY_SECONDS)


def until_results(var: Path, node: str, say: Say) -> None:
    """Wait until every service of `node` has a result, and say how many there are; after a while say what is still open."""
    began, found = time.monotonic(), Results(0, 0)
    say(f"Waiting for the first results of node {node} …")
    while not found.complete and time.monotonic() - began < RESULTS_SECONDS:
        time.sleep(EVERY_SECONDS)
        try:
            found = results(_monitor(var).get("/api/v1/states", {"node": node, "limit": 1000})["items"])
        except NodewardError:
            continue  # the monitor may not know our token yet; what stays wrong is said below
    say(
        f"  {found.with_result} of {counted(found.services, 'service')} have a result ({time.monotonic() - began:.1f} s)"
    )


def results(states: Iterable[Mapping[str, str | None]]) -> Results:
    """Given rows of the monitor's states, count services and results."""
    services = [row for row in states if row["service"] is not None]
    return Results(len(services), sum(row["state"] != "PENDING" for row in services))


def _monitor(var: Path) -> Client:
    token = read_secret(var / "secrets" / "cli" / "token", "The token of the command line")
    return Client(f"http://127.0.0.1:{port('monitor')}", token, timeout=5.0)


def _states(programs: Programs) -> dict[str, Program]:
    try:
        return {program.name: program for program in programs.list()}
    except Unavailable:
        return {}  # supervisor is just starting


def _fault(name: str, states: Mapping[str, Program]) -> str | None:
    if name not in states:
        return f"{name} is unknown to supervisor."
    if states[name].state != "RUNNING":
        return f"{name} is {states[name].state}. {states[name].description}".rstrip()
    return server_fault(name) if name in PORTS else None


def _fail_on_lost(states: Mapping[str, Program], programs: Programs) -> None:
    for program in states.values():
        if program.state == "FATAL":
            output = "\n".join(programs.tail(program.name).splitlines()[-TAIL_LINES:])
            raise Unavailable(
                f"{program.name} does not stay up ({program.description}). The end of its output:\n{output}"
            )
