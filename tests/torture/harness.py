"""A tailflog as a real process, with a bundle, a token, files to follow and a sink that stores what it ships."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fakes.sink import Sink
from nodeward.core.files import write_atomic
from nodeward.tailflog import spool

LONG = os.environ.get("NODEWARD_TORTURE") == "long"


def line(source: str, number: int, filling: str = "") -> str:
    """Return a line that tells whose it is, which one, and whether it is whole."""
    return checked(f"{source} {number:07d} {filling}")


def checked(body: str) -> str:
    """Return a text that tells whether it is whole."""
    return f"{body} {zlib.crc32(body.encode()):08x}"


@dataclass
class Verdict:
    """What a sink's store says about what was written."""

    lost: list[str]
    duplicated: list[str]
    torn: list[bytes]
    disordered: int

    @property
    def good(self) -> bool:
        """Nothing lost, nothing twice, nothing torn."""
        return not (self.lost or self.duplicated or self.torn)

    def __str__(self) -> str:
        parts = (self.lost[:3], self.duplicated[:3], self.torn[:3])
        return f"{len(self.lost)} lost, {len(self.duplicated)} duplicated, {len(self.torn)} torn: {parts}"


def judge(written: Iterable[str], stored: list[bytes]) -> Verdict:
    """Compare what was written with what a store holds."""
    wanted = Counter(written)
    found = Counter(raw.decode("utf-8", "backslashreplace") for raw in stored)
    torn = [raw for raw in stored if not _whole(raw)]
    return Verdict(
        lost=list((wanted - found).elements()),
        duplicated=[one for one in (found - wanted).elements() if one in wanted],
        torn=torn,
        disordered=sum(before > after for before, after in itertools.pairwise(stored)),
    )


def _whole(raw: bytes) -> bool:
    body, _, checksum = raw.rpartition(b" ")
    return checksum == b"%08x" % zlib.crc32(body)


class Following:
    """A tailflog that follows `sources`, on its own NODEWARD_VAR. Use as a context manager.

    `under` is a command that ends by executing the one behind it (unshare, setpriv): what the process is put into.
    """

    def __init__(
        self, directory: Path, sink: Sink, sources: list[dict[str, Any]], under: Sequence[str] = (), **environment: str
    ) -> None:
        self.var, self.sink, self.sources = directory / "var", sink, sources
        self.logs = directory / "logs"
        self.logs.mkdir(exist_ok=True)
        self._environment = {**os.environ, "NODEWARD_VAR": str(self.var), "TZ": "UTC", **environment}
        self._process: subprocess.Popen[bytes] | None = None
        self.under, self.program = under, ["-m", "nodeward.tailflog.main"]
        self._revision = 0
        self.configure(sources)
        self.give_token(sink.token or "token")

    def configure(self, sources: list[dict[str, Any]]) -> None:
        """Write the bundle, as the node server does: staged, then renamed."""
        self._revision += 1
        plan = {"written_by": "a test", "revision": self._revision, "node": "web-1", "logserver": self.sink.url}
        self.write_bundle(json.dumps({**plan, "sources": sources}))

    def write_bundle(self, text: str) -> None:
        """Put `text` in the bundle's place."""
        path = self.var / "nodeserver" / "bundle" / "tailflog.json"
        write_atomic(path, text)

    def start(self, ready: bool = True) -> None:
        """Start the process; wait until it has looked at its files, unless that is not to be."""
        assert self._process is None
        said = self.said().count("in force")
        with (self.var / "screen").open("ab") as screen:
            self._process = subprocess.Popen(
                [*self.under, sys.executable, *self.program], env=self._environment, stdout=screen, stderr=screen
            )
        if ready:
            until(lambda: self.said().count("in force") > said, 60, "it did not begin to follow")

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def died(self, seconds: float = 60.0) -> None:
        """Wait until it has ended by itself."""
        assert self._process is not None
        self._process.wait(timeout=seconds)
        self._process = None

    def stop(self) -> int:
        """End it as supervisor does; return its exit code."""
        assert self._process is not None
        self._process.terminate()
        code = self._process.wait(timeout=60)
        self._process = None
        return code

    def reload(self) -> None:
        """Send SIGHUP."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def freeze(self) -> None:
        """Let it do nothing until `thaw`."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def said(self) -> str:
        """Return what it has said on the screen."""
        path = self.var / "screen"
        return path.read_text() if path.exists() else ""

    def spooled(self) -> list[bytes]:
        """Return the batches that lie in its spool whole: a power cut takes none of them away any more."""
        bodies = []
        for path in sorted((self.var / "tailflog" / "spool").glob("*.seg")):
            with path.open("rb") as segment:
                place = 0
                while frame := spool._read(segment.fileno(), int(path.stem), place):
                    bodies.append(frame.body)
                    place = frame.after.byte
        return bodies

    def give_token(self, text: str) -> None:
        """Put `text` in the token's place, as the node server does: staged, then renamed."""
        path = self.var / "secrets" / "nodeserver" / "token"
        write_atomic(path, text)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if error is not None:
            print(self.said())
        self.kill()


class Writer:
    """Writes numbered lines of one source, and remembers what it wrote."""

    def __init__(self, path: Path, source: str = "app") -> None:
        self.path, self.source = path, source
        self.written: list[str] = []
        self._file = -1
        self.reopen()

    def write(self, count: int, filling: str = "") -> None:
        """Append `count` lines."""
        for _ in range(count):
            text = line(self.source, len(self.written), filling)
            self.raw(text.encode() + b"\n")
            self.written.append(text)

    def raw(self, data: bytes) -> None:
        """Append these bytes with one write."""
        assert os.write(self._file, data) == len(data)

    def reopen(self) -> None:
        """Go on in whatever is at the path now."""
        self.close()
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    def __del__(self) -> None:
        self.close()

    def rotate(self, name: str) -> None:
        """Rename the file and create a new one."""
        self.path.rename(self.path.with_name(name))
        self.reopen()


def copytruncate(writer: Writer, copy: Path) -> None:
    """Rotate a file as logrotate's copytruncate does."""
    shutil.copyfile(writer.path, copy)
    os.truncate(writer.path, 0)


def until(true: Callable[[], bool], seconds: float = 60.0, what: str = "it did not come true") -> None:
    """Wait until `true()`; fail with `what` after so long."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def source(logs: Path, pattern: str = "*.log", name: str = "app", **more: Any) -> dict[str, Any]:
    """Return a source of the files in `logs` that match."""
    return {"source": name, "paths": [f"{logs}/{pattern}"], "format": "raw", **more}


def pace(sink: Sink, writer: Writer, most: int, stop: threading.Event) -> None:
    """Wait while so much of what was written has not come: where all else is slow, who writes by the clock writes without end."""
    while len(writer.written) - len(sink.order) > most and not stop.wait(0.05):
        pass


def all_came(sink: Sink, *writers: Writer, seconds: float = 60.0) -> None:
    """Wait until everything written is in the sink's store; fail if anything is lost, there twice, or torn."""
    written = [text for writer in writers for text in writer.written]
    sink.wait_for(len(written), seconds + len(written) / 2000)
    verdict = judge(written, sink.raws())
    assert verdict.good, str(verdict)
    assert len(sink.raws()) == len(written)
