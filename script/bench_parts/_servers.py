"""Real servers for the parts, and what they cost: CPU seconds and memory of a program with all its children."""

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from fakes.config import FakeConfig  # noqa: E402
from fakes.logserver_process import LogserverProcess  # noqa: E402


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def logserver(var: Path) -> Iterator[LogserverProcess]:
    """Run the log server with its compacting process and a config server to stand on."""
    with FakeConfig() as config:
        server = LogserverProcess(var, config, free_port, NODEWARD_LOG_LEVEL="WARNING")
        server.node_token = config.node_token  # type: ignore[attr-defined]
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def running(command: list[str], **more: object) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program; end it, in the end."""
    process = subprocess.Popen(command, **more)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def cpu(*pids: int) -> float:
    """Return the CPU seconds of these processes and their children, those that ended included."""
    total = 0.0
    for process in _family(pids):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def memory(*pids: int) -> float:
    """Return the memory of these processes and their children, in MB, without what the page cache holds."""
    total = 0
    for process in _family(pids):
        with contextlib.suppress(psutil.Error):
            info = process.memory_info()
            total += info.rss - info.shared
    return total / 1e6


def _family(pids: tuple[int, ...]) -> Iterator[psutil.Process]:
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            yield process
            yield from process.children(recursive=True)


class Most:
    """Asks for a figure several times a second and keeps the largest."""

    def __init__(self, ask: Callable[[], float], every: float = 0.2) -> None:
        self.value = 0.0
        self._ask, self._every = ask, every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Most":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(self._every):
            self.value = max(self.value, self._ask())


def until(true: Callable[[], object], seconds: float, what: str, every: float = 0.02) -> None:
    """Wait until something is so; end the part with a sentence if it does not become so."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            sys.exit(f"{what} – not within {seconds:.0f} seconds.")
        time.sleep(every)


def metric(server: LogserverProcess, name: str) -> float:
    """Return one figure of the log server's /metrics."""
    text = server.viewer.request("GET", "/metrics").data.decode()
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{name} "))


def size(root: Path) -> int:
    """Return the bytes of all files."""
    total = 0
    for path in root.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total
