"""Supervisor, asked over its unix socket: which programs there are, start, stop, restart, and what they printed.

Whoever may write to that socket can run programs as its owner; so it lies in `$NODEWARD_VAR/run` with mode 0700, and people
get to it through the roles' HTTP, which knows who asks and notes who did what.
"""

import hashlib
import os
import socket
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ProtocolError, ServerProxy

from supervisor.xmlrpc import Faults, SupervisorTransport

from nodeward.core.errors import Conflict, NodewardError, NotFound, Unavailable
from nodeward.supervise.marks import mark

TAIL_BYTES = 64 * 1024
_BOOT, _PIDS = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
_DID_NOT_START = {Faults.SPAWN_ERROR, Faults.ABNORMAL_TERMINATION, Faults.NO_FILE, Faults.NOT_EXECUTABLE}


@dataclass(frozen=True)
class Program:
    """One program as supervisor sees it.

    `state` is supervisor's word (STOPPED STARTING RUNNING BACKOFF STOPPING EXITED FATAL UNKNOWN); `since` is in
    microseconds since 1970, `uptime` in seconds; `pid` and `uptime` are None while it does not run. `exit_status` is known of an
    EXITED one alone (-1: ended by a signal); why another one does not run is in `spawn_error`.
    """

    name: str
    group: str
    state: str
    pid: int | None
    since: int | None
    uptime: int | None
    exit_status: int | None
    description: str
    spawn_error: str
    output: str


