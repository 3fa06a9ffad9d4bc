"""Are the ports free that the roles will listen on? Asked before anything starts, so that the answer is one clear list."""

import errno
import os
import socket
from collections.abc import Mapping

import psutil

from nodeward.core.errors import ConfigError, Problem
from nodeward.core.ports import PORTS, port

SYSLOG_VARIABLE, SYSLOG_PORT = "NODEWARD_LOGSERVER_SYSLOG_PORT", 7514
COMMAND_LENGTH = 80  # characters of a command line that are shown


def asked() -> dict[str, int]:
    """Return the port of each role, as the environment has it. Raise ConfigError that names every variable that will not do."""
    ports, problems = {}, []
    for role in PORTS:
        try:
            ports[role] = port(role)
        except ConfigError as error:
            problems.append(Problem("", error.detail))
    if problems:
        raise ConfigError("The appliance was not started: not every port is one.", problems)
    return ports


def check(bind: str, ports: Mapping[str, int]) -> None:
    """Raise ConfigError that names every role whose port it cannot have, by whom it is taken, and what to set."""
    problems = [
        Problem(variable(role), fault)
        for role, number in ports.items()
        if (fault := _doubled(role, ports) or _unusable(bind, number))
    ]
    if problems:
        raise ConfigError("The appliance was not started: it cannot have the ports it needs.", problems)


def variable(role: str) -> str:
    """Return the environment variable that sets the port of `role`."""
    return f"NODEWARD_{role.upper()}_PORT"


def _doubled(role: str, ports: Mapping[str, int]) -> str | None:
    number = ports[role]
    if number == 0:
        return "0 leaves the choice to the system, and then nobody finds the role. Set a port."
    others = [other for other in ports if other != role and ports[other] == number]
    return f"port {number} is set for {' and '.join(others)} too. Set another one." if others else None


def syslog_without(bind: str) -> str | None:
    """Return why the log server must do without its syslog port, or None if it can have it.

    That port is an extra: where nobody chose it and something else has it, the appliance starts without. A port that was
    chosen must be free: raise ConfigError if it is not.
    """
    chosen = os.environ.get(SYSLOG_VARIABLE)
    number = int(chosen) if chosen and chosen.isdigit() else SYSLOG_PORT
    fault = _unusable(bind, number) or _unusable(bind, number, socket.SOCK_DGRAM) if number else None
    if fault and chosen:
        raise ConfigError(
            "The appliance was not started: it cannot have the ports it needs.", [Problem(SYSLOG_VARIABLE, fault)]
        )
    return fault


def _unusable(bind: str, number: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> str | None:
    with socket.socket(socket.AF_INET6 if ":" in bind else socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:  # what a closed connection left behind is no obstacle
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind, number))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return f"port {number} is taken{_holder(number)}. Stop that, or set another port by this variable."
            return f"port {number} on {bind} cannot be used ({error.strerror}). Set another one by this variable."
    return None


def _holder(number: int) -> str:
    """Return " by `COMMAND` (pid N)" if the system tells."""
    try:
        for connection in psutil.net_connections("inet"):
            if connection.pid and connection.laddr and connection.laddr.port == number and not connection.raddr:
                command = " ".join(psutil.Process(connection.pid).cmdline())
                return f" by `{command[:COMMAND_LENGTH]}` (pid {connection.pid})"
    except (psutil.Error, OSError):
        pass  # another user's, or gone meanwhile
    return ""
