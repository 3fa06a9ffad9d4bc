"""`tailflog FILE --to URL`: one file from the command line, with progress on the screen; a second run goes on from there.

Somebody sits before the screen: what is passing is tried again and said, what the server refuses for good ends the run with
the server's own sentence.
"""

import hashlib
import logging
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from nodeward.core import clock, program
from nodeward.core.client import Client
from nodeward.core.errors import BadInput, NodewardError
from nodeward.core.settings import Settings, load
from nodeward.core.words import counted
from nodeward.tailflog import config, credential
from nodeward.tailflog.checkpoint import Checkpoint
from nodeward.tailflog.follow import Tail
from nodeward.tailflog.life import begin, behind, reading
from nodeward.tailflog.send import LogServer, Sender, Sink
from nodeward.tailflog.spool import Spool

SPOOL_BYTES = 256 * 1024 * 1024
PROGRESS = 1.0  # seconds between two lines of progress


@dataclass(frozen=True)
class Options:
    """The command line."""

    file: Path
    to: str | None
    source: str | None
    format_: str
    node: str | None
    timezone: str
    encoding: str
    from_start: bool
    follow: bool
    state: Path | None
    token_file: Path | None


def run(options: Options) -> int:
    """Ship the file's lines until it ends (`--once`) or a signal comes. Return the exit code.

    Raise NodewardError if the command line is wrong, or the server takes nothing and never will.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("nodeward.tailflog.send").setLevel(logging.INFO)  # that the server is back is news to the person
    settings = load(Settings)
    plan = _plan(options, options.node or settings.node)
    stop = program.Stop()
    stop.install()
    sink, node = _sink(options, settings, stop)
    if stop.wait(0):
        return 0
    return _ship(options, plan.model_copy(update={"node": node or plan.node}), sink, stop)


def _ship(options: Options, plan: config.Plan, sink: Sink, stop: program.Stop) -> int:
    source, url = plan.sources[0].source, options.to or ""
    path = options.file.expanduser().absolute()
    directory = options.state or _state_directory(url, source, path)
    spool = Spool(directory, SPOOL_BYTES)
    checkpoint = Checkpoint(directory)
    if not options.from_start and not checkpoint.load(spool):
        _pass_over(path, source, spool)
    tail = Tail(spool, checkpoint)
    sender = Sender(spool, checkpoint, sink, directory / "dead", tail.wake_if_paused, gives_up=True)
    tail.apply(plan)
    _say(f"Following {path} as source {source} of node {plan.node}, to {url.rpartition('@')[2]}")
    parts: list[program.Part] = [program.Worker("send", sender.unit, idle=0.02), tail]
    for part in parts:
        part.start()
    watch = _Watch(tail, sender, spool, checkpoint)
    try:
        while not stop.wait(0.1) and not (watch.done() and not options.follow) and not sender.hopeless:
            watch.tick()
    finally:
        for part in reversed(parts):
            part.stop()
        checkpoint.write(spool)
        spool.close()
    watch.summary()
    if sender.hopeless:
        raise NodewardError(f"The server takes nothing: {sender.hopeless}")
    return 1 if sender.refused else 0


class _Watch:
    """What the screen shows."""

    def __init__(self, tail: Tail, sender: Sender, spool: Spool, checkpoint: Checkpoint) -> None:
        self._tail, self._sender, self._spool, self._checkpoint = tail, sender, spool, checkpoint
        self._began = self._said_at = time.monotonic()
        self._said = 0

    def done(self) -> bool:
        """Say whether everything that is in the file has been taken by the server; ship its last line without a newline."""
        return self._tail.finished() and not self._spool.waiting

    def tick(self) -> None:
        """Show progress, and keep the checkpoint fresh."""
        now = time.monotonic()
        if now - self._said_at < PROGRESS:
            return
        self._said_at = now
        if self._checkpoint.dirty:
            self._checkpoint.write(self._spool)
        if self._tail.counts.lines != self._said:
            self._said = self._tail.counts.lines
            _say(f"{counted(self._said, 'line')} read, {self._spool.waiting:,} bytes wait to be taken")

    def summary(self) -> None:
        """Say what was done."""
        counts, seconds = self._tail.counts, time.monotonic() - self._began
        refused = counted(self._sender.refused, "batch", "batches")
        _say(
            f"{counted(counts.lines, 'line')} ({counted(counts.bytes, 'byte')}) in {seconds:.1f} s; "
            f"{self._tail.unparsed:,} did not parse and are kept raw; "
            f"{refused} refused; {self._spool.waiting:,} bytes wait for the next run"
        )


def _plan(options: Options, node: str) -> config.Plan:
    """Return the command line as a plan. Raise BadInput with every fault."""
    if not options.to:
        raise BadInput("Where to? Write: tailflog FILE --to URL --source NAME --format FORMAT.")
    path = options.file.expanduser().absolute()
    if not path.exists():
        raise BadInput(f"There is no file {path}.")
    if not path.is_file():
        raise BadInput(f"{path} is no regular file; only those can be followed.")
    format_: str | dict[str, str] = options.format_
    if options.format_.startswith("pattern:"):
        format_ = {"pattern": options.format_.removeprefix("pattern:")}
    source = {
        "source": options.source or path.name,
        "paths": [_literal(str(path))],
        "format": format_,
        "timezone": options.timezone,
        "encoding": options.encoding,
    }
    url = options.to if options.to.startswith("http") else "http://mongodb.invalid"
    return config.verified({"node": node, "logserver": url, "sources": [source]}, "The command line")


def _literal(path: str) -> str:
    """Return a path as a glob that matches it alone."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)


def _sink(options: Options, settings: Settings, stop: program.Stop) -> tuple[Sink, str | None]:
    """Return where the batches go, and the node that the token speaks for, if it is one's."""
    url = options.to or ""
    if url.startswith(("mongodb://", "mongodb+srv://")):
        from nodeward.tailflog.send_mongodb import MongoSink  # pymongo is an extra that few have

        return MongoSink(url), None
    if not url.startswith(("http://", "https://")):
        raise BadInput(f"--to {url!r} is neither the log server's URL (http://…) nor a mongodb:// URI.")
    token = credential.token(options.token_file, settings)
    return LogServer(lambda: token, url), credential.node(Client(url, token), options.node, stop.wait, _say)


def _state_directory(url: str, source: str, path: Path) -> Path:
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    name = hashlib.blake2b(f"{url}\0{source}\0{path}".encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
    return home / "tailflog" / f"{path.name}-{name}"


def _pass_over(path: Path, source: str, spool: Spool) -> None:
    """Take what the file holds now, up to its last whole line, as done."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        status, read = os.fstat(descriptor), reading(descriptor)
        end = status.st_size
        while end and b"\n" not in (tail := read(min(65536, end), max(0, end - 65536))):
            end -= len(tail)
        end = end - len(tail) + tail.rfind(b"\n") + 1 if end else 0
        life = begin(source, str(path), status.st_dev, status.st_ino, clock.now())
        spool.append(behind(life, read, end).packed(), b"", fresh=True)
    finally:
        os.close(descriptor)


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)  # noqa: T201 - progress belongs on the screen
