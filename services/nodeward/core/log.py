"""The roles' own logging, in three parts: to the screen, to a rotated file, and to the log server through a queue.

The queue is bounded and its sender is a thread of its own, so a log server that is away blocks nobody; what did not fit is
counted and said once it is back. Records about shipping records (this module's, and the HTTP client's) are never shipped:
otherwise each would make another.
"""

import logging
import logging.handlers
import os
import queue
import sys
import threading
import time
import uuid
from collections.abc import Callable

from nodeward.core import batch, severity
from nodeward.core.client import Client
from nodeward.core.errors import ConfigError, NodewardError
from nodeward.core.settings import Settings

SOURCE = "nodeward"
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_never_shipped: list[str] = ["nodeward.core.log", "urllib3"]
_COLOURS = {"DEBUG": "\x1b[2m", "INFO": "", "WARNING": "\x1b[33m", "ERROR": "\x1b[31m", "CRITICAL": "\x1b[1;31m"}

log = logging.getLogger(__name__)


def set_up(settings: Settings, *, colours: bool | None = None) -> None:
    """Send this program's records to the screen (coloured on a terminal, or as asked) and to `<var>/log/<role>.log`."""
    root = logging.getLogger()
    root.setLevel(settings.log_level)
    root.handlers[:] = [
        _screen(sys.stderr.isatty() or bool(os.environ.get("NODEWARD_COLOURS")) if colours is None else colours),
        _file(settings),
    ]
    logging.captureWarnings(True)


def no_shipping(prefix: str) -> None:
    """Never ship the records of loggers under `prefix`: for code that handles what is shipped."""
    _never_shipped.append(prefix)


class Shipper(logging.Handler):
    """Sends this program's records to the log server, under source ``nodeward``. A part (see `program`).

    `client` returns the log server's client, or raises NodewardError while nobody knows where that is.
    """

    def __init__(self, settings: Settings, client: Callable[[], Client], capacity: int = 10_000) -> None:
        super().__init__()
        self._settings, self._client = settings, client
        self._queue: queue.Queue[logging.LogRecord] = queue.Queue(capacity)
        self._lost = 0
        self._generation = uuid.uuid4().hex
        self._offset = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="log-shipper", daemon=True)
        self.setFormatter(_Formatter(FORMAT))

    def start(self) -> None:
        """Begin to take and to send records."""
        logging.getLogger().addHandler(self)
        self._thread.start()

    def stop(self) -> None:
        """Take no more, try once more to send what is queued."""
        logging.getLogger().removeHandler(self)
        self._stopping.set()
        self._thread.join(timeout=3)

    @property
    def alive(self) -> bool:
        """Whether the sender runs."""
        return self._thread.is_alive()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record; never wait."""
        if record.name.startswith(tuple(_never_shipped)):
            return
        try:
            self._queue.put_nowait(record)
        except queue.Full:
            self._lost += 1

    def _loop(self) -> None:
        pending: batch.Batch | None = None
        while pending or not self._stopping.is_set() or not self._queue.empty():
            pending = pending or self._gather()
            if pending is None:
                continue
            try:
                body = batch.encode(pending)
                self._client().request(
                    "POST", "/api/v1/batches", body=body, headers={"Content-Type": batch.CONTENT_TYPE}
                )
                pending = None
            except NodewardError as error:
                log.debug("records are not shipped yet: %s", error)
                if self._stopping.is_set():
                    return
                self._stopping.wait(2.0)

    def _gather(self) -> batch.Batch | None:
        builder = batch.Builder(self._settings.node, SOURCE, self._generation, format="nodeward")
        try:
            first: logging.LogRecord | None = self._queue.get(timeout=0.2)
        except queue.Empty:
            first = None
        while first is not None and len(builder) < 1000:
            self._add(builder, first)
            try:
                first = self._queue.get_nowait()
            except queue.Empty:
                first = None
        if first is not None:
            self._add(builder, first)
        lost, self._lost = self._lost, 0
        if lost:
            self._add(builder, _said_late(lost))
        return builder.build(self._offset) if len(builder) else None

    def _add(self, builder: batch.Builder, record: logging.LogRecord) -> None:
        raw = self.format(record).encode("utf-8", "backslashreplace")
        message = record.getMessage().encode("utf-8", "backslashreplace")
        start = raw.find(message)
        builder.add(
            raw,
            self._offset,
            time=int(record.created * 1_000_000),
            level=severity.number(record.levelname),
            host=self._settings.node,
            ident=self._settings.role,
            pid=os.getpid(),
            message=(start, len(raw)) if start >= 0 else None,
            fields={"logger": record.name},
        )
        self._offset += 1


def _said_late(lost: int) -> logging.LogRecord:
    words = "%d records did not fit into the queue and were not shipped"
    return log.makeRecord(__name__, logging.WARNING, "", 0, words, (lost,), None)


class _Formatter(logging.Formatter):
    """Times as RFC 3339 in UTC."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"


class _ColouredFormatter(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"{_COLOURS.get(record.levelname, '')}{super().format(record)}\x1b[0m"


def _screen(colours: bool) -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter((_ColouredFormatter if colours else _Formatter)(FORMAT))
    return handler


def _file(settings: Settings) -> logging.Handler:
    path = settings.var / "log" / f"{settings.role}.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(path, maxBytes=10_000_000, backupCount=5, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"The log file {path} cannot be written ({error.strerror}). Check NODEWARD_VAR and its owner."
        ) from None
    handler.setFormatter(_Formatter(FORMAT))
    return handler
