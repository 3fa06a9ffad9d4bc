"""The health check of a container: every critical program and the listener RUNNING, and each server ready.

`python -m nodeward.supervise.health` prints what is wrong, a sentence a line, and exits with 1 if there is anything.
NODEWARD_IMAGE names the image it runs in.
"""

import json
import os
import sys
from collections.abc import Iterable
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from nodeward.core.errors import EXIT_FAILED, EXIT_OK, ConfigError, NodewardError
from nodeward.core.ports import PORTS, port
from nodeward.core.program import guarded
from nodeward.supervise.client import Program, Programs
from nodeward.supervise.images import read_critical

LISTENER = "listener"
SECONDS = 5.0


def program_faults(programs: Iterable[Program], critical: frozenset[str]) -> list[str]:
    """Return a sentence for each critical program, and the listener, that supervisor does not call RUNNING."""
    states = {program.name: program for program in programs}
    faults = []
    for name in sorted({*critical, LISTENER}):
        if name not in states:
            faults.append(f"{name} is unknown to supervisor.")
        elif states[name].state != "RUNNING":
            faults.append(f"{name} is {states[name].state}. {states[name].description}".rstrip())
    return faults


def server_fault(role: str, seconds: float = SECONDS) -> str | None:
    """Ask a role of this machine whether it is ready. Return what is missing as a sentence, or None."""
    connection = HTTPConnection("127.0.0.1", port(role), timeout=seconds)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read(65536)
    except (OSError, HTTPException) as error:
        return f"{role} does not answer on port {connection.port} ({getattr(error, 'strerror', None) or error})."
    finally:
        connection.close()
    return None if answer.status == 200 else f"{role} is not ready: {missing(body)}"


def missing(body: bytes) -> str:
    """Given the body of a /readyz that is not ready, return its sentences."""
    try:
        return " ".join(json.loads(body)["missing"])
    except (ValueError, KeyError, TypeError):
        return "it does not say why."


def faults(var: Path, critical: frozenset[str]) -> list[str]:
    """Return everything that is wrong with the programs under `var`, and with the servers among them."""
    try:
        found = program_faults(Programs(var, timeout=SECONDS).list(), critical)
    except NodewardError as error:
        found = [str(error)]
    return found + [fault for role in sorted(critical & PORTS.keys()) if (fault := server_fault(role))]


def main() -> int:
    """Check the container this runs in."""
    home, image = os.environ.get("NODEWARD_HOME"), os.environ.get("NODEWARD_IMAGE")
    if not home or not image:
        raise ConfigError("NODEWARD_HOME and NODEWARD_IMAGE are not set: this is the health check of the images.")
    critical = read_critical(Path(home) / "images" / image / "critical")
    found = faults(Path(os.environ.get("NODEWARD_VAR", "var")), critical)
    print("\n".join(found) or "healthy")  # noqa: T201 - Docker keeps what a health check prints
    return EXIT_FAILED if found else EXIT_OK


if __name__ == "__main__":
    sys.exit(guarded(main))