class Programs:
    """The programs of the supervisor whose state lies under `var`. Safe to use from several threads: a connection per call.

    Every method raises Unavailable if no supervisor answers there within `timeout` seconds.
    """

    def __init__(self, var: Path, timeout: float = 60.0) -> None:
        self.socket = var / "run" / "supervisor.sock"
        self._var, self._logs = var, var / "log"
        self._timeout = timeout

    def list(self) -> "list[Program]":
        """Return every program, in supervisor's order."""
        rows: Any = self._call(lambda rpc: rpc.getAllProcessInfo())
        return [_program(row) for row in rows]

    def which(self) -> str:
        """Return what tells this supervisor from every other one, on this machine or not, for as long as it runs.

        Its programs' pids do not: in two containers they are the same. Its own pid does, with the namespace of pids and the boot.
        """
        pid = self._call(lambda rpc: rpc.getPID())
        return hashlib.sha256(f"{_BOOT.read_text().strip()} {_PIDS.stat().st_ino} {pid}".encode()).hexdigest()[:16]

    def get(self, name: str) -> Program:
        """Return one program. Raise NotFound if there is none of that name."""
        return _program(self._call(lambda rpc: rpc.getProcessInfo(name), name))

    def start(self, name: str) -> Program:
        """Start a program, without waiting until supervisor calls it RUNNING. Raise Conflict if it runs or cannot start."""
        mark(self._var, name)
        self._call(lambda rpc: rpc.startProcess(name, False), name)
        return self.get(name)

    def stop(self, name: str) -> Program:
        """Stop a program; it stays stopped. Raise Conflict if it does not run.

        The program that asks to be stopped itself is asked to end and this returns at once, so that it can still answer.
        """
        own = self._is_self(name)
        mark(self._var, name)
        self._call(lambda rpc: rpc.stopProcess(name, not own), name)
        return self.get(name)

    def restart(self, name: str) -> Program:
        """Stop a program if it runs, and start it.

        The program that asks for its own restart is asked to end and this returns at once; supervisor starts it anew.
        """
        if self._is_self(name):
            self._call(lambda rpc: rpc.signalProcess(name, "TERM"), name)
            return self.get(name)
        if self.get(name).state in ("RUNNING", "STARTING", "BACKOFF"):
            self.stop(name)
        return self.start(name)

    def signal(self, name: str, number: int) -> None:
        """Send a running program a signal. Raise Conflict if it does not run."""
        self._call(lambda rpc: rpc.signalProcess(name, str(int(number))), name)

    def changed(self) -> Sequence[str]:
        """Let supervisor read its configuration (reread). Return the groups that differ from what runs."""
        added, changed, removed = self._reread()
        return [*added, *changed, *removed]

    def update(self) -> Sequence[str]:
        """Do as `supervisorctl update`: take in what changed in supervisor's own configuration. Return the groups that did.

        A group with the program that asks is left to `supervisorctl update`: stopping it would end this half-way.
        """
        added, changed, removed = self._reread()
        own = {program.group for program in self.list() if program.pid in (os.getpid(), os.getppid())}
        for group in (each for each in [*removed, *changed] if each not in own):
            self._group("stopProcessGroup", group)
            self._group("removeProcessGroup", group)
        for group in (each for each in [*changed, *added] if each not in own):
            self._group("addProcessGroup", group)
        return [each for each in [*added, *changed, *removed] if each not in own]

    def _group(self, act: str, group: str) -> None:
        self._call(lambda rpc: getattr(rpc, act)(group), group)

    def _reread(self) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
        found: Any = self._call(lambda rpc: rpc.reloadConfig())
        added, changed, removed = found[0]
        return added, changed, removed

    def tail(self, name: str, size: int = TAIL_BYTES) -> str:
        """Return the last whole lines of a program's output, at most `size` bytes.

        That is what supervisor caught; in a container, where output goes to the container's own, it is the program's log file.
        """
        caught = Path(self.get(name).output)
        return _last_lines(caught if _is_file(caught) else self._logs / f"{name.rpartition(':')[2]}.log", size)

    def _is_self(self, name: str) -> bool:
        """Whether that program is the one asking: this process, or the one that started this worker."""
        return self.get(name).pid in (os.getpid(), os.getppid())

    def _call(self, ask: Callable[[Any], Any], name: str = "") -> Any:
        transport = _Transport(self.socket, self._timeout)
        try:
            with ServerProxy("http://localhost", transport=transport) as proxy:
                return ask(proxy.supervisor)
        except Fault as fault:
            raise self._refusal(fault, name) from None
        except (OSError, HTTPException, ProtocolError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise Unavailable(
                f"No supervisor answers at {self.socket} ({reason}). Is the appliance running, and under this NODEWARD_VAR?"
            ) from None

    def _refusal(self, fault: Fault, name: str) -> NodewardError:
        if fault.faultCode == Faults.BAD_NAME:
            there = ", ".join(program.name for program in self.list())
            return NotFound(f"There is no program '{name}' here. There are: {there}.")
        if fault.faultCode == Faults.NOT_RUNNING:
            return Conflict(f"'{name}' does not run.")
        if fault.faultCode == Faults.ALREADY_STARTED:
            return Conflict(f"'{name}' runs already.")
        if fault.faultCode in _DID_NOT_START:
            why = self.get(name).spawn_error or "it ended at once"
            return Conflict(f"'{name}' did not start ({why}). Its log says more.")
        if fault.faultCode == Faults.SHUTDOWN_STATE:
            return Unavailable("Supervisor is shutting down.")
        return Unavailable(f"Supervisor refused ({fault.faultString}).")


class _Connection(HTTPConnection):
    """HTTP over a unix socket, with a time limit (supervisor's own has none)."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class _Transport(SupervisorTransport):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__(serverurl=f"unix://{path}")
        self._get_connection = lambda: _Connection(path, timeout)


def _program(row: dict[str, Any]) -> Program:
    state, changed = row["statename"], max(row["start"], row["stop"])
    return Program(
        name=row["name"],
        group=row["group"],
        state=state,
        pid=row["pid"] or None,
        since=changed * 1_000_000 or None,
        uptime=max(0, row["now"] - row["start"]) if row["pid"] else None,
        exit_status=row["exitstatus"] if state == "EXITED" else None,
        description=row["description"],
        spawn_error=row["spawnerr"],
        output=row["stdout_logfile"],
    )


def _is_file(path: Path) -> bool:
    """Whether that is a file of supervisor's. `/dev/fd/1` is its own standard output, and would be read here as ours."""
    if path.is_relative_to("/dev"):
        return False
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _last_lines(path: Path, size: int) -> str:
    try:
        with path.open("rb") as file:
            length = file.seek(0, os.SEEK_END)
            file.seek(max(0, length - size))
            text = file.read(size)
    except OSError as error:
        raise NotFound(f"There is no log of it to show: {path} ({error.strerror}).") from None
    if length > size:
        text = text.partition(b"\n")[2] or text  # begin with a whole line, where there is one
    return text.decode("utf-8", "replace")
